"""The smallest run that goes through everything; for tests."""

from ml_collections import ConfigDict

from experiments.configs import default


def get_config() -> ConfigDict:
    """Twenty steps, the first four of which train the identity critic alone."""
    config = default.get_config()
    config.attributes = "Male,Smiling"
    config.batch_size = 8
    config.total_steps = 20
    config.data.source = "procedural"
    config.data.threads = 1
    config.model.update(dict(base=4, levels=2, z_dim=2, style_width=8, discriminator_base=2, critic_base=2))
    config.model.conv = "lax"
    config.recognizers = ()
    config.optimizer.critic_warmup_steps = 4
    config.log_every = 5
    config.sheet_every = 10
    config.validate_every = 10
    config.validation_images = 8
    config.checkpoint_every = 5
    return config
