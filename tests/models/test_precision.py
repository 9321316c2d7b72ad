"""Networks that compute in bfloat16: what must stay in float32, and that the rest is near to float32."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.networks import ModelConfig, Networks

CONFIG = ModelConfig(
    64, ("Male", "Smiling"), 5, base=4, levels=2, z_dim=4, style_width=8, discriminator_base=4, critic_base=4
)
N = 2


@pytest.fixture(scope="module")
def networks() -> dict[str, Networks]:
    return {kind: Networks.create(dataclasses.replace(CONFIG, compute=kind)) for kind in ("float32", "bfloat16")}


@pytest.fixture(scope="module")
def images():
    return jax.random.uniform(jax.random.key(3), (N, 64, 64, 3), minval=-1)


def arguments(name: str, images) -> tuple:
    old = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    given = (images, old, 1 - old, jax.random.normal(jax.random.key(4), (N, 4)), jnp.ones(N))
    return given if name == "generator" else given[:1]


def drawn(network, given: tuple):
    """Variables of about the sizes that ``init`` draws, without the time that XLA takes for it on a CPU."""
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(network.init, jax.random.key(0), *given)
    return jax.tree.map(
        lambda leaf: jnp.float32(random.normal(size=leaf.shape, scale=max(1, np.prod(leaf.shape[:-1])) ** -0.5)),
        shapes,
    )


@pytest.mark.parametrize("name", ["generator", "discriminator", "critic"])
def test_bfloat16_is_near_float32_and_parameters_results_and_gradients_are_float32(networks, images, name):
    exact, rough = (getattr(networks[kind], name) for kind in ("float32", "bfloat16"))
    given = arguments(name, images)
    shapes = [jax.eval_shape(network.init, jax.random.key(0), *given) for network in (exact, rough)]
    assert shapes[0] == shapes[1] and {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    variables = drawn(rough, given)

    results = [jax.jit(network.apply)(variables, *given) for network in (exact, rough)]
    for one, other in zip(*map(jax.tree.leaves, results), strict=True):
        assert one.dtype == other.dtype == jnp.float32
        assert 0 < float(jnp.abs(one - other).max()) < 0.05 * float(jnp.abs(one).max())

    def energy(variables):
        return sum((x**2).mean() for x in jax.tree.leaves(rough.apply(variables, *given)))

    leaves = jax.tree.leaves(jax.jit(jax.grad(energy))(variables))
    assert all(leaf.dtype == jnp.float32 and jnp.isfinite(leaf).all() for leaf in leaves)
    assert sum(bool(jnp.any(leaf != 0)) for leaf in leaves) > 0.8 * len(leaves)


def test_an_open_and_a_shut_gate_are_exact(networks, images):
    """At strength 0 neither seed nor attributes may speak, and where the gate is 1 nothing of the image may."""
    generator, given = networks["bfloat16"].generator, arguments("generator", images)
    variables = drawn(generator, given)

    @jax.jit
    def apply(images, z, strength, gate):
        return generator.apply(variables, images, *given[1:3], z, strength, gate)[0]

    z, other = given[3], -given[3]
    np.testing.assert_array_equal(apply(images, z, jnp.zeros(N), 0.5), apply(images, other, jnp.zeros(N), 0.5))
    np.testing.assert_array_equal(apply(images, z, jnp.ones(N), 1.0), apply(-images, z, jnp.ones(N), 1.0))
    assert (apply(images, z, jnp.ones(N), 1.0) != apply(images, other, jnp.ones(N), 1.0)).any()


def test_the_gradient_penalty_has_a_discriminator_in_float32(networks, images):
    exact, rough = networks["float32"].penalized_discriminator, networks["bfloat16"].penalized_discriminator
    assert exact == rough and exact.config.compute == "float32"


def test_another_type_is_refused():
    with pytest.raises(ValueError, match="float16.*choose float32 or bfloat16"):
        Networks.create(dataclasses.replace(CONFIG, compute="float16"))
