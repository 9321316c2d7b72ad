"""A second discriminator, on the feature maps of a frozen recogniser (projected GAN, arXiv 2111.01007).

A discriminator that starts from nothing needs many photos to learn what a face is; this one is told. Of the paper are
the frozen features, their fixed random projection, which keeps the few that tell most from standing for all, and one
small head a map; that the features are a face recogniser's is our own choice.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from a3gan_jax.models.layers import Conv, ConvForm, leaky_relu

SMALLEST = 7  # places a side of what a head sees last


class ProjectedDiscriminator(nn.Module):
    """Maps (N, H, W, C), each as high as wide, -> logits (N, h, w) a map: is this place of the face real?"""

    width: int = 64
    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, maps: tuple[Array, ...]) -> tuple[Array, ...]:
        verdicts = []
        for number, x in enumerate(maps):
            mix = jax.random.normal(jax.random.key(number), (x.shape[-1], self.width)) / x.shape[-1] ** 0.5
            x = x / jnp.sqrt((x**2).mean((1, 2, 3), keepdims=True) + 1e-6) @ mix
            stage = 0
            while x.shape[1] >= 2 * SMALLEST:
                x = leaky_relu(Conv(self.width, "down", self.conv, name=f"map_{number}_down_{stage}")(x))
                stage += 1
            x = leaky_relu(Conv(self.width, "same", self.conv, name=f"map_{number}_same")(x))
            verdicts.append(Conv(1, "pointwise", name=f"map_{number}_real")(x)[..., 0])
        return tuple(verdicts)
