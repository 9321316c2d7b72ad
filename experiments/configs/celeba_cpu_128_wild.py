"""The 128 px model on faces of everybody: CelebA and FairFace together, in lights that neither shows.

Hardware: two cores, 4 GiB of memory. Expected time: an hour and a half.

    python -m tools.align_faces --root=FAIRFACE --output=DIR --size=128 --attribute=Male=gender:Male \
        --attribute=Young=age:0-2,3-9,10-19,20-29,30-39 --classifier=runs/celeba_cpu_128_longer
    python -m experiments.train --config=celeba_cpu_128_wild.py --workdir=runs/celeba_cpu_128_wild \
        --config.data.root=CELEBA --config.data.extra=DIR
"""

from ml_collections import ConfigDict

from experiments.configs import celeba_cpu_128_longer


def get_config() -> ConfigDict:
    """``celeba_cpu_128_longer.py`` with other faces beside CelebA's, more weight on identity, and points that stay."""
    config = celeba_cpu_128_longer.get_config()
    config.start_from = "runs/celeba_cpu_128_longer"  # the workdir of that run
    config.seed = 2
    config.data.light = 0.5
    config.loss.gradient_penalty = 0.2  # as StyleGAN2 (arXiv 1912.04958) scales it with the side, from 0.05 at 64 px
    config.loss.gradient_penalty_local = 0.15
    config.loss.identity = 6.0
    config.loss.identity_images = 3
    config.loss.diversity = 2.0
    config.loss.landmarks = 20.0
    config.loss.landmarks_tolerance = 0.03
    config.loss.chroma = 12.0
    config.loss.chroma_cells = 32
    config.loss.reconstruct_probability = 0.5
    config.total_steps = 9_200
    return config
