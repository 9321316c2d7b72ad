"""Weights of facenet-pytorch's InceptionResnetV1, with and without the classifier."""

from collections.abc import Mapping
from typing import Any

from a3gan_jax.convert.layouts.shapes import Shape, ShapeReader
from a3gan_jax.convert.layouts.table import Facts, Layout, Rule, batch_norm, kernel_and_bias
from a3gan_jax.models.facenet import SIZE, InceptionResnetV1


def arguments(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    read = ShapeReader("facenet", shapes)
    return dict(
        num_classes=read("logits.weight", 0, 2) if {"logits.weight", "logits.bias"} & shapes.keys() else None,
        repeats=tuple(read.count(f"repeat_{group}.{{}}.conv2d.weight") for group in (1, 2, 3)),
    )


def conv_norm(source: str, target: str) -> tuple[Rule, ...]:
    """The rules of a convolution without bias and the BatchNorm behind it."""
    kernel = Rule(f"{source}.conv.weight", f"params/{target}/conv/kernel", "conv")
    return kernel, *batch_norm(f"{source}.bn", f"{target}/bn")


FACENET = Layout(
    name="facenet",
    network=InceptionResnetV1,
    rules=(
        *conv_norm("conv2d_{}a", "conv2d_{}a"),
        *conv_norm("conv2d_{}b", "conv2d_{}b"),
        *conv_norm("repeat_{}.{}.branch0", "repeat_{}_{}/branch0"),
        *conv_norm("repeat_{}.{}.branch{}.{}", "repeat_{}_{}/branch{}_{}"),
        *kernel_and_bias("repeat_{}.{}.conv2d", "repeat_{}_{}/conv2d", "conv"),
        *conv_norm("mixed_6a.branch0", "mixed_6a/branch0"),
        *conv_norm("mixed_{}a.branch{}.{}", "mixed_{}a/branch{}_{}"),
        *conv_norm("block8.branch0", "block8/branch0"),
        *conv_norm("block8.branch{}.{}", "block8/branch{}_{}"),
        *kernel_and_bias("block8.conv2d", "block8/conv2d", "conv"),
        Rule("last_linear.weight", "params/last_linear/kernel", "dense"),
        *batch_norm("last_bn", "last_bn"),
        *kernel_and_bias("logits", "logits", "dense"),
    ),
    arguments=arguments,
    inputs=lambda a: ((1, SIZE, SIZE, 3),),
    facts=Facts(
        value_range=(-127.5 / 128, 127.5 / 128),
        normalisation="(x - 127.5) / 128",
        side=lambda a: SIZE,
        public="https://github.com/timesler/facenet-pytorch#pretrained-models",
        licence="MIT, as the whole project; trained on VGGFace2 or CASIA-WebFace, which have terms of their own",
    ),
)
