"""The discriminator: is the face real, and which attributes does it show? (AttGAN, arXiv 1711.10678)"""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from a3gan_jax.models.layers import Conv, ConvForm, compute_type, exact, halved, he_normal, leaky_relu


@dataclasses.dataclass(frozen=True)
class DiscriminatorConfig:
    """``image_size`` 64, 128 or 256; ``details`` of the generator; ``base`` channels after the first stage, doubled at
    each of the stages that lead to 4x4 pixels, up to ``max_channels``; ``width`` of the dense layer; ``conv`` ``lax``
    or ``matmul``; ``compute`` ``float32`` or ``bfloat16``, of the convolutions."""

    image_size: int
    num_attributes: int
    base: int = 32
    max_channels: int = 512
    width: int = 256
    details: int = 0
    conv: ConvForm = "lax"
    compute: str = "float32"


class Verdict(NamedTuple):
    """``real`` (N,) logit or score of the face, ``local`` (N, 8 (1 + details), 8) of its parts, the coarsest first,
    ``attributes`` (N, K) logits, ``features`` shallowest first (N, H, W, C)."""

    real: Array
    local: Array
    attributes: Array
    features: tuple[Array, ...]


class Discriminator(nn.Module):
    """Strided convolutions without normalisation, so that the gradient penalty of one image is its own.

    The local scores look at a third of the side each (a PatchGAN's, arXiv 1611.07004): a face can be right as a whole
    and have a smeared eye. Where the generator adds details, the face is judged without them, and at each size that has
    them its parts are judged by a look of their own.
    """

    config: DiscriminatorConfig

    @nn.compact
    def __call__(self, images: Array) -> Verdict:
        """Images (N, S, S, 3) in [-1, 1]."""
        c = self.config
        pyramid, features = [images.astype(compute_type(c.compute))], []
        for _ in range(c.details):
            pyramid.append(halved(pyramid[-1]))
        x = pyramid.pop()
        for stage in range(x.shape[1].bit_length() - 3):
            x = leaky_relu(Conv(min(c.base * 2**stage, c.max_channels), "down", c.conv)(x))
            features.append(exact(x))
        local = [Conv(1, "pointwise", name="local")(features[-2])[..., 0]]
        for number, look in enumerate(reversed(pyramid)):
            for stage in range(look.shape[1].bit_length() - 4):
                channels = min(c.base * 2**stage // 2, c.max_channels)
                look = leaky_relu(Conv(channels, "down", c.conv, name=f"details_{number}_{stage}")(look))
            local.append(Conv(1, "pointwise", name=f"details_{number}_local")(exact(look))[..., 0])
        x = leaky_relu(nn.Dense(c.width, kernel_init=he_normal)(features[-1].reshape(x.shape[0], -1)))
        real = nn.Dense(1, name="real")(x)[:, 0]
        attributes = nn.Dense(c.num_attributes, name="attributes")(x)
        return Verdict(real, jnp.concatenate(local, axis=1), attributes, tuple(features))
