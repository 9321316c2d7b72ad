"""Shapes and forms of the two networks that judge."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.models.discriminator import Discriminator, DiscriminatorConfig
from a3gan_jax.models.identity_critic import IdentityCritic, IdentityCriticConfig


@pytest.mark.parametrize(("size", "sides"), [(64, [32, 16, 8, 4]), (128, [64, 32, 16, 8, 4])])
def test_discriminator_shapes_and_forms(size, sides):
    images = jax.random.uniform(jax.random.key(0), (2, size, size, 3), minval=-1, maxval=1)
    networks = [Discriminator(DiscriminatorConfig(size, 5, base=4, width=8, conv=form)) for form in ("lax", "matmul")]
    variables = jax.jit(networks[0].init)(jax.random.key(1), images)
    verdicts = [jax.jit(network.apply)(variables, images) for network in networks]
    assert verdicts[0].real.shape == (2,) and verdicts[0].attributes.shape == (2, 5)
    assert [f.shape[1] for f in verdicts[0].features] == sides and verdicts[0].local.shape == (2, 8, 8)
    for a, b in zip(jax.tree.leaves(verdicts[0]), jax.tree.leaves(verdicts[1]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [64, 128])
def test_a_local_score_sees_its_part_of_the_face_alone(size):
    image = jax.random.uniform(jax.random.key(0), (1, size, size, 3), minval=-1, maxval=1)
    network = Discriminator(DiscriminatorConfig(size, 5, base=4, width=8))
    variables = jax.jit(network.init)(jax.random.key(1), image)
    gradient = jax.jit(jax.grad(lambda x: network.apply(variables, x).local[0, 2, 5]))(image)
    rows, columns = np.nonzero(np.abs(gradient[0]).sum(-1))
    assert np.ptp(rows) + 1 <= 0.37 * size and np.ptp(columns) + 1 <= 0.37 * size
    assert abs(rows.mean() / size - 2.5 / 8) < 0.02 and abs(columns.mean() / size - 5.5 / 8) < 0.02


def test_identity_critic_gives_unit_embeddings_and_bounded_logits():
    images = jax.random.uniform(jax.random.key(0), (3, 64, 64, 3), minval=-1, maxval=1)
    network = IdentityCritic(IdentityCriticConfig(num_people=7, base=4, width=16))
    variables = jax.jit(network.init)(jax.random.key(1), images)
    logits, embedding = jax.jit(network.apply)(variables, images)
    assert logits.shape == (3, 7) and embedding.shape == (3, 16)
    np.testing.assert_allclose(jnp.linalg.norm(embedding, axis=-1), 1, rtol=1e-4)
    assert jnp.abs(logits).max() <= 16.001
