"""CelebA at 64 px on a CPU, the first 10,000 steps for the identity critic's warm-up.

Hardware: two cores, 4 GiB of memory. Expected time: two hours (0.6 to 0.9 s a step after the critic's warm-up, seen on
two machines).

    python -m experiments.train --config=celeba_cpu.py --workdir=runs/celeba_cpu --config.data.root=FOLDER[,FOLDER]
"""

from ml_collections import ConfigDict

from experiments.configs import default


def get_config() -> ConfigDict:
    """``default.py``, with few images for the recogniser: it is the dearest part of a step."""
    config = default.get_config()
    config.total_steps = 18_000
    config.loss.identity_images = 2
    return config
