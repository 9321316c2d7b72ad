"""A3GAN's own layout: a trained model as a PyTorch state dict, and back, bit for bit.

Names are ``generator.``, ``ainet.`` and ``discriminator.``, then the layer, then ``weight`` and ``bias`` in PyTorch's
order of axes: convolutions (O, I, kh, kw), the decoder's transposed ones (I, O, kh, kw), dense layers (O, I), maps
(C, H, W). Where a dense layer stands before or behind a feature map (``generator.injection``,
``discriminator.hidden``), the map is flattened as (H, W, C). The entry ``a3gan.model`` is JSON in UTF-8, as bytes in a
uint8 tensor: the configuration that builds the networks, and the step of the training.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.convert.layouts.errors import LayoutError
from a3gan_jax.convert.layouts.table import Rule, Table, apply_layout, skeleton, state_dict
from a3gan_jax.networks import ModelConfig, Networks

NAME = "a3gan"
DESCRIPTION = "a3gan.model"
FORMAT = 1


def is_a3gan(checkpoint: Any) -> bool:
    """Whether a file is of this layout."""
    return isinstance(checkpoint, Mapping) and DESCRIPTION in checkpoint


def to_state_dict(model: SavedModel) -> dict[str, np.ndarray]:
    """All tensors of a model under their names."""
    description = {"format": FORMAT, "step": int(model.step), "networks": model.config.to_dict()}
    tensors = {DESCRIPTION: np.frombuffer(json.dumps(description).encode(), np.uint8)}
    return tensors | state_dict(_table(model.config), model.variables)


def from_state_dict(checkpoint: Any) -> SavedModel:
    """The inverse of ``to_state_dict``; LayoutError says what does not fit."""
    if not is_a3gan(checkpoint):
        raise LayoutError(NAME, [f"{DESCRIPTION}: missing; it has the networks' configuration"])
    if problems := [f"{key}: no named tensor" for key, value in checkpoint.items() if not _is_tensor(key, value)]:
        raise LayoutError(NAME, problems)
    tensors = dict(checkpoint)
    try:
        description = json.loads(tensors.pop(DESCRIPTION).tobytes())
        if description["format"] != FORMAT:
            raise LayoutError(NAME, [f"{DESCRIPTION}: format {description['format']!r}, this version reads {FORMAT}"])
        config, step = ModelConfig.from_dict(description["networks"]), int(description["step"])
        if not all(isinstance(name, str) for name in config.attributes):
            raise TypeError("its attributes have no names")
        target = _target(config)
        table = _table(config)
    except LayoutError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        cause = " ".join(str(error).split())[:120]
        raise LayoutError(NAME, [f"{DESCRIPTION}: does not describe a model ({cause})"]) from error
    return SavedModel(config, apply_layout(table, tensors, target), step)


def _is_tensor(key: Any, value: Any) -> bool:
    return isinstance(key, str) and isinstance(value, np.ndarray)


def _target(config: ModelConfig) -> dict[str, Any]:
    networks, k, side = Networks.create(config), len(config.attributes), config.image_size
    image, attributes, z = (1, side, side, 3), (1, k), (1, config.z_dim)
    return {
        "generator": skeleton(networks.generator, (image, attributes, attributes, z, (1,))),
        "ainet": skeleton(networks.ainet, (attributes, attributes, z)),
        "discriminator": skeleton(networks.discriminator, (image,)),
    }


def _table(config: ModelConfig) -> Table:
    generator, ainet, discriminator = "generator/params", "ainet/params", "discriminator/params"

    def layer(name: str, path: str, permutation: str, bias: bool = True) -> tuple[Rule, ...]:
        kernel = Rule(f"{name}.weight", f"{path}/kernel", permutation)
        return (kernel, Rule(f"{name}.bias", f"{path}/bias")) if bias else (kernel,)

    def norms(name: str, path: str) -> tuple[Rule, ...]:
        return Rule(f"{name}.weight", f"{path}/scale"), Rule(f"{name}.bias", f"{path}/bias")

    def decoder_conv(number: int) -> tuple[Rule, ...]:
        """The first and the last keep the size; in between each doubles it."""
        permutation = "conv_transpose" if 1 <= number <= config.levels else "conv"
        return layer(f"generator.decoder.conv.{number}", f"{generator}/decoder/Conv_{number}", permutation)

    def unit(name: str, path: str) -> tuple[Rule, ...]:
        parts = ("gate", "replacement", "state")
        convs = (rule for part in parts for rule in layer(f"{name}.{part}", f"{path}/{part}", "conv"))
        return (Rule(f"{name}.prior", f"{path}/prior", "map"), *convs)

    def details_conv(number: int) -> tuple[Rule, ...]:
        """The third of a detail stage doubles its size."""
        permutation = "conv_transpose" if number == 2 else "conv"
        return layer(f"generator.details.{{}}.conv.{number}", f"{generator}/details_{{}}/Conv_{number}", permutation)

    rules = (
        *layer("generator.encoder.conv.{}", f"{generator}/encoder/Conv_{{}}", "conv"),
        *norms("generator.encoder.norm.{}", f"{generator}/encoder/GroupNorm_{{}}/GroupNorm_0"),
        *layer("generator.style.{}", f"{generator}/style_{{}}", "dense"),
        Rule("generator.constant", f"{generator}/constant", "map"),
        *layer("generator.pseudonym", f"{generator}/pseudonym", "dense", bias=False),
        *layer("generator.injection", f"{generator}/injection", "dense", bias=False),
        *unit("generator.suppression.{}", f"{generator}/suppression/unit_{{}}"),
        *(rule for number in range(config.levels + 2) for rule in decoder_conv(number)),
        *norms("generator.decoder.norm.{}", f"{generator}/decoder/GroupNorm_{{}}/GroupNorm_0"),
        *layer("generator.decoder.style.{}", f"{generator}/decoder/GroupNorm_{{}}/Dense_0", "dense", bias=False),
        *(rule for number in range(4) for rule in details_conv(number)),
        *unit("generator.details.{}.unit", f"{generator}/details_{{}}/unit"),
        *norms("generator.details.{}.norm", f"{generator}/details_{{}}/GroupNorm_0/GroupNorm_0"),
        *layer("generator.details.{}.style", f"{generator}/details_{{}}/GroupNorm_0/Dense_0", "dense", bias=False),
        *layer("ainet.{}", f"{ainet}/Dense_{{}}", "dense"),
        *layer("discriminator.conv.{}", f"{discriminator}/Conv_{{}}", "conv"),
        *layer("discriminator.hidden", f"{discriminator}/Dense_0", "dense"),
        *layer("discriminator.real", f"{discriminator}/real", "dense"),
        *layer("discriminator.local", f"{discriminator}/local", "conv"),
        *layer("discriminator.details.{}.conv.{}", f"{discriminator}/details_{{}}_{{}}", "conv"),
        *layer("discriminator.details.{}.local", f"{discriminator}/details_{{}}_local", "conv"),
        *layer("discriminator.attributes", f"{discriminator}/attributes", "dense"),
    )
    return Table(name=NAME, rules=rules, ignored=())
