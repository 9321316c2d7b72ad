"""CelebA at 256 px on one GPU or on a TPU slice.

Hardware: one card with 80 GB or a TPU v5e-8 (sized for them, not yet run). Install jax[cuda12] or jax[tpu].
Expected time: not yet measured; 4 to 12 hours on an H100 (estimate: 5.3 TFLOP a step, 50 to 150 TFLOP a second).
CelebA's own crops have 150 pixels a side: photos that are sharp at 256 px need a folder with a CSV (--source=csv).

    python -m tools.prepare_data --source=celeba --root=FOLDER --image_size=256 --output=PREPARED
    python -m experiments.train --config=celeba_256.py --workdir=runs/celeba_256 --config.data.root=PREPARED
"""

from ml_collections import ConfigDict

from experiments.configs import celeba_gpu


def get_config() -> ConfigDict:
    """``celeba_gpu.py`` with a level more; a quarter of the images fill the same memory."""
    config = celeba_gpu.get_config()
    config.image_size = 256
    config.batch_size = 16
    config.total_steps = 400_000
    config.data.source = "array_record"
    config.model.levels = 6
    config.optimizer.learning_rate = 2e-4
    config.optimizer.discriminator_learning_rate = 2e-4
    config.optimizer.critic_warmup_steps = 20_000
    config.optimizer.ema_decay = 0.9995
    return config
