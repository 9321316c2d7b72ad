"""CelebA at 128 px on a CPU: the 64 px model of ``celeba_cpu.py`` grown by a detail stage, with two attributes more.

Hardware: two cores, 4 GiB of memory. Expected time: an hour and a half (1.2 s a step after the critic's warm-up).

    python -m experiments.train --config=celeba_cpu_128.py --workdir=runs/celeba_cpu_128 --config.data.root=FOLDER
"""

from ml_collections import ConfigDict

from a3gan_jax.attributes import ATTGAN_ATTRIBUTES
from experiments.configs import celeba_cpu


def get_config() -> ConfigDict:
    """``celeba_cpu.py`` with a stage more; its start knows already what the identity losses ask for."""
    config = celeba_cpu.get_config()
    config.start_from = "runs/celeba_cpu"  # the workdir of that run
    config.attributes = ",".join((*ATTGAN_ATTRIBUTES, "Smiling", "Narrow_Eyes"))
    config.image_size = 128
    config.model.details = 1
    config.model.critic_base = 16
    config.optimizer.critic_warmup_steps = 5_000
    config.optimizer.learning_rate = config.optimizer.discriminator_learning_rate = 4e-4
    config.loss.identity_ramp_steps = 200
    config.loss.structure = 2.0
    config.loss.diversity_margin = 0.2
    config.total_steps = 8_600
    return config
