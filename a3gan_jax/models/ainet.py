"""The attribute-aware injective network (AINet): which attributes the pseudonym shall have.

That it injects new attributes under an exact change-or-keep control is the paper's (abstract); its form is our own.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from a3gan_jax.models.layers import leaky_relu


@dataclasses.dataclass(frozen=True)
class AINetConfig:
    """``num_attributes`` K, ``z_dim`` Z >= K (each attribute's noise is a coordinate of z), hidden ``width``."""

    num_attributes: int
    z_dim: int
    width: int = 128

    def __post_init__(self):
        if self.z_dim < self.num_attributes:
            raise ValueError(
                f"z_dim {self.z_dim} is smaller than the {self.num_attributes} attributes: "
                f"set model.z_dim to {self.num_attributes} or more"
            )


class AINet(nn.Module):
    """Proposes new attributes from the old ones, the control and the seed.

    The proposal is drawn, not hedged: a logistic noise that z carries decides each attribute as 0 or 1, and the
    gradient passes straight through to the probability (a binary concrete unit, arXiv 1611.00712, at temperature 1).
    """

    config: AINetConfig

    @nn.compact
    def __call__(self, attributes: Array, change: Array, z: Array) -> tuple[Array, Array]:
        """Attributes (N, K) in [0, 1], control ``change`` (N, K) in {0, 1}, seed ``z`` (N, Z) ~ N(0, I).

        Returns the new attributes and their probabilities, both (N, K): in {0, 1} and [0, 1] where ``change`` is 1, and
        the given ones bit for bit where it is 0.
        """
        k = self.config.num_attributes
        h = jnp.concatenate([2 * attributes - 1, 2 * change - 1, z], axis=-1)
        h = leaky_relu(nn.Dense(self.config.width)(h))
        h = leaky_relu(nn.Dense(self.config.width)(h))
        logits = nn.Dense(k, kernel_init=nn.initializers.normal(0.05))(h)
        uniform = jnp.clip(jax.scipy.stats.norm.cdf(z[:, :k]), 1e-4, 1 - 1e-4)
        soft = nn.sigmoid(logits + jnp.log(uniform) - jnp.log1p(-uniform))
        hard = soft + jax.lax.stop_gradient(jnp.round(soft) - soft)
        may_change = change > 0
        return jnp.where(may_change, hard, attributes), jnp.where(may_change, nn.sigmoid(logits), attributes)
