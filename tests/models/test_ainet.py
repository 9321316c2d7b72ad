"""AINet obeys the control exactly and listens to the seed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.models.ainet import AINet, AINetConfig

K, Z, N = 13, 16, 64
NETWORK = AINet(AINetConfig(K, Z))


@pytest.fixture(scope="module")
def variables():
    return jax.jit(NETWORK.init)(jax.random.key(0), jnp.zeros((1, K)), jnp.zeros((1, K)), jnp.zeros((1, Z)))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_kept_attributes_stay_bit_for_bit(variables, share):
    keys = jax.random.split(jax.random.key(1), 3)
    attributes = jax.random.uniform(keys[0], (N, K))  # any value, not only 0 and 1
    change = jax.random.bernoulli(keys[1], share, (N, K)).astype(jnp.float32)
    new, probabilities = NETWORK.apply(variables, attributes, change, jax.random.normal(keys[2], (N, Z)))
    kept = np.asarray(change) == 0
    np.testing.assert_array_equal(np.asarray(new)[kept], np.asarray(attributes)[kept])
    np.testing.assert_array_equal(np.asarray(probabilities)[kept], np.asarray(attributes)[kept])
    assert set(np.unique(np.asarray(new)[~kept])) <= {0.0, 1.0}


def test_the_seed_decides(variables):
    attributes, change = jnp.zeros((N, K)), jnp.ones((N, K))
    z = jax.random.normal(jax.random.key(2), (2, N, Z))
    first, again, other = (NETWORK.apply(variables, attributes, change, v)[0] for v in (z[0], z[0], z[1]))
    np.testing.assert_array_equal(first, again)
    assert jnp.abs(first - other).mean() > 0.2


def test_gradient_passes_the_rounding_only_where_change_is_allowed(variables):
    change = jnp.zeros((N, K)).at[:, 3].set(1.0)
    z = jax.random.normal(jax.random.key(3), (N, Z))

    def loss(variables, attribute):
        return NETWORK.apply(variables, jnp.zeros((N, K)), change, z)[0][:, attribute].sum()

    norm = [sum(jnp.abs(g).sum() for g in jax.tree.leaves(jax.grad(loss)(variables, i))) for i in (3, 4)]
    assert norm[0] > 0 and norm[1] == 0


def test_too_small_a_seed_is_an_error():
    with pytest.raises(ValueError, match="z_dim to 13 or more"):
        AINetConfig(13, 12)
