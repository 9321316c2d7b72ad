"""FairFace at 64 px on a CPU, on from where ``fairface_cpu.py`` ended, with all weight on hiding the person.

Hardware: two cores, 4 GiB of memory. Expected time: 40 minutes.

    python -m experiments.train --config=fairface_cpu_longer.py --workdir=runs/fairface_cpu_longer \
        --config.data.root=DIR
"""

from ml_collections import ConfigDict

from experiments.configs import fairface_cpu


def get_config() -> ConfigDict:
    """``fairface_cpu.py`` with higher floors for the gates and more weight on identity: no critic watches here."""
    config = fairface_cpu.get_config()
    config.start_from = "runs/fairface_cpu"  # the workdir of that run
    config.seed = 1
    config.loss.gate_floors = (0.3, 0.8, 1.0)
    config.loss.identity = 8.0
    config.loss.pseudonym = 1.0
    config.loss.identity_ramp_steps = 300
    config.optimizer.decay_share = 0.5
    config.total_steps = 3_200
    return config
