"""The generator's promises: shapes, the dial, and that nothing avoids the suppression."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.models.generator import Generator, GeneratorConfig

K, Z = 3, 4


def _generator(size=64, conv="matmul", **more):
    return Generator(GeneratorConfig(size, K, Z, **({"base": 8, "levels": 4, "style_width": 8, "conv": conv} | more)))


def _inputs(size=64, n=2):
    keys = jax.random.split(jax.random.key(5), 3)
    images = jax.random.uniform(keys[0], (n, size, size, 3), minval=-1, maxval=1)
    attributes = jax.random.bernoulli(keys[1], 0.5, (n, K)).astype(jnp.float32)
    return images, attributes, 1 - attributes, jax.random.normal(keys[2], (n, Z))


@pytest.fixture(scope="module")
def model():
    """A generator, its variables, inputs, and the jitted call."""
    generator, inputs = _generator(), _inputs()
    variables = jax.jit(generator.init)(jax.random.key(0), *inputs, jnp.ones(2))
    return generator, variables, inputs, jax.jit(generator.apply)


@pytest.mark.parametrize(("size", "levels"), [(64, 4), (128, 5), (256, 6), (64, 2)])
def test_shapes(size, levels):
    generator, inputs = _generator(size, levels=levels, base=4), _inputs(size, n=1)
    shape = jax.eval_shape(lambda: generator.init_with_output(jax.random.key(0), *inputs, jnp.ones(1))[0])
    images, gates = shape
    assert images.shape == (1, size, size, 3) and images.dtype == jnp.float32
    assert [g.shape for g in gates] == [
        (1, size >> level, size >> level, 4 * 2 ** (level - 1)) for level in range(levels, 0, -1)
    ]


def test_conv_forms_agree(model):
    _, variables, inputs, apply = model
    other = _generator(conv="lax")
    for a, b in zip(
        jax.tree.leaves(apply(variables, *inputs, jnp.ones(2))),
        jax.tree.leaves(jax.jit(other.apply)(variables, *inputs, jnp.ones(2))),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_images_are_in_range_and_strength_zero_ignores_seed_and_attributes(model):
    _, variables, (images, attributes, new, z), apply = model
    one, _ = apply(variables, images, attributes, new, z, jnp.zeros(2))
    two, _ = apply(variables, images, attributes, attributes, -z, jnp.zeros(2))
    np.testing.assert_array_equal(one, two)
    assert jnp.abs(one).max() <= 1


def test_two_seeds_differ_and_one_does_not(model):
    _, variables, (images, attributes, new, z), apply = model
    first, again, other = (apply(variables, images, attributes, new, v, jnp.ones(2))[0] for v in (z, z, z + 1))
    np.testing.assert_array_equal(first, again)
    assert jnp.abs(first - other).max() > 1e-3


def test_new_attributes_are_injected(model):
    _, variables, (images, attributes, new, z), apply = model
    one, two = (apply(variables, images, attributes, a, z, jnp.ones(2))[0] for a in (attributes, new))
    assert jnp.abs(one - two).max() > 1e-3


def test_nothing_of_the_image_avoids_the_suppression(model):
    generator, variables, (images, *rest), _ = model

    @jax.jit
    def gradient(images, strength, gate):
        return jax.grad(lambda x: (generator.apply(variables, x, *rest, strength, gate)[0] ** 2).sum())(images)

    np.testing.assert_array_equal(gradient(images, jnp.ones(2), 1.0), 0)
    # The same question asked with open gates, at strength 0 and half way: there the image must pass.
    for strength, gate in ((1.0, 0.0), (0.0, 1.0), (0.5, 1.0)):
        assert jnp.abs(gradient(images, jnp.full(2, strength), gate)).max() > 0


def test_without_suppression_every_gate_is_open_whatever_is_asked(model):
    _, variables, (images, *rest), apply = model
    open_gates, _ = apply(variables, images, *rest, jnp.ones(2), 0.0)
    shown, gates = jax.jit(_generator(suppression=False).apply)(variables, images, *rest, jnp.ones(2), 1.0)
    np.testing.assert_array_equal(shown, open_gates)
    assert all(not gate.any() for gate in gates)


def test_details_pass_their_own_suppression_alone():
    generator, (images, *rest) = _generator(128, base=4, levels=2, details=1, detail_channels=8), _inputs(128, n=1)
    shapes = jax.eval_shape(generator.init, jax.random.key(0), images, *rest, jnp.ones(1))
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda leaf: jnp.float32(rng.normal(0, 0.1, leaf.shape)), shapes)
    fine = jnp.indices((128, 128)).sum(0)[None, ..., None] % 2 * 0.1  # nothing of it is left at half the size

    @jax.jit
    def shown(images, strength, gate):
        return generator.apply(variables, images, *rest, strength, gate)[0]

    def differs(strength, gate):
        return jnp.abs(shown(images + fine, strength, gate) - shown(images - fine, strength, gate)).max()

    assert differs(jnp.ones(1), 1.0) == 0
    for strength, gate in ((1.0, 0.0), (0.0, 1.0), (0.5, 1.0)):
        assert differs(jnp.full(1, strength), gate) > 1e-3


def test_with_the_gates_shut_two_photos_give_one_face(model):
    _, variables, (images, attributes, new, z), apply = model
    one, two = (apply(variables, x, attributes, new, z, jnp.ones(2), 1.0)[0] for x in (images, images[::-1]))
    np.testing.assert_array_equal(one, two)


def test_impossible_shapes_are_named():
    with pytest.raises(ValueError, match="choose 64, 128 or 256"):
        GeneratorConfig(96, K, Z)
    with pytest.raises(ValueError, match="1 details do not fit 64 px"):
        GeneratorConfig(64, K, Z, details=1)
    with pytest.raises(ValueError, match="choose 2 to 4"):
        GeneratorConfig(128, K, Z, levels=5, details=1)
    with pytest.raises(ValueError, match="choose 2 to 4"):
        GeneratorConfig(64, K, Z, levels=5)
