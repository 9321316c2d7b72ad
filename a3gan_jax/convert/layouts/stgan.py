"""Weights of github.com/bluestyle97/STGAN-pytorch: generator and discriminator."""

from collections.abc import Mapping
from typing import Any

from a3gan_jax.convert.layouts.shapes import Shape, ShapeReader
from a3gan_jax.convert.layouts.table import Facts, Layout, Rule, batch_norm, kernel_and_bias
from a3gan_jax.models.stgan import STGANDiscriminator, STGANGenerator

GATES = ("reset_gate", "update_gate", "hidden")


def generator_arguments(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """The image size is in no shape of the generator: it takes any multiple of 2 ** layers."""
    read = ShapeReader("stgan", shapes)
    layers = read.count("encoder.{}.0.weight")
    widths = [read(f"encoder.{i}.0.weight", 0, 4) for i in range(layers)]
    attributes = read("decoder.0.0.weight", 0, 4) - widths[-1]
    if attributes < 1:
        read.fail("decoder.0.0.weight: takes no more channels than the encoder gives, so no attributes")
    # What layer i + 1 takes beyond the output of layer i: the encoder's feature, or nothing.
    outputs = [read(f"decoder.{i}.0.weight", 1, 4) for i in range(layers - 1)]
    appended = [read(f"decoder.{i + 1}.0.weight", 0, 4) - outputs[i] for i in range(layers - 1)]
    features = widths[-2::-1]
    fits = [s for s in range(layers) if appended == features[:s] + [0] * (layers - 1 - s)]
    if len(fits) != 1:
        read.fail(f"decoder: no number of shortcut layers would append {appended} channels")
    use_stu = any(key.startswith("stu.") for key in shapes)
    arguments = dict(
        num_attributes=attributes,
        shortcut=fits[0],
        use_stu=use_stu,
        one_more_conv=any(key.startswith(f"decoder.{layers - 1}.3.") for key in shapes),
        width=widths[0],
        layers=layers,
    )
    return arguments | (dict(stu_kernel=read("stu.0.reset_gate.0.weight", 2, 4)) if use_stu else {})


def discriminator_arguments(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    read = ShapeReader("stgan_discriminator", shapes)
    layers = read.count("conv.{}.0.weight")
    return dict(
        num_attributes=read("fc_att.2.weight", 0, 2),
        image_size=read.image_size(f"conv.{layers - 1}.0.weight", "fc_adv.0.weight", layers),
        width=read("conv.0.0.weight", 0, 4),
        layers=layers,
        hidden=read("fc_adv.0.weight", 0, 2),
    )


def _facts(**of_one: Any) -> Facts:
    return Facts(value_range=(-1.0, 1.0), public="https://github.com/bluestyle97/STGAN-pytorch", licence=None, **of_one)


STGAN = Layout(
    name="stgan",
    network=STGANGenerator,
    rules=(
        Rule("encoder.{}.0.weight", "params/encoder_{}/conv/kernel", "conv"),
        *batch_norm("encoder.{}.1", "encoder_{}/norm"),
        Rule("stu.{}.upsample.weight", "params/stu_{}/upsample/kernel", "conv_transpose"),
        *(Rule(f"stu.{{}}.{gate}.0.weight", f"params/stu_{{}}/{gate}/conv/kernel", "conv") for gate in GATES),
        *(rule for gate in GATES for rule in batch_norm(f"stu.{{}}.{gate}.1", f"stu_{{}}/{gate}/norm")),
        Rule("decoder.{}.0.weight", "params/decoder_{}/conv/kernel", "conv_transpose"),
        *batch_norm("decoder.{}.1", "decoder_{}/norm"),
        Rule("decoder.{}.3.weight", "params/decoder_{}/output/kernel", "conv_transpose"),
    ),
    arguments=generator_arguments,
    inputs=lambda a: ((1, 2 ** a["layers"], 2 ** a["layers"], 3), (1, a["num_attributes"])),
    entry="G",
    facts=_facts(
        normalisation="x / 127.5 - 1; attributes target - source, each in {-1, 0, 1}",
        side=lambda a: None,
        sides="any multiple of 2 ** layers",
    ),
)

STGAN_DISCRIMINATOR = Layout(
    name="stgan_discriminator",
    network=STGANDiscriminator,
    rules=(
        *kernel_and_bias("conv.{}.0", "conv_{}", "conv"),
        *batch_norm("conv.{}.1", "norm_{}"),
        *kernel_and_bias("fc_adv.0", "adversarial/hidden", "flattened_dense"),
        *kernel_and_bias("fc_adv.2", "adversarial/output", "dense"),
        *kernel_and_bias("fc_att.0", "attributes/hidden", "flattened_dense"),
        *kernel_and_bias("fc_att.2", "attributes/output", "dense"),
    ),
    arguments=discriminator_arguments,
    inputs=lambda a: ((1, a["image_size"], a["image_size"], 3),),
    entry="D",
    facts=_facts(normalisation="x / 127.5 - 1", side=lambda a: a["image_size"]),
)
