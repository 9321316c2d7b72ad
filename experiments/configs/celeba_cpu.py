"""CelebA at 64 px on a CPU.

Hardware: two cores, 4 GiB of memory.

    python -m experiments.train --config=celeba_cpu.py --workdir=runs/celeba_cpu --config.data.root=FOLDER[,FOLDER]
"""

from ml_collections import ConfigDict

from experiments.configs import default


def get_config() -> ConfigDict:
    """``default.py`` with small recogniser batches."""
    config = default.get_config()
    config.total_steps = 22_000
    config.loss.identity_images = 2
    return config
