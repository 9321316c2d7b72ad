"""STGAN (Liu et al., arXiv 1904.09709) as the public PyTorch code trained it, for converted weights.

Evaluation mode only: each norm uses the statistics of the collection ``batch_stats`` and never changes them. That
goes for the discriminator's InstanceNorm too, which keeps running statistics in that code and so, in evaluation,
scales every image alike.
"""

import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from a3gan_jax.models.attgan import (
    DownBlock,
    DownConv,
    Head,
    ToImage,
    UpBlock,
    UpConv,
    append_vector,
    check_size,
    frozen_batch_norm,
)
from a3gan_jax.models.layers import DIMENSIONS, ConvForm, leaky_relu

SLOPE = 0.2  # of every LeakyReLU


class STGANGenerator(nn.Module):
    """Images and the wanted change of their attributes -> edited images.

    Args:
      num_attributes: K.
      shortcut: at how many decoder layers the encoder's feature of the same size is appended, 0 .. layers - 1.
      use_stu: send these features through selective transfer units (else: append them as they are).
      one_more_conv: whether the last decoder layer has a second convolution.
      width: channels of the outermost layer, doubled inwards; a multiple of 4 with one_more_conv.
      layers: of the encoder, and of the decoder.
      stu_kernel: side of the units' convolutions, odd.
      conv: the form of the stride-2 convolutions; both use the same parameters.
    """

    num_attributes: int = 10
    shortcut: int = 3
    use_stu: bool = True
    one_more_conv: bool = True
    width: int = 64
    layers: int = 5
    stu_kernel: int = 3
    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, images: Array, difference: Array) -> Array:
        """(N, H, W, 3) RGB in [-1, 1], H and W multiples of 2 ** layers, and (N, K) -> (N, H, W, 3) in [-1, 1].

        ``difference``: wanted attributes minus those that the image has, each -1, 0 or 1.
        """
        if not 0 <= self.shortcut < self.layers:
            raise ValueError(f"shortcut {self.shortcut} must be from 0 to {self.layers - 1}")
        if difference.shape[-1] != self.num_attributes:
            raise ValueError(f"{difference.shape[-1]} attributes given, this generator takes {self.num_attributes}")
        features = [images]
        for i in range(self.layers):
            features.append(DownBlock(self.width * 2**i, self.conv, SLOPE, name=f"encoder_{i}")(features[-1]))
        state = features[-1]
        x = append_vector(state, difference)
        for i in range(self.layers):
            if 1 <= i <= self.shortcut:
                feature = features[-1 - i]
                if self.use_stu:
                    unit = SelectiveTransferUnit(feature.shape[-1], self.stu_kernel, self.conv, name=f"stu_{i - 1}")
                    feature, state = unit(feature, state, difference)
                x = jnp.concatenate([x, feature], axis=-1)
            if i < self.layers - 1:
                x = UpBlock(self.width * 2 ** (self.layers - 1 - i), self.conv, name=f"decoder_{i}")(x)
        if self.one_more_conv:
            return ToImageInTwo(self.width // 4, self.conv, name=f"decoder_{self.layers - 1}")(x)
        return ToImage(self.conv, use_bias=False, name=f"decoder_{self.layers - 1}")(x)


class STGANDiscriminator(nn.Module):
    """Images (N, S, S, 3) in [-1, 1] -> (realness (N, 1), attribute logits (N, K)).

    Args:
      num_attributes: K.
      image_size: S, a multiple of 2 ** layers.
      width: channels of the first layer, doubled in each further one.
      layers: of the convolutional trunk.
      hidden: width of the dense layer in each head.
      conv: the form of the convolutions; both use the same parameters.
    """

    num_attributes: int = 10
    image_size: int = 128
    width: int = 64
    layers: int = 5
    hidden: int = 1024
    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, images: Array) -> tuple[Array, Array]:
        check_size(images, self.image_size)
        x = images
        for i in range(self.layers):
            x = DownConv(self.width * 2**i, self.conv, use_bias=True, name=f"conv_{i}")(x)
            x = leaky_relu(frozen_batch_norm(f"norm_{i}")(x))
        realness = Head(1, self.hidden, SLOPE, name="adversarial")(x)
        return realness, Head(self.num_attributes, self.hidden, SLOPE, name="attributes")(x)


class SelectiveTransferUnit(nn.Module):
    """What of an encoder feature the decoder gets, given the change and the deeper unit's state (section 3.2).

    feature (N, H, W, C), state (N, H/2, W/2, 2C), difference (N, K) -> output and next state, both (N, H, W, C).
    """

    features: int
    kernel: int
    conv: ConvForm

    @nn.compact
    def __call__(self, feature: Array, state: Array, difference: Array) -> tuple[Array, Array]:
        upsampled = UpConv(self.features, self.conv, name="upsample")(append_vector(state, difference))
        both = jnp.concatenate([feature, upsampled], axis=-1)
        reset = nn.sigmoid(_Gate(self.features, self.kernel, name="reset_gate")(both))
        update = nn.sigmoid(_Gate(self.features, self.kernel, name="update_gate")(both))
        state = reset * upsampled
        selected = jnp.concatenate([feature, state], axis=-1)
        hidden = jnp.tanh(_Gate(self.features, self.kernel, name="hidden")(selected))
        return (1 - update) * upsampled + update * hidden, state


class ToImageInTwo(nn.Module):
    """Transposed 4x4, BatchNorm, ReLU, transposed 3x3 at stride 1, tanh: (N, H, W, C) -> (N, 2H, 2W, 3) in [-1, 1]."""

    features: int
    conv: ConvForm

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.relu(frozen_batch_norm("norm")(UpConv(self.features, self.conv, name="conv")(x)))
        return jnp.tanh(_Transposed3x3(name="output")(x))


class _Transposed3x3(nn.Module):
    """Transposed 3x3 convolution to 3 channels, stride 1, padding 1: a convolution with the kernel turned by half."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, x.shape[-1], 3))
        return lax.conv_general_dilated(x, kernel[::-1, ::-1], (1, 1), "SAME", dimension_numbers=DIMENSIONS)


class _Gate(nn.Module):
    """Convolution without bias, BatchNorm: (N, H, W, C) -> (N, H, W, features)."""

    features: int
    kernel: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        side = (self.kernel, self.kernel)
        return frozen_batch_norm("norm")(nn.Conv(self.features, side, use_bias=False, name="conv")(x))
