"""EfficientNet-lite0 (Tan and Le, arXiv 1905.11946; the variant without squeeze-and-excitation and with ReLU6).

Features only, in evaluation mode. Padding is TensorFlow's SAME, as in the original.
"""

import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from a3gan_jax.models.layers import DIMENSIONS, ConvForm

SIZE = 224  # of the images that the public weights were trained on
#: Of each group of blocks: expansion, side of the depthwise kernel, stride of the first block, channels, repeats.
GROUPS = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
#: The groups after which a feature map is given, the last ones of their size: 1/2, 1/4, 1/8, 1/16 and 1/32.
STAGES = (0, 1, 2, 4, 6)
WIDTH = 1280


class EfficientNetLite0(nn.Module):
    """RGB images (N, H, W, 3) in [-1, 1], H and W multiples of 32 -> (feature maps of ``STAGES``, features (N, 1280)).

    The maps are (N, H/2, W/2, 16) to (N, H/32, W/32, 320); the features are the mean over all places of the last one
    after one more convolution: what the classifier of the original sees.

    ``conv``: the form of the depthwise convolutions, see ``depthwise_conv``; both use the same parameters.
    """

    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, images: Array) -> tuple[tuple[Array, ...], Array]:
        if images.ndim != 4 or images.shape[3] != 3 or any(side % 32 for side in images.shape[1:3]):
            raise ValueError(f"images of shape {images.shape}: this network takes (N, H, W, 3), sides multiples of 32")
        x = ConvNorm(32, 3, 2, name="stem")(images)
        maps, number = [], 0
        for group, (expansion, kernel, stride, features, repeats) in enumerate(GROUPS):
            for repeat in range(repeats):
                stride = stride if repeat == 0 else 1
                x = Block(expansion, kernel, stride, features, self.conv, name=f"block_{number}")(x)
                number += 1
            if group in STAGES:
                maps.append(x)
        return tuple(maps), ConvNorm(WIDTH, 1, name="head")(x).mean((1, 2))


class Block(nn.Module):
    """An inverted residual (arXiv 1801.04381): (N, H, W, C) -> (N, H / stride, W / stride, features)."""

    expansion: int
    kernel: int
    stride: int
    features: int
    conv: ConvForm

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = x
        if self.expansion > 1:
            y = ConvNorm(self.expansion * x.shape[-1], 1, name="expand")(y)
        y = Depthwise(self.kernel, self.stride, self.conv, name="depthwise")(y)
        y = ConvNorm(self.features, 1, relu=False, name="project")(y)
        return x + y if x.shape == y.shape else y


class ConvNorm(nn.Module):
    """Convolution without bias, BatchNorm, ReLU6: (N, H, W, C) -> (N, H / stride, W / stride, features)."""

    features: int
    kernel: int
    stride: int = 1
    relu: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        side, stride = (self.kernel, self.kernel), (self.stride, self.stride)
        x = _norm()(nn.Conv(self.features, side, stride, use_bias=False, name="conv")(x))
        return jnp.clip(x, 0, 6) if self.relu else x


class Depthwise(nn.Module):
    """Depthwise convolution without bias, BatchNorm, ReLU6: (N, H, W, C) -> (N, H / stride, W / stride, C)."""

    side: int
    stride: int
    conv: ConvForm

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (self.side, self.side, 1, x.shape[-1])
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        return jnp.clip(_norm()(depthwise_conv(x, kernel, self.stride, self.conv)), 0, 6)


def depthwise_conv(x: Array, kernel: Array, stride: int, form: ConvForm) -> Array:
    """A depthwise convolution, SAME: (N, H, W, C) by (k, k, 1, C) -> (N, H / stride, W / stride, C).

    ``stride`` divides H and W. ``lax`` is XLA's grouped convolution; ``matmul`` (so named for the switch that all
    networks share) is k * k shifted multiply-adds, with which the whole network is seven times faster on a CPU.
    """
    if form == "lax":
        groups = x.shape[-1]
        return lax.conv_general_dilated(
            x, kernel, (stride, stride), "SAME", dimension_numbers=DIMENSIONS, feature_group_count=groups
        )
    side, (height, width) = kernel.shape[0], x.shape[1:3]
    before, after = (side - stride) // 2, side - stride - (side - stride) // 2
    x = jnp.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
    return sum(
        x[:, i : i + height - stride + 1 : stride, j : j + width - stride + 1 : stride] * kernel[i, j, 0]
        for i in range(side)
        for j in range(side)
    )


def _norm() -> nn.BatchNorm:
    return nn.BatchNorm(use_running_average=True, epsilon=1e-3, name="norm")
