"""SFace (Zhong et al., arXiv 2205.12010): the face recogniser of OpenCV's model zoo, a MobileNet v1 with PReLUs.

Every BatchNorm follows a convolution or the dense layer, so that all of them are folded into weights at load. The
network is for embedding and for gradients with respect to images; it has no training mode.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from a3gan_jax.models.layers import DIMENSIONS, ConvForm

#: Channels and stride of the depthwise separable blocks conv_2 .. conv_14.
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
STEM = 32
SIZE = 112
WIDTH = 128


class SFace(nn.Module):
    """ArcFace-aligned RGB faces (N, 112, 112, 3) in [-1, 1] -> embeddings (N, 128), not normalised.

    ``conv``: the form of the depthwise convolutions, see ``depthwise_conv``; both use the same parameters.
    """

    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, images: Array) -> Array:
        x = images * (127.5 / 128.0)  # the original reads 0 .. 255 and takes (value - 127.5) / 128
        x = PReLU(name="stem_prelu")(_Stem(STEM, name="stem")(x))
        for number, (features, stride) in enumerate(BLOCKS, start=2):
            x = Depthwise(stride, self.conv, name=f"depthwise_{number}")(x)
            x = PReLU(name=f"depthwise_{number}_prelu")(x)
            x = nn.Dense(features, name=f"pointwise_{number}")(x)  # a 1x1 convolution is a matrix product
            x = PReLU(name=f"pointwise_{number}_prelu")(x)
        return nn.Dense(WIDTH, name="embedding")(x.reshape(x.shape[0], -1))


class PReLU(nn.Module):
    """``max(x, 0) + slope * min(x, 0)`` with one slope a channel (arXiv 1502.01852)."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        slope = self.param("slope", nn.initializers.constant(0.25), (x.shape[-1],))
        return jnp.where(x > 0, x, x * slope)


class _Stem(nn.Module):
    """The one full 3x3 convolution, (N, H, W, 3) -> (N, H, W, features): nine shifted copies and a matrix product."""

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=DIMENSIONS) + bias


class Depthwise(nn.Module):
    """3x3 depthwise convolution with bias, (N, H, W, C) -> (N, H / stride, W / stride, C)."""

    stride: int
    conv: ConvForm

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, 1, x.shape[-1]))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        return depthwise_conv(x, kernel, self.stride, self.conv) + bias


def depthwise_conv(x: Array, kernel: Array, stride: int, form: ConvForm) -> Array:
    """3x3 depthwise convolution, padding 1: (N, H, W, C) by (3, 3, 1, C) -> (N, H / stride, W / stride, C).

    ``stride`` is 1, or 2 with even H and W. ``lax`` is XLA's grouped convolution. On a CPU that one is slow, and its
    gradient slower still; ``matmul`` (so named for the switch that the whole model shares) is nine shifted
    multiply-adds with a gradient written by hand, which autodiff would make of nine padded copies.
    """
    if form == "lax":
        return lax.conv_general_dilated(
            x, kernel, (stride, stride), ((1, 1), (1, 1)), dimension_numbers=DIMENSIONS, feature_group_count=x.shape[-1]
        )
    return {1: _shifted_conv, 2: _strided_conv}[stride](x, kernel)


def _windows(x: Array) -> list[list[Array]]:
    """The nine shifts of (N, H, W, C) that a padded 3x3 window sees, as [row][column]."""
    h, w = x.shape[1:3]
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return [[x[:, i : i + h, j : j + w] for j in range(3)] for i in range(3)]


def _weighted_sum(windows: list[list[Array]], kernel: Array) -> Array:
    return sum(windows[i][j] * kernel[i, j, 0] for i in range(3) for j in range(3))


def _kernel_gradient(windows: list[list[Array]], gradient: Array) -> Array:
    """The compiler drops this where nobody asks for it."""
    return jnp.stack([jnp.stack([(window * gradient).sum((0, 1, 2)) for window in row]) for row in windows])[:, :, None]


@jax.custom_vjp
def _shifted_conv(x: Array, kernel: Array) -> Array:
    return _weighted_sum(_windows(x), kernel)


def _shifted_conv_backward(residuals: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    # The gradient of a convolution is the convolution with the kernel turned by half a circle.
    return _weighted_sum(_windows(gradient), kernel[::-1, ::-1]), _kernel_gradient(_windows(x), gradient)


_shifted_conv.defvjp(lambda x, kernel: (_shifted_conv(x, kernel), (x, kernel)), _shifted_conv_backward)

# Stride 2, along one axis: out[o] = x[2o - 1] k[0] + x[2o] k[1] + x[2o + 1] k[2]. With x cut into even and odd entries
# that is odd[o - 1] k[0] + even[o] k[1] + odd[o] k[2]: for each kernel index, the phase and whether it is shifted.
_TAPS = ((1, True), (0, False), (1, False))


def _strided_windows(x: Array) -> list[list[Array]]:
    """The nine inputs (N, H/2, W/2, C) of a padded 3x3 window at stride 2, as [row][column]."""
    n, h, w, c = x.shape
    phases = x.reshape(n, h // 2, 2, w // 2, 2, c)

    def window(row: tuple[int, bool], column: tuple[int, bool]) -> Array:
        phase = phases[:, :, row[0], :, column[0]]
        return jnp.pad(phase, ((0, 0), (row[1], 0), (column[1], 0), (0, 0)))[:, : h // 2, : w // 2]

    return [[window(row, column) for column in _TAPS] for row in _TAPS]


@jax.custom_vjp
def _strided_conv(x: Array, kernel: Array) -> Array:
    return _weighted_sum(_strided_windows(x), kernel)


def _strided_conv_backward(residuals: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = residuals
    n, h, w, c = gradient.shape

    def phase(row: int, column: int) -> Array:
        """What the inputs at these two parities receive: each of their taps, shifted back."""
        taps = [(i, j) for i in range(3) for j in range(3) if (_TAPS[i][0], _TAPS[j][0]) == (row, column)]
        return sum(_shift_back(gradient, _TAPS[i][1], _TAPS[j][1]) * kernel[i, j, 0] for i, j in taps)

    rows = [jnp.stack([phase(row, 0), phase(row, 1)], axis=3) for row in (0, 1)]
    return jnp.stack(rows, axis=2).reshape(n, 2 * h, 2 * w, c), _kernel_gradient(_strided_windows(x), gradient)


def _shift_back(x: Array, rows: bool, columns: bool) -> Array:
    return jnp.pad(x, ((0, 0), (0, rows), (0, columns), (0, 0)))[:, rows:, columns:]


_strided_conv.defvjp(lambda x, kernel: (_strided_conv(x, kernel), (x, kernel)), _strided_conv_backward)
