"""AttGAN (He et al., arXiv 1711.10678) as the public PyTorch code trained it, for converted weights.

Evaluation mode only: each BatchNorm uses the statistics of the collection ``batch_stats`` and never changes them.
"""

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from a3gan_jax.models.layers import ConvForm, downsampling_conv, upsampling_conv

MAX_WIDTH = 1024
EPSILON = 1e-5  # of every norm, PyTorch's default
SLOPE = 0.01  # of every LeakyReLU, PyTorch's default


class AttGANGenerator(nn.Module):
    """Images and attributes -> edited images.

    Args:
      num_attributes: K, 13 in the public models.
      shortcut: after how many decoder layers the encoder's feature of the same size is appended, 0 .. layers - 1.
      inject: after how many decoder layers the attributes are appended again, 0 .. layers - 1.
      width: channels of the outermost layer, doubled inwards up to 1024.
      layers: of the encoder, and of the decoder.
      conv: the form of the convolutions; both use the same parameters.
    """

    num_attributes: int = 13
    shortcut: int = 1
    inject: int = 0
    width: int = 64
    layers: int = 5
    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, images: Array, attributes: Array) -> Array:
        """(N, H, W, 3) RGB in [-1, 1], H and W multiples of 2 ** layers, and (N, K) -> (N, H, W, 3) in [-1, 1].

        The public scripts give an attribute as +0.5 where it is wanted and -0.5 where it is not.
        """
        if not (0 <= self.shortcut < self.layers and 0 <= self.inject < self.layers):
            raise ValueError(f"shortcut {self.shortcut} and inject {self.inject} must be from 0 to {self.layers - 1}")
        if attributes.shape[-1] != self.num_attributes:
            raise ValueError(f"{attributes.shape[-1]} attributes given, this generator takes {self.num_attributes}")
        features = []
        x = images
        for i in range(self.layers):
            x = DownBlock(min(self.width * 2**i, MAX_WIDTH), self.conv, name=f"encoder_{i}")(x)
            features.append(x)
        x = append_vector(x, attributes)
        for i in range(self.layers - 1):
            x = UpBlock(min(self.width * 2 ** (self.layers - 1 - i), MAX_WIDTH), self.conv, name=f"decoder_{i}")(x)
            if i < self.shortcut:
                x = jnp.concatenate([x, features[-2 - i]], axis=-1)
            if i < self.inject:
                x = append_vector(x, attributes)
        return ToImage(self.conv, name=f"decoder_{self.layers - 1}")(x)


class AttGANDiscriminator(nn.Module):
    """Images (N, S, S, 3) in [-1, 1] -> (realness (N, 1), attribute logits (N, K)).

    Args:
      num_attributes: K.
      image_size: S, a multiple of 2 ** layers.
      width: channels of the first layer, doubled up to 1024.
      layers: of the convolutional trunk.
      hidden: width of the dense layer in each head.
      conv: the form of the convolutions; both use the same parameters.
    """

    num_attributes: int = 13
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
            x = DownConv(min(self.width * 2**i, MAX_WIDTH), self.conv, name=f"conv_{i}")(x)
            # Each image's own mean and variance; the difference of two squares would lose digits of the variance.
            x = nn.InstanceNorm(epsilon=EPSILON, use_fast_variance=False, name=f"norm_{i}")(x)
            x = nn.leaky_relu(x, SLOPE)
        realness = Head(1, self.hidden, SLOPE, name="adversarial")(x)
        return realness, Head(self.num_attributes, self.hidden, SLOPE, name="attributes")(x)


def check_size(images: Array, size: int) -> None:
    """ValueError where images are not (N, size, size, 3)."""
    if images.shape[1:] != (size, size, 3):
        raise ValueError(f"images of shape {images.shape}: this network takes (N, {size}, {size}, 3)")


def append_vector(x: Array, vector: Array) -> Array:
    """(N, H, W, C) and (N, K) -> (N, H, W, C + K), the vector at every place."""
    n, h, w, _ = x.shape
    return jnp.concatenate([x, jnp.broadcast_to(vector[:, None, None, :], (n, h, w, vector.shape[-1]))], axis=-1)


def frozen_batch_norm(name: str | None = None) -> nn.BatchNorm:
    """BatchNorm in evaluation mode, with PyTorch's epsilon: params scale and bias, batch_stats mean and var."""
    return nn.BatchNorm(use_running_average=True, epsilon=EPSILON, name=name)


class DownConv(nn.Module):
    """4x4 convolution, stride 2: (N, H, W, C) -> (N, H/2, W/2, features)."""

    features: int
    conv: ConvForm
    use_bias: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (4, 4, x.shape[-1], self.features))
        y = downsampling_conv(x, kernel, self.conv)
        return y + self.param("bias", nn.initializers.zeros, (self.features,)) if self.use_bias else y


class UpConv(nn.Module):
    """Transposed 4x4 convolution, stride 2: (N, H, W, C) -> (N, 2H, 2W, features)."""

    features: int
    conv: ConvForm
    use_bias: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (4, 4, x.shape[-1], self.features))
        y = upsampling_conv(x, kernel, self.conv)
        return y + self.param("bias", nn.initializers.zeros, (self.features,)) if self.use_bias else y


class DownBlock(nn.Module):
    """Convolution, BatchNorm, LeakyReLU: (N, H, W, C) -> (N, H/2, W/2, features)."""

    features: int
    conv: ConvForm
    slope: float = SLOPE

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return nn.leaky_relu(frozen_batch_norm("norm")(DownConv(self.features, self.conv, name="conv")(x)), self.slope)


class UpBlock(nn.Module):
    """Transposed convolution, BatchNorm, ReLU: (N, H, W, C) -> (N, 2H, 2W, features)."""

    features: int
    conv: ConvForm

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return nn.relu(frozen_batch_norm("norm")(UpConv(self.features, self.conv, name="conv")(x)))


class ToImage(nn.Module):
    """Transposed convolution, tanh: (N, H, W, C) -> (N, 2H, 2W, 3) in [-1, 1]."""

    conv: ConvForm
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return jnp.tanh(UpConv(3, self.conv, self.use_bias, name="conv")(x))


class Head(nn.Module):
    """Feature map (N, H, W, C) -> dense, LeakyReLU, dense -> (N, features).

    The first kernel is (H, W, C, hidden): which feature a weight belongs to is in its shape, not in an order.
    """

    features: int
    hidden: int
    slope: float

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.DenseGeneral(self.hidden, axis=(-3, -2, -1), name="hidden")(x)
        return nn.Dense(self.features, name="output")(nn.leaky_relu(x, self.slope))
