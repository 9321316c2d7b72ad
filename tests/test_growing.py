"""A trained model as the start of a larger one."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.growing import grown, start_from
from a3gan_jax.networks import ModelConfig, Networks
from a3gan_jax.train_state import Setup, init_state
from a3gan_jax.training_config import LossConfig, OptimizerConfig
from tests.random_models import random_model

SMALL = ModelConfig(
    64, ("Male", "Young"), 3, base=16, levels=3, z_dim=6, style_width=8, discriminator_base=8, critic_base=4
)
MORE = dataclasses.replace(SMALL, attributes=("Smiling", "Male", "Bald", "Young"))
LARGE = dataclasses.replace(MORE, image_size=128, details=1, critic_base=2)
TRAINED = random_model(SMALL).variables


def fresh(config: ModelConfig):
    return random_model(config, scale=0.5).variables


def test_attributes_that_are_new_say_nothing_at_first():
    images = jax.random.uniform(jax.random.key(0), (2, 64, 64, 3))
    a, new = jnp.array([[0.0, 1.0], [1.0, 1.0]]), jnp.array([[1.0, 1.0], [0.0, 1.0]])
    columns = np.array([MORE.attributes.index(name) for name in SMALL.attributes])
    wide_a, wide_new = (jnp.array([[1.0, 0, 0, 0], [0, 0, 1, 0]]).at[:, columns].set(v) for v in (a, new))
    variables = grown(fresh(MORE), TRAINED, MORE, SMALL)
    small, large = Networks.create(SMALL), Networks.create(MORE)
    with jax.enable_x64(True):  # sums of two and of four attributes round otherwise
        z, one = jnp.ones((2, SMALL.z_dim), float), jnp.ones(2, float)
        (y, _), (wide_y, _) = (
            Networks.create(dataclasses.replace(config, compute="float64")).generator.apply(
                jax.tree.map(lambda leaf: np.asarray(leaf, float), trained["generator"]),
                np.asarray(images, float),
                np.asarray(old, float),
                np.asarray(chosen, float),
                z,
                one,
            )
            for config, trained, old, chosen in ((SMALL, TRAINED, a, new), (MORE, variables, wide_a, wide_new))
        )
    np.testing.assert_allclose(wide_y, y, atol=1e-9)
    seen = small.discriminator.apply(TRAINED["discriminator"], images).attributes
    wide_seen = large.discriminator.apply(variables["discriminator"], images).attributes
    np.testing.assert_allclose(wide_seen[:, columns], seen, rtol=1e-4)


def test_a_stage_more_shows_at_first_what_the_smaller_model_made():
    images = jax.random.uniform(jax.random.key(0), (2, 128, 128, 3), minval=-1)
    a, z = jnp.ones((2, len(MORE.attributes))), jnp.ones((2, SMALL.z_dim))
    small, large = Networks.create(MORE), Networks.create(LARGE)
    trained = random_model(MORE, scale=0.05).variables  # no larger: where tanh is flat it tells nothing
    start = jax.jit(large.generator.init)(jax.random.key(1), images, a, a, z, jnp.ones(2))  # its details add nothing
    variables = grown(fresh(LARGE) | {"generator": start}, trained, LARGE, MORE)
    half = images.reshape(2, 64, 2, 64, 2, 3).mean((2, 4))
    y, gates = small.generator.apply(trained["generator"], half, a, 1 - a, z, jnp.ones(2))
    large_y, large_gates = large.generator.apply(variables["generator"], images, a, 1 - a, z, jnp.ones(2))
    enlarged = jnp.tanh(jax.image.resize(jnp.arctanh(y), images.shape, "linear"))
    np.testing.assert_allclose(large_y, enlarged, atol=1e-3)
    for mine, theirs in zip(large_gates, gates, strict=False):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    assert [g.shape[1] for g in large_gates] == [8, 16, 32, 64]

    seen, large_seen = (
        n.discriminator.apply(v["discriminator"], x) for n, v, x in ((small, trained, half), (large, variables, images))
    )
    np.testing.assert_allclose(large_seen.real, seen.real, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(large_seen.attributes, seen.attributes, rtol=1e-3, atol=1e-4)
    assert large_seen.local.shape == (2, 16, 8)
    np.testing.assert_allclose(large_seen.local[:, :8], seen.local, rtol=1e-3, atol=1e-4)


def test_the_average_starts_there_too():
    setup = Setup(Networks.create(SMALL), (), LossConfig(), OptimizerConfig(), 10)
    shapes = jax.eval_shape(functools.partial(init_state, setup=setup), jax.random.key(1))
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    started = start_from(state, SMALL, TRAINED, SMALL)
    for name in ("generator", "ainet"):
        jax.tree.map(np.testing.assert_array_equal, started.ema[name], TRAINED[name])
        jax.tree.map(np.testing.assert_array_equal, getattr(started, name), TRAINED[name])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (dict(base=8), "other networks, at .*generator.* and .* places"),
        (dict(image_size=128, details=1, base=8), "other networks, at .*one more of details"),
        (dict(image_size=128), "not to 128 px and 0 details"),
        (dict(image_size=256, details=2), "not to 256 px and 2 details"),
        (dict(attributes=("Male",)), "not asked for: Young"),
    ],
)
def test_what_does_not_fit_is_named(changes, complaint):
    config = dataclasses.replace(SMALL, **changes)
    with pytest.raises(ValueError, match=complaint):
        grown(fresh(config), TRAINED, config, SMALL)
