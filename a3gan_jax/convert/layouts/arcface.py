"""Weights of InsightFace's arcface_torch backbones: IResNet-18, 34, 50, 100 and any other number of blocks."""

from collections.abc import Mapping
from typing import Any

from a3gan_jax.convert.layouts.shapes import Shape, ShapeReader
from a3gan_jax.convert.layouts.table import Facts, Layout, Rule, batch_norm, kernel_and_bias
from a3gan_jax.models.arcface import IResNet

STAGES = 4


def arguments(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    read = ShapeReader("arcface", shapes)
    blocks = tuple(read.count(f"layer{stage + 1}.{{}}.conv1.weight") for stage in range(STAGES))
    return dict(
        blocks=blocks,
        width=read("conv1.weight", 0, 4),
        features=read("fc.weight", 0, 2),
        image_size=read.image_size(f"layer{STAGES}.0.conv2.weight", "fc.weight", STAGES),
    )


ARCFACE = Layout(
    name="arcface",
    network=IResNet,
    rules=(
        Rule("conv1.weight", "params/conv1/kernel", "conv"),
        *batch_norm("bn1", "bn1"),
        Rule("prelu.weight", "params/prelu/slope"),
        *batch_norm("layer{}.{}.bn1", "layer{}_{}/bn1"),
        Rule("layer{}.{}.conv1.weight", "params/layer{}_{}/conv1/kernel", "conv"),
        *batch_norm("layer{}.{}.bn2", "layer{}_{}/bn2"),
        Rule("layer{}.{}.prelu.weight", "params/layer{}_{}/prelu/slope"),
        Rule("layer{}.{}.conv2.weight", "params/layer{}_{}/conv2/kernel", "conv"),
        *batch_norm("layer{}.{}.bn3", "layer{}_{}/bn3"),
        Rule("layer{}.{}.downsample.0.weight", "params/layer{}_{}/downsample_conv/kernel", "conv"),
        *batch_norm("layer{}.{}.downsample.1", "layer{}_{}/downsample_norm"),
        *batch_norm("bn2", "bn2"),
        *kernel_and_bias("fc", "fc", "flattened_dense"),
        *batch_norm("features", "features"),
    ),
    arguments=arguments,
    entry="state_dict_backbone",
    facts=Facts(
        value_range=(-1.0, 1.0),
        normalisation="(x / 255 - 0.5) / 0.5; faces aligned to the ArcFace template",
        side=lambda a: a["image_size"],
        public="https://github.com/deepinsight/insightface/tree/master/recognition/arcface_torch#model-zoo",
        licence="the models are available for non-commercial research purposes only",
    ),
    inputs=lambda a: ((1, a["image_size"], a["image_size"], 3),),
)
