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


def test_with_details_a_face_is_judged_without_them_and_its_parts_with_them():
    image = jax.random.uniform(jax.random.key(0), (1, 128, 128, 3), minval=-1, maxval=1)
    network = Discriminator(DiscriminatorConfig(128, 5, base=4, width=8, details=1))
    variables = jax.jit(network.init)(jax.random.key(1), image)
    fine = jnp.indices((128, 128)).sum(0)[None, ..., None] % 2 * 0.1 - 0.05  # nothing of it is left at half the size
    one, two = (jax.jit(network.apply)(variables, x) for x in (image, image + fine))
    assert one.local.shape == (1, 16, 8)
    for a, b in ((one.real, two.real), (one.attributes, two.attributes), (one.local[:, :8], two.local[:, :8])):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert jnp.abs(one.local[:, 8:] - two.local[:, 8:]).min() > 1e-4
    gradient = jax.jit(jax.grad(lambda x: network.apply(variables, x).local[0, 8 + 2, 5]))(image)
    rows, columns = np.nonzero(np.abs(gradient[0]).sum(-1))
    assert np.ptp(rows) + 1 <= 0.37 * 128 and np.ptp(columns) + 1 <= 0.37 * 128
    assert abs(rows.mean() / 128 - 2.5 / 8) < 0.02 and abs(columns.mean() / 128 - 5.5 / 8) < 0.02


def test_identity_critic_gives_unit_embeddings_and_bounded_logits():
    images = jax.random.uniform(jax.random.key(0), (3, 64, 64, 3), minval=-1, maxval=1)
    network = IdentityCritic(IdentityCriticConfig(num_people=7, base=4, width=16))
    variables = jax.jit(network.init)(jax.random.key(1), images)
    logits, embedding = jax.jit(network.apply)(variables, images)
    assert logits.shape == (3, 7) and embedding.shape == (3, 16)
    np.testing.assert_allclose(jnp.linalg.norm(embedding, axis=-1), 1, rtol=1e-4)
    assert jnp.abs(logits).max() <= 16.001
