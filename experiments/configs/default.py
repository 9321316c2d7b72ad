"""Every setting of a run with its default; the other configurations override a few of these.

Hardware: any; as it stands it is sized for two CPU cores. Expected time: not yet measured (see celeba_cpu.py).

    python -m experiments.train --config=default.py --workdir=runs/default --config.data.root=FOLDER[,FOLDER]
"""

import dataclasses

from ml_collections import ConfigDict

from a3gan_jax.training_config import LossConfig, OptimizerConfig


def get_config() -> ConfigDict:
    """The defaults: 64 px, the 13 AttGAN attributes, a mesh over all devices."""
    config = ConfigDict()
    config.seed = 0
    config.attributes = "attgan"  # attgan (13) | celeba (40) | names separated by commas
    config.image_size = 64  # 64 | 128 | 256
    config.batch_size = 8  # of originals, over all devices
    config.total_steps = 20_000
    config.start_from = ""  # a trained model, by its folder or its name in the package; "": random networks

    config.data = ConfigDict()
    config.data.source = "celeba"  # celeba | csv | tfds | procedural | array_record (of tools/prepare_data.py)
    config.data.root = ""  # folder, or several separated by commas
    config.data.extra = ""  # more training faces: folders of aligned faces with a CSV, separated by commas
    config.data.light = 0.0  # spread of random exposure, contrast and colour in training; 1: as photos of strangers
    config.data.min_photos = 4  # people with fewer photos are unknown to the identity critic
    config.data.max_corrupt = 10  # images that cannot be decoded, before the run stops
    config.data.threads = 2

    config.model = ConfigDict()
    config.model.base = 20  # channels at the shallowest level, doubled at each deeper one
    config.model.levels = 4
    config.model.details = 0  # times that the image is doubled after the generator's last level
    config.model.detail_channels = 16
    config.model.z_dim = 32
    config.model.suppression = True  # False: without the suppressive units, for comparison
    config.model.discriminator_base = 32
    config.model.critic_base = 32
    config.model.conv = "auto"  # lax | matmul | auto (matmul on a CPU)
    config.model.compute = "float32"  # float32 | bfloat16 (for GPU and TPU; slower on a CPU)

    config.recognizers = ("sface",)  # that the generator learns to defeat: sface, or folders of tools/convert.py
    config.loss = ConfigDict(dataclasses.asdict(LossConfig()))
    config.optimizer = ConfigDict(dataclasses.asdict(OptimizerConfig()))

    config.mesh = ConfigDict()
    config.mesh.data = -1  # -1: all devices that fsdp leaves
    config.mesh.fsdp = 1

    config.log_every = 50
    config.sheet_every = 500
    config.validate_every = 500
    config.validation_images = 128  # held-out faces in a quick validation
    config.checkpoint_every = 250
    config.keep_checkpoints = 2
    return config
