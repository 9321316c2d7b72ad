"""YuNet (Wu et al., Machine Intelligence Research 2023) as a function with a gradient: where a face's five points lie.

``faces.detector`` finds faces in photos with the same weights on onnxruntime. The network is for gradients with respect
to images; it has no training mode.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from a3gan_jax.models.layers import DIMENSIONS, ConvForm
from a3gan_jax.models.sface import Depthwise

STEM = 16
#: Channels of the units of each stage; every stage but the second is followed by one of half its resolution.
STAGES = ((16,), (16, 32), (32, 64), (64, 64), (64, 64), (64, 64))
WIDTH = 64  # of the features from which faces are read
STRIDES = (8, 16, 32)
HEADS = {"cls": 1, "obj": 1, "kps": 10}  # the one that reads boxes is left out


class Sights(NamedTuple):
    """What the A cells of all grids see, each for itself.

    scores: (N, A) in [0, 1], how surely a cell sees a face.
    points: (N, A, 5, 2), (x, y) of its five points in pixels of the image, as ``faces.detector`` counts them.
    """

    scores: Array
    points: Array


class YuNet(nn.Module):
    """RGB images (N, H, W, 3) in [-1, 1], H and W multiples of 32 -> ``Sights``.

    ``conv``: the form of the depthwise convolutions, see ``sface.depthwise_conv``.
    """

    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, images: Array) -> Sights:
        x = (images[..., ::-1] + 1.0) * 127.5  # the original takes BGR, 0 .. 255
        kernel = self.param("stem_kernel", nn.initializers.lecun_normal(), (3, 3, 3, STEM))
        bias = self.param("stem_bias", nn.initializers.zeros, (STEM,))
        ones = ((1, 1), (1, 1))
        x = nn.relu(lax.conv_general_dilated(x, kernel, (2, 2), ones, dimension_numbers=DIMENSIONS) + bias)
        levels = []
        for stage, units in enumerate(STAGES):
            for number, features in enumerate(units):
                x = nn.relu(_Separable(features, self.conv, name=f"stage_{stage}_{number}")(x))
            levels.append(x)
            if stage != 1 and stage + 1 < len(STAGES):
                x = _max_pool(x)
        levels = levels[-len(STRIDES) :]
        for level in reversed(range(len(STRIDES))):
            if level + 1 < len(STRIDES):
                levels[level] += _doubled(levels[level + 1])
            levels[level] = nn.relu(_Separable(WIDTH, self.conv, name=f"lateral_{level}")(levels[level]))
        sights = [self._read(level, x) for level, x in enumerate(levels)]
        return Sights(*(jnp.concatenate(part, axis=1) for part in zip(*sights, strict=True)))

    def _read(self, level: int, x: Array) -> tuple[Array, Array]:
        """Scores (N, A) and points (N, A, 5, 2) of one grid."""
        n, h, w, _ = x.shape
        read = {
            name: _Separable(width, self.conv, name=f"{name}_{level}")(x).reshape(n, h * w, width)
            for name, width in HEADS.items()
        }
        # The geometric mean of two probabilities, with a gradient where they round to 0.
        scores = jnp.exp(0.5 * (jax.nn.log_sigmoid(read["cls"]) + jax.nn.log_sigmoid(read["obj"])))[..., 0]
        row, column = jnp.divmod(jnp.arange(h * w), w)
        cells = jnp.stack([column, row], axis=-1)[:, None]
        return scores, (read["kps"].reshape(n, h * w, 5, 2) + cells) * STRIDES[level]


class _Separable(nn.Module):
    """1x1 and 3x3 depthwise convolution, (N, H, W, C) -> (N, H, W, features)."""

    features: int
    conv: ConvForm

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.Dense(self.features, name="pointwise")(x)
        return Depthwise(1, self.conv, name="depthwise")(x)


def _max_pool(x: Array) -> Array:
    """The larger of 2x2: (N, H, W, C) -> (N, H / 2, W / 2, C).

    By comparing pairs: the gradient of ``max`` compares the largest value with values that a compiler may compute
    anew, rounded otherwise; where none is equal it divides by zero.
    """
    for axis in (1, 2):
        n, h, w, c = x.shape
        pairs = x.reshape(n, h // 2, 2, w, c) if axis == 1 else x.reshape(n, h, w // 2, 2, c)
        one, other = jnp.moveaxis(pairs, axis + 1, 0)
        x = jnp.where(one > other, one, other)
    return x


def _doubled(x: Array) -> Array:
    """Each pixel four times: (N, H, W, C) -> (N, 2 H, 2 W, C)."""
    return x.repeat(2, axis=1).repeat(2, axis=2)
