"""A3GAN with random variables, for tests of what is done with a model."""

import jax
import jax.numpy as jnp
import numpy as np

from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.networks import ModelConfig, Networks


def random_model(config: ModelConfig, scale: float = 0.2, step: int = 1) -> SavedModel:
    """Normal variables, drawn by numpy: compiling ``init`` would take longer than the tests."""
    n, key, rng, k = Networks.create(config), jax.random.key(0), np.random.default_rng(0), len(config.attributes)
    x, a, z = jnp.zeros((1, config.image_size, config.image_size, 3)), jnp.zeros((1, k)), jnp.zeros((1, config.z_dim))
    shapes = {
        "generator": jax.eval_shape(n.generator.init, key, x, a, a, z, jnp.zeros(1)),
        "ainet": jax.eval_shape(n.ainet.init, key, a, a, z),
        "discriminator": jax.eval_shape(n.discriminator.init, key, x),
    }
    variables = jax.tree.map(lambda leaf: rng.normal(0, scale, leaf.shape).astype(np.float32), shapes)
    return SavedModel(config, variables, step)
