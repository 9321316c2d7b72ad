"""The three networks of MTCNN (Zhang et al., arXiv 1604.02878), a face detector, as facenet-pytorch keeps them.

All take RGB images (value - 127.5) / 128 of 0 .. 255. They give, in this order as there, for each window:

  boxes (..., 4): what to add to the window's left, top, right and bottom, as fractions of its width and height;
  landmarks (..., 10), ONet only: five x, then five y, as fractions of its width and height, from its left top corner;
  probabilities (..., 2): of no face and of a face, which sum to one.
"""

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from a3gan_jax.models.sface import PReLU

PNET_MIN_SIZE = 11


class PNet(nn.Module):
    """Images (N, H, W, 3), H and W at least 11 -> (boxes (N, h, w, 4), probabilities (N, h, w, 2)).

    Place (i, j) of the output looks at the 12x12 window of the image that begins at (2i, 2j).
    """

    @nn.compact
    def __call__(self, images: Array) -> tuple[Array, Array]:
        if images.ndim != 4 or min(images.shape[1:3]) < PNET_MIN_SIZE or images.shape[3] != 3:
            takes = f"this network takes (N, H, W, 3) from {PNET_MIN_SIZE} pixels up"
            raise ValueError(f"images of shape {images.shape}: {takes}")
        x = ceil_max_pool(_conv_prelu(images, 10, 3, 1), 2)
        x = _conv_prelu(_conv_prelu(x, 16, 3, 2), 32, 3, 3)
        probabilities = nn.softmax(nn.Conv(2, (1, 1), name="conv4_1")(x))
        return nn.Conv(4, (1, 1), name="conv4_2")(x), probabilities


class RNet(nn.Module):
    """Windows (N, 24, 24, 3) -> (boxes (N, 4), probabilities (N, 2))."""

    @nn.compact
    def __call__(self, images: Array) -> tuple[Array, Array]:
        _check_size(images, 24)
        x = ceil_max_pool(_conv_prelu(images, 28, 3, 1), 3)
        x = ceil_max_pool(_conv_prelu(x, 48, 3, 2), 3)
        x = _flatten(_conv_prelu(x, 64, 2, 3))
        x = PReLU(name="prelu4")(nn.Dense(128, name="dense4")(x))
        probabilities = nn.softmax(nn.Dense(2, name="dense5_1")(x))
        return nn.Dense(4, name="dense5_2")(x), probabilities


class ONet(nn.Module):
    """Windows (N, 48, 48, 3) -> (boxes (N, 4), landmarks (N, 10), probabilities (N, 2))."""

    @nn.compact
    def __call__(self, images: Array) -> tuple[Array, Array, Array]:
        _check_size(images, 48)
        x = ceil_max_pool(_conv_prelu(images, 32, 3, 1), 3)
        x = ceil_max_pool(_conv_prelu(x, 64, 3, 2), 3)
        x = ceil_max_pool(_conv_prelu(x, 64, 3, 3), 2)
        x = _flatten(_conv_prelu(x, 128, 2, 4))
        x = PReLU(name="prelu5")(nn.Dense(256, name="dense5")(x))
        probabilities = nn.softmax(nn.Dense(2, name="dense6_1")(x))
        return nn.Dense(4, name="dense6_2")(x), nn.Dense(10, name="dense6_3")(x), probabilities


def ceil_max_pool(x: Array, window: int) -> Array:
    """Maxima of square windows at stride 2, the last of which may hang over: (N, H, W, C) -> (N, H', W', C).

    H' = ceil((H - window) / 2) + 1, PyTorch's ``ceil_mode``.
    """
    padding = tuple((0, (window - side) % 2) for side in x.shape[1:3])
    return nn.max_pool(x, (window, window), (2, 2), padding)


def _conv_prelu(x: Array, features: int, side: int, number: int) -> Array:
    x = nn.Conv(features, (side, side), padding="VALID", name=f"conv{number}")(x)
    return PReLU(name=f"prelu{number}")(x)


def _flatten(x: Array) -> Array:
    """(N, H, W, C) -> (N, W * H * C), column by column: the order of the dense layer's inputs in the file."""
    return jnp.swapaxes(x, 1, 2).reshape(x.shape[0], -1)


def _check_size(images: Array, size: int) -> None:
    if images.shape[1:] != (size, size, 3):
        raise ValueError(f"images of shape {images.shape}: this network takes (N, {size}, {size}, 3)")
