"""What a run is made of: the part that stays (Setup) and the part that training changes (TrainState)."""

import dataclasses
import functools
from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax
from jax import Array

from a3gan_jax.models.recognizers import Recognizer
from a3gan_jax.models.yunet import YuNet
from a3gan_jax.networks import Networks
from a3gan_jax.training_config import LossConfig, OptimizerConfig

Variables = Any


@dataclasses.dataclass(frozen=True)
class Setup:
    """Everything about a run that does not change while it runs: static, never traced.

    ``detector`` sees where a face's points lie; it is there where ``loss.landmarks`` asks for it.
    """

    networks: Networks
    recognizers: tuple[Recognizer, ...]
    loss: LossConfig
    optimizer: OptimizerConfig
    total_steps: int
    detector: YuNet | None = None

    @functools.cached_property
    def optimizers(self) -> dict[str, optax.GradientTransformation]:
        """Adam for ``generator`` (with AINet), ``discriminator`` and ``critic``."""
        c = self.optimizer
        steps = max(1, self.total_steps - c.critic_warmup_steps)
        decay = int(c.decay_share * steps)
        fall = optax.schedules.linear_schedule(1.0, c.decay_to, max(1, decay), steps - decay)

        def critic_rate(count: Array) -> Array:
            later = c.critic_learning_rate * fall(count - c.critic_warmup_steps)
            return jnp.where(count < c.critic_warmup_steps, c.critic_warmup_learning_rate, later)

        return {
            # The generator steps once in generator_every steps, its schedule counts its own updates.
            "generator": optax.adam(lambda n: c.learning_rate * fall(n * c.generator_every), c.b1, c.b2),
            "discriminator": optax.adam(lambda n: c.discriminator_learning_rate * fall(n), c.b1, c.b2),
            "critic": optax.adam(critic_rate),
        }


@flax.struct.dataclass
class TrainState:
    """All that training changes. Networks' entries are Linen variables; ``ema`` holds ``generator`` and ``ainet``.

    ``attribute_mean`` (K,) and ``attribute_covariance`` (K, K) follow the real batches.
    """

    step: Array
    generator: Variables
    ainet: Variables
    discriminator: Variables
    critic: Variables
    ema: dict[str, Variables]
    optimizer_states: dict[str, optax.OptState]
    attribute_mean: Array
    attribute_covariance: Array


def init_state(key: Array, setup: Setup) -> TrainState:
    """A fresh state. Pure, to be called under ``jit`` with the shardings that ``eval_shape`` of it suggests."""
    n = setup.networks
    size, k = n.config.image_size, len(n.config.attributes)
    keys = jax.random.split(key, 4)
    images, attributes, z = jnp.zeros((2, size, size, 3)), jnp.zeros((2, k)), jnp.zeros((2, n.config.z_dim))
    generator = n.generator.init(keys[0], images, attributes, attributes, z, jnp.zeros(2))
    ainet = n.ainet.init(keys[1], attributes, attributes, z)
    discriminator = n.discriminator.init(keys[2], images)
    critic = n.critic.init(keys[3], images)
    optimizers = setup.optimizers
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        generator=generator,
        ainet=ainet,
        discriminator=discriminator,
        critic=critic,
        ema={"generator": jax.tree.map(jnp.copy, generator), "ainet": jax.tree.map(jnp.copy, ainet)},
        optimizer_states={
            "generator": optimizers["generator"].init((generator, ainet)),
            "discriminator": optimizers["discriminator"].init(discriminator),
            "critic": optimizers["critic"].init(critic),
        },
        attribute_mean=jnp.full((k,), 0.5, jnp.float32),
        attribute_covariance=0.25 * jnp.eye(k),
    )
