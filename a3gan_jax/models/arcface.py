"""IResNet, the backbone of ArcFace (Deng et al., arXiv 1801.07698), as InsightFace's arcface_torch trains it.

Evaluation mode only: each BatchNorm uses the statistics of the collection ``batch_stats`` and never changes them, and
dropout is off. For embedding, and for gradients with respect to images.
"""

import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from a3gan_jax.models.layers import DIMENSIONS, ConvForm, downsampling_conv
from a3gan_jax.models.sface import PReLU

#: Blocks in the four stages, by the depth in the network's name.
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
EPSILON = 1e-5


class IResNet(nn.Module):
    """ArcFace-aligned RGB faces (N, S, S, 3) in [-1, 1] -> embeddings (N, features), not normalised.

    Args:
      blocks: in each of the stages, see BLOCKS.
      width: channels of the first stage, doubled in each further one.
      features: width of the embedding.
      image_size: S, 112 in the public models; a multiple of 2 ** stages.
      conv: the form of the stride-2 convolutions; both use the same parameters.
    """

    blocks: tuple[int, ...] = BLOCKS[50]
    width: int = 64
    features: int = 512
    image_size: int = 112
    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, images: Array) -> Array:
        size = self.image_size
        if images.shape[1:] != (size, size, 3):
            raise ValueError(f"images of shape {images.shape}: this network takes (N, {size}, {size}, 3)")
        x = Conv3x3(self.width, name="conv1")(images)
        x = PReLU(name="prelu")(_norm("bn1")(x))
        for stage, blocks in enumerate(self.blocks):
            for block in range(blocks):
                features, stride = self.width * 2**stage, 1 if block else 2
                x = Block(features, stride, self.conv, name=f"layer{stage + 1}_{block}")(x)
        x = nn.DenseGeneral(self.features, axis=(-3, -2, -1), name="fc")(_norm("bn2")(x))
        return _norm("features")(x)


class Block(nn.Module):
    """BatchNorm, 3x3, BatchNorm, PReLU, 3x3 with the stride, BatchNorm, plus the input.

    (N, H, W, C) -> (N, H / stride, W / stride, features). At stride 2 the input comes by way of a 1x1 convolution.
    """

    features: int
    stride: int
    conv: ConvForm

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = Conv3x3(self.features, name="conv1")(_norm("bn1")(x))
        y = PReLU(name="prelu")(_norm("bn2")(y))
        y = _norm("bn3")(Conv3x3(self.features, self.stride, self.conv, name="conv2")(y))
        if self.stride == 1:
            return y + x
        x = nn.Conv(self.features, (1, 1), use_bias=False, name="downsample_conv")(x[:, ::2, ::2])
        return y + _norm("downsample_norm")(x)


class Conv3x3(nn.Module):
    """3x3 convolution, padding 1, no bias: (N, H, W, C) -> (N, H / stride, W / stride, features), H and W even."""

    features: int
    stride: int = 1
    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, x.shape[-1], self.features))
        if self.stride == 2 and self.conv == "matmul":
            # The 4x4 window at stride 2 sees one row and one column more at its end: nothing, behind a zero.
            return downsampling_conv(x, jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0))), self.conv)
        strides, padding = (self.stride, self.stride), ((1, 1), (1, 1))
        return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=DIMENSIONS)


def _norm(name: str) -> nn.BatchNorm:
    return nn.BatchNorm(use_running_average=True, epsilon=EPSILON, name=name)
