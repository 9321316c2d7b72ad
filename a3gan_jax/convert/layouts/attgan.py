"""Weights of github.com/elvisyjlin/AttGAN-PyTorch: generator and discriminator, 128 and 384 px."""

from collections.abc import Mapping
from typing import Any

from a3gan_jax.convert.layouts.shapes import Shape, ShapeReader
from a3gan_jax.convert.layouts.table import Facts, Layout, Rule, batch_norm, kernel_and_bias
from a3gan_jax.models.attgan import AttGANDiscriminator, AttGANGenerator


def generator_arguments(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """The image size is in no shape of the generator: it takes any multiple of 2 ** layers."""
    read = ShapeReader("attgan", shapes)
    layers = read.count("enc_layers.{}.layers.0.weight")
    widths = [read(f"enc_layers.{i}.layers.0.weight", 0, 4) for i in range(layers)]
    attributes = read("dec_layers.0.layers.0.weight", 0, 4) - widths[-1]
    if attributes < 1:
        read.fail("dec_layers.0.layers.0.weight: takes no more channels than the encoder gives, so no attributes")
    # What layer i + 1 takes beyond the output of layer i: the encoder's feature, the attributes, both, or neither.
    outputs = [read(f"dec_layers.{i}.layers.0.weight", 1, 4) for i in range(layers - 1)]
    appended = [read(f"dec_layers.{i + 1}.layers.0.weight", 0, 4) - outputs[i] for i in range(layers - 1)]

    def gives(shortcut: int, inject: int) -> bool:
        wanted = [widths[-2 - i] * (i < shortcut) + attributes * (i < inject) for i in range(layers - 1)]
        return wanted == appended

    fits = [(s, i) for s in range(layers) for i in range(layers) if gives(s, i)]
    if len(fits) != 1:
        number = "several numbers" if fits else "no number"
        read.fail(f"dec_layers: {number} of shortcut and inject layers would append {appended} channels")
    (shortcut, inject), width = fits[0], widths[0]
    return dict(num_attributes=attributes, shortcut=shortcut, inject=inject, width=width, layers=layers)


def discriminator_arguments(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    read = ShapeReader("attgan_discriminator", shapes)
    layers = read.count("conv.{}.layers.0.weight")
    return dict(
        num_attributes=read("fc_cls.1.layers.0.weight", 0, 2),
        image_size=read.image_size(f"conv.{layers - 1}.layers.0.weight", "fc_adv.0.layers.0.weight", layers),
        width=read("conv.0.layers.0.weight", 0, 4),
        layers=layers,
        hidden=read("fc_adv.0.layers.0.weight", 0, 2),
    )


def _facts(**of_one: Any) -> Facts:
    return Facts(value_range=(-1.0, 1.0), public="https://github.com/elvisyjlin/AttGAN-PyTorch", licence=None, **of_one)


ATTGAN = Layout(
    name="attgan",
    network=AttGANGenerator,
    rules=(
        Rule("enc_layers.{}.layers.0.weight", "params/encoder_{}/conv/kernel", "conv"),
        *batch_norm("enc_layers.{}.layers.1", "encoder_{}/norm"),
        *kernel_and_bias("dec_layers.{}.layers.0", "decoder_{}/conv", "conv_transpose"),
        *batch_norm("dec_layers.{}.layers.1", "decoder_{}/norm"),
    ),
    arguments=generator_arguments,
    inputs=lambda a: ((1, 2 ** a["layers"], 2 ** a["layers"], 3), (1, a["num_attributes"])),
    entry="G",
    facts=_facts(
        normalisation="x / 127.5 - 1; attributes +0.5 wanted, -0.5 not (the public scripts)",
        side=lambda a: None,
        sides="any multiple of 2 ** layers",
    ),
)

ATTGAN_DISCRIMINATOR = Layout(
    name="attgan_discriminator",
    network=AttGANDiscriminator,
    rules=(
        Rule("conv.{}.layers.0.weight", "params/conv_{}/kernel", "conv"),
        Rule("conv.{}.layers.1.weight", "params/norm_{}/scale"),
        Rule("conv.{}.layers.1.bias", "params/norm_{}/bias"),
        *kernel_and_bias("fc_adv.0.layers.0", "adversarial/hidden", "flattened_dense"),
        *kernel_and_bias("fc_adv.1.layers.0", "adversarial/output", "dense"),
        *kernel_and_bias("fc_cls.0.layers.0", "attributes/hidden", "flattened_dense"),
        *kernel_and_bias("fc_cls.1.layers.0", "attributes/output", "dense"),
    ),
    arguments=discriminator_arguments,
    inputs=lambda a: ((1, a["image_size"], a["image_size"], 3),),
    entry="D",
    facts=_facts(normalisation="x / 127.5 - 1", side=lambda a: a["image_size"]),
)
