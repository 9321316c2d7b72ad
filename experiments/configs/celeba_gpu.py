"""CelebA at 128 px on one GPU.

Hardware: one card with 80 GB (sized for an H100, not yet run on one). Install jax[cuda12].
Expected time: not yet measured.

    python -m experiments.train --config=celeba_gpu.py --workdir=runs/celeba_gpu --config.data.root=FOLDER
"""

from ml_collections import ConfigDict

from experiments.configs import default


def get_config() -> ConfigDict:
    """``default.py`` with wider networks, and recognisers that see the whole batch."""
    config = default.get_config()
    config.image_size = 128
    config.batch_size = 64
    config.total_steps = 200_000
    config.data.threads = 16
    config.model.base = 48
    config.model.levels = 5
    config.model.style_width = 256
    config.model.discriminator_base = 64
    config.model.critic_base = 48
    config.model.compute = "bfloat16"
    config.loss.identity_images = 0
    config.optimizer.learning_rate = 4e-4
    config.optimizer.discriminator_learning_rate = 4e-4
    config.optimizer.critic_warmup_steps = 5_000
    config.optimizer.ema_decay = 0.999
    config.log_every = 100
    config.sheet_every = config.validate_every = config.checkpoint_every = 2_000
    return config
