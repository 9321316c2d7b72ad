"""CelebA at 128 px on a TPU slice.

Hardware: v5e-8 (sized for it, not yet run on one). Install jax[tpu]; TensorFlow must not be there.
Expected time: 2.5 hours by the compiler's estimate (make tpu-compile: 88 ms a step); not measured.

    python -m experiments.train --config=celeba_tpu.py --workdir=runs/celeba_tpu --config.data.root=FOLDER
"""

from ml_collections import ConfigDict

from experiments.configs import celeba_gpu


def get_config() -> ConfigDict:
    """``celeba_gpu.py`` with a global batch of 256 and channels that fill the lanes of a TPU."""
    config = celeba_gpu.get_config()
    config.batch_size = 256
    config.total_steps = 100_000
    config.model.base = config.model.discriminator_base = config.model.critic_base = 64
    config.optimizer.critic_warmup_steps = 2_000
    return config
