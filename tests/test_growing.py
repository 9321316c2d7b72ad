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
LARGE = dataclasses.replace(MORE, image_size=128, base=8, levels=4, discriminator_base=4, critic_base=2)
TRAINED = random_model(SMALL).variables


def fresh(config: ModelConfig):
    return random_model(config, scale=0.5).variables


def test_attributes_that_are_new_say_nothing_at_first():
    images = jax.random.uniform(jax.random.key(0), (2, 64, 64, 3))
    a, new, z = jnp.array([[0.0, 1.0], [1.0, 1.0]]), jnp.array([[1.0, 1.0], [0.0, 1.0]]), jnp.ones((2, SMALL.z_dim))
    columns = np.array([MORE.attributes.index(name) for name in SMALL.attributes])
    wide_a, wide_new = (jnp.array([[1.0, 0, 0, 0], [0, 0, 1, 0]]).at[:, columns].set(v) for v in (a, new))
    variables = grown(fresh(MORE), TRAINED, MORE, SMALL)
    small, large = Networks.create(SMALL), Networks.create(MORE)
    y, _ = small.generator.apply(TRAINED["generator"], images, a, new, z, jnp.ones(2))
    wide_y, _ = large.generator.apply(variables["generator"], images, wide_a, wide_new, z, jnp.ones(2))
    np.testing.assert_allclose(wide_y, y, atol=1e-5)
    seen = small.discriminator.apply(TRAINED["discriminator"], images).attributes
    wide_seen = large.discriminator.apply(variables["discriminator"], images).attributes
    np.testing.assert_allclose(wide_seen[:, columns], seen, rtol=1e-4)


def test_a_stage_more_keeps_the_inner_ones():
    variables = grown(fresh(LARGE), TRAINED, LARGE, SMALL)
    old, new = TRAINED["generator"]["params"], variables["generator"]["params"]
    for mine, theirs in (
        (new["encoder"]["Conv_2"], old["encoder"]["Conv_1"]),
        (new["encoder"]["GroupNorm_2"], old["encoder"]["GroupNorm_1"]),
        (new["suppression"]["unit_2"], old["suppression"]["unit_2"]),
        (new["decoder"]["Conv_2"], old["decoder"]["Conv_2"]),
        (new["decoder"]["GroupNorm_2"], old["decoder"]["GroupNorm_2"]),
        (new["injection"], old["injection"]),
        (
            variables["discriminator"]["params"]["Conv_3"],
            TRAINED["discriminator"]["params"]["Conv_2"],
        ),
        (variables["discriminator"]["params"]["Dense_0"], TRAINED["discriminator"]["params"]["Dense_0"]),
    ):
        jax.tree.map(np.testing.assert_array_equal, mine, theirs)
    first = fresh(LARGE)["generator"]["params"]
    for name in ("Conv_0", "Conv_1", "GroupNorm_0"):
        jax.tree.map(np.testing.assert_array_equal, new["encoder"][name], first["encoder"][name])
    for name in ("Conv_3", "Conv_4", "Conv_5", "GroupNorm_3"):
        jax.tree.map(np.testing.assert_array_equal, new["decoder"][name], first["decoder"][name])
    jax.tree.map(np.testing.assert_array_equal, new["suppression"]["unit_3"], first["suppression"]["unit_3"])


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
        (dict(image_size=128, levels=4), "other networks, at .*half of base"),
        (dict(image_size=128), "not to 128 px with 3"),
        (dict(image_size=256, levels=5), "not to 256 px with 5"),
        (dict(attributes=("Male",)), "not asked for: Young"),
    ],
)
def test_what_does_not_fit_is_named(changes, complaint):
    config = dataclasses.replace(SMALL, **changes)
    with pytest.raises(ValueError, match=complaint):
        grown(fresh(config), TRAINED, config, SMALL)
