"""The 128 px model once more on faces of everybody, asked for what a photo asks for.

Hardware: two cores, 4 GiB of memory. Expected time: an hour and a half.

    python -m experiments.train --config=celeba_cpu_128_photos.py --workdir=runs/celeba_cpu_128_photos \
        --config.data.root=CELEBA --config.data.extra=DIR

DIR as for ``celeba_cpu_128_wild.py``.
"""

from ml_collections import ConfigDict

from experiments.configs import celeba_cpu_128_wild


def get_config() -> ConfigDict:
    """``celeba_cpu_128_wild.py`` with what is beyond the face kept as a photo keeps it, and both ends of strength."""
    config = celeba_cpu_128_wild.get_config()
    config.start_from = "runs/celeba_cpu_128_wild"  # the workdir of that run
    config.seed = 3
    config.loss.identity_grey = 1.0  # what hides a face shall not be its fine colour
    config.loss.in_photo_probability = 0.6
    config.loss.reconstruct_probability = 1.0  # what lies between is a morph (inference.morph)
    config.loss.structure = 3.0
    config.total_steps = 8_400
    return config
