"""CelebA at 128 px on a CPU: the package's 64 px model grown by one stage.

Hardware: two cores, 4 GiB of memory. Expected time: not yet measured.

    python -m experiments.train --config=celeba_cpu_128.py --workdir=runs/celeba_cpu_128 --config.data.root=FOLDER
"""

from ml_collections import ConfigDict

from a3gan_jax.attributes import ATTGAN_ATTRIBUTES
from experiments.configs import celeba_cpu


def get_config() -> ConfigDict:
    """``celeba_cpu.py`` with a stage more; what the seed decides grows sooner, for the start knows it."""
    config = celeba_cpu.get_config()
    config.start_from = "celeba"
    config.attributes = ",".join((*ATTGAN_ATTRIBUTES, "Smiling", "Narrow_Eyes"))
    config.image_size = 128
    config.model.levels = 5
    config.model.base = 10
    config.model.discriminator_base = config.model.critic_base = 16
    config.optimizer.critic_warmup_steps = 6_000
    config.loss.identity_ramp_steps = 500
    config.total_steps = 12_000
    return config
