"""CelebA at 128 px on a CPU, on from where ``celeba_cpu_128.py`` ended, judged as photos show it, at falling rates.

Hardware: two cores, 4 GiB of memory. Expected time: an hour and a half.

    python -m experiments.train --config=celeba_cpu_128_longer.py --workdir=runs/celeba_cpu_128_longer \
        --config.data.root=FOLDER
"""

from ml_collections import ConfigDict

from experiments.configs import celeba_cpu_128


def get_config() -> ConfigDict:
    """``celeba_cpu_128.py`` with more weight on what stays, and a third pass that is put back into its photo."""
    config = celeba_cpu_128.get_config()
    config.start_from = "runs/celeba_cpu_128"  # the workdir of that run
    config.seed = 1
    config.optimizer.learning_rate = config.optimizer.discriminator_learning_rate = 3e-4
    config.optimizer.decay_share = 0.5
    config.optimizer.decay_to = 0.02
    config.optimizer.ema_decay = 0.999
    config.loss.reconstruction = 36.0
    config.loss.low_frequency = 6.0
    config.loss.background = 15.0
    config.loss.judge_pasted = True
    config.total_steps = 8_200
    return config
