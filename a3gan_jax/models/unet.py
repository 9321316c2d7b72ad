"""A small U-Net (Ronneberger et al., arXiv 1505.04597): what an attacker trains to undo an anonymisation."""

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from a3gan_jax.models.layers import Conv, ConvForm, GroupNorm, leaky_relu, lecun_normal


class UNet(nn.Module):
    """Images (N, S, S, 3) in [-1, 1] -> likewise, S a multiple of 2^levels.

    ``base``: channels of the shallowest stage, doubled at each deeper one. ``conv``: ``lax`` or ``matmul``.
    """

    base: int = 24
    levels: int = 4
    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, images: Array) -> Array:
        x, skips = images, []
        for level in range(self.levels):
            skips.append(x)
            x = leaky_relu(GroupNorm()(Conv(self.base * 2**level, "down", self.conv)(x)))
        for level, skip in reversed(list(enumerate(skips))):
            x = Conv(self.base * 2 ** max(level - 1, 0), "up", self.conv)(x)
            x = jnp.concatenate([leaky_relu(GroupNorm()(x)), skip], axis=-1)
        return jnp.tanh(Conv(3, "same", self.conv, lecun_normal)(x))
