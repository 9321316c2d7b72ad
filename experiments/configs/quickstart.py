"""A first run, on built-in faces.

Hardware: two CPU cores. Expected time: not yet measured (minutes).

    python -m experiments.train --config=quickstart.py --workdir=runs/quickstart
"""

from ml_collections import ConfigDict

from experiments.configs import default


def get_config() -> ConfigDict:
    """``default.py`` with narrow networks and without a recogniser, which is at home with photos."""
    config = default.get_config()
    config.data.source = "procedural"
    config.recognizers = ()
    config.total_steps = 2_000
    config.optimizer.critic_warmup_steps = 500
    config.loss.identity_ramp_steps = 500
    config.model.base = 12
    config.model.discriminator_base = config.model.critic_base = 16
    config.sheet_every = config.validate_every = config.checkpoint_every = 500
    return config
