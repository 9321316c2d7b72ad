"""FairFace at 64 px on a CPU: faces that may be used commercially (CC BY 4.0), with gender and age as attributes.

Hardware: two cores, 4 GiB of memory. Expected time: half an hour.

    python -m tools.align_faces --root=FAIRFACE --output=DIR --size=128 --attribute=Male=gender:Male \
        --attribute=Young=age:0-2,3-9,10-19,20-29,30-39
    python -m experiments.train --config=fairface_cpu.py --workdir=runs/fairface_cpu --config.data.root=DIR
"""

from ml_collections import ConfigDict

from experiments.configs import default


def get_config() -> ConfigDict:
    """``default.py`` without an identity critic, for nobody is named here: the frozen recogniser sees more instead."""
    config = default.get_config()
    config.attributes = "Male,Young"
    config.data.source = "csv"
    config.optimizer.critic_warmup_steps = 0
    config.model.critic_base = 8
    config.optimizer.ema_decay = 0.999
    config.data.light = 0.5
    config.loss.attribute = 0.4  # a mean over two, where the default is one over thirteen
    config.loss.gradient_penalty = 0.02
    config.loss.structure = 2.0
    config.loss.judge_pasted = True
    config.optimizer.decay_share = 0.0  # fairface_cpu_longer.py goes on
    config.total_steps = 2_500
    return config
