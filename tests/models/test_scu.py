"""What a suppressive convolution unit lets through, and what it does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.models.scu import SuppressionNetwork, SuppressiveConvUnit, gate_floor_region


def _random(shape, seed):
    return jax.random.normal(jax.random.key(seed), shape)


@pytest.fixture(scope="module")
def unit():
    f, h = _random((2, 8, 8, 6), 0), _random((2, 4, 4, 10), 1)
    module = SuppressiveConvUnit()
    return module, jax.jit(module.init)(jax.random.key(2), f, h, jnp.ones(2)), f, h


def test_shapes(unit):
    module, variables, f, h = unit
    out, gate = module.apply(variables, f, h, jnp.ones(2))
    assert out.shape == gate.shape == f.shape
    assert gate.min() >= 0 and gate.max() <= 1


def test_strength_zero_passes_the_feature_unchanged(unit):
    module, variables, f, h = unit
    np.testing.assert_array_equal(module.apply(variables, f, h, jnp.zeros(2))[0], f)


def test_a_shut_gate_lets_nothing_of_the_feature_through(unit):
    module, variables, f, h = unit

    def out(f, h):
        return (module.apply(variables, f, h, jnp.ones(2), gate=1.0)[0] ** 2).sum()

    of_feature, of_state = jax.jit(jax.grad(out, (0, 1)))(f, h)
    np.testing.assert_array_equal(of_feature, 0)
    assert jnp.abs(of_state).max() > 0


def test_the_gate_reaches_exactly_one_and_zero_by_itself(unit):
    module, variables, f, h = unit
    for logit, expected in ((10.0, 1.0), (-10.0, 0.0)):
        params = variables["params"] | {"prior": jnp.full((8, 8, 1), logit)}
        out, gate = module.apply({"params": params}, f, h, jnp.ones(2))
        np.testing.assert_array_equal(gate, expected)
        # Saturated, the gate itself carries nothing either.
        gradient = jax.grad(lambda f: (module.apply({"params": params}, f, h, jnp.ones(2))[0] ** 2).sum())(f)  # noqa: B023
        np.testing.assert_array_equal(gradient if expected else out, 0 if expected else f)


def test_the_prior_is_shut_in_the_face_and_open_outside(unit):
    _, variables, _, _ = unit
    prior = variables["params"]["prior"][..., 0]
    assert prior[4, 4] > 1.5 and prior[5, 4] > 1.5
    assert prior[0, 0] < -1.5 and prior[0, 7] < -1.5 and prior[7, 7] < -1.5


def test_strength_is_a_dial(unit):
    module, variables, f, h = unit
    moved = [jnp.abs(module.apply(variables, f, h, jnp.full(2, s))[0] - f).mean() for s in (0.0, 0.3, 0.6, 1.0)]
    assert moved[0] == 0 and moved[0] < moved[1] < moved[2] < moved[3]


def test_network_goes_from_deep_to_shallow_and_chains_the_units():
    features = (_random((1, 4, 4, 8), 0), _random((1, 8, 8, 4), 1))
    state = _random((1, 4, 4, 8), 2)
    network = SuppressionNetwork((0.0, 2.0))
    variables = jax.jit(network.init)(jax.random.key(3), features, state, jnp.ones(1))
    suppressed, gates = jax.jit(network.apply)(variables, features, state, jnp.ones(1))
    assert [h.shape for h in suppressed] == [f.shape for f in features] == [g.shape for g in gates]
    # The state below the deepest unit reaches the shallowest one.
    gradient = jax.jit(jax.grad(lambda s: network.apply(variables, features, s, jnp.ones(1), 1.0)[0][1].sum()))(state)
    assert jnp.abs(gradient).max() > 0
    with pytest.raises(ValueError, match="2 features but 1 gate priors"):
        SuppressionNetwork((0.0,)).init(jax.random.key(3), features, state, jnp.ones(1))


def test_gate_floor_region_is_inside_the_face():
    region = gate_floor_region(16)
    assert region.shape == (16, 16, 1) and set(np.unique(region)) == {0.0, 1.0}
    assert region[9, 8] == 1 and region[0].sum() == 0 and region[:, 0].sum() == 0
