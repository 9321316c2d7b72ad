"""The identity critic: a small recogniser that learns along with the generator (our own addition).

A frozen recogniser can be fooled by noise; this one is trained on the anonymised faces too, as an attacker would be.
"""

import dataclasses

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from a3gan_jax.models.layers import Conv, ConvForm, compute_type, exact, leaky_relu


@dataclasses.dataclass(frozen=True)
class IdentityCriticConfig:
    """``num_people`` P in the training set; four stride-2 stages from ``base`` channels; embeddings of ``width``;
    ``scale`` of the cosines before the softmax; ``conv`` and ``compute`` as in ``DiscriminatorConfig``."""

    num_people: int
    base: int = 24
    stages: int = 4
    width: int = 128
    scale: float = 16.0
    conv: ConvForm = "lax"
    compute: str = "float32"


class IdentityCritic(nn.Module):
    """Cosine softmax over the people of the training set (NormFace, arXiv 1704.06369)."""

    config: IdentityCriticConfig

    @nn.compact
    def __call__(self, images: Array) -> tuple[Array, Array]:
        """Images (N, S, S, 3) in [-1, 1] -> logits (N, P), unit embeddings (N, width)."""
        c = self.config
        x = images.astype(compute_type(c.compute))
        for stage in range(c.stages):
            x = leaky_relu(Conv(c.base * 2**stage, "down", c.conv)(x))
        x = nn.Dense(c.width)(exact(x).reshape(x.shape[0], -1))
        embedding = x / (jnp.linalg.norm(x, axis=-1, keepdims=True) + 1e-6)
        people = self.param("people", nn.initializers.normal(1.0), (c.width, max(1, c.num_people)))
        people = people / jnp.linalg.norm(people, axis=0, keepdims=True)
        return c.scale * embedding @ people, embedding
