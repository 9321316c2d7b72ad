"""What the generator's losses are made of: who sees which image, which parts keep their form, whose word counts."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax import steps
from a3gan_jax.attributes import ATTGAN_ATTRIBUTES, BEYOND_FACE
from a3gan_jax.generator_objective import _landmark_loss, _sample_conditions, forms_kept, judged
from a3gan_jax.models.yunet import Sights
from a3gan_jax.networks import ModelConfig, Networks
from a3gan_jax.train_state import Setup, init_state
from a3gan_jax.training_config import LossConfig, OptimizerConfig
from a3gan_jax.views import pasted

MODEL = ModelConfig(64, ATTGAN_ATTRIBUTES, 5, base=4, levels=2, z_dim=13, style_width=8, discriminator_base=4,
                    critic_base=4)  # fmt: skip
SETUP = Setup(Networks.create(MODEL), (), LossConfig(), OptimizerConfig(critic_warmup_steps=0), 10)


def test_judges_see_the_third_pass_in_its_photo():
    rng = np.random.default_rng(0)
    fakes, originals = (rng.normal(size=shape).astype(np.float32) for shape in ((2, 3, 64, 64, 3), (2, 64, 64, 3)))
    np.testing.assert_array_equal(judged(fakes, originals, LossConfig()), fakes)
    seen = judged(jnp.asarray(fakes), originals, LossConfig(judge_pasted=True))
    np.testing.assert_array_equal(seen[:, :2], fakes[:, :2])
    np.testing.assert_array_equal(seen[:, 2], pasted(fakes[:, 2], originals))
    assert (np.abs(seen[:, 2] - fakes[:, 2]) > 0.1).any()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_in_a_photo_what_is_beyond_the_face_stays(share):
    loss = LossConfig(free_probability=1.0, in_photo_probability=share)
    change, *_ = _sample_conditions(jax.random.key(0), 400, dataclasses.replace(SETUP, loss=loss))
    beyond = np.isin(ATTGAN_ATTRIBUTES, BEYOND_FACE)
    assert beyond.any() and (change[:, ~beyond] == 1).all()
    assert (change[:, beyond] == change[:, beyond][:, :1]).all()
    assert (change[:, beyond][:, 0] == 0).mean() == pytest.approx(share, abs=0.06)


def test_a_part_keeps_its_form_where_all_that_says_it_stays():
    now = np.zeros((4, len(ATTGAN_ATTRIBUTES)), np.float32)
    target = now.copy()
    for row, name in enumerate(("Eyeglasses", "Mustache", "Male")):
        target[row, ATTGAN_ATTRIBUTES.index(name)] = 1.0
    target[3, ATTGAN_ATTRIBUTES.index("Mouth_Slightly_Open")] = 0.25
    np.testing.assert_array_equal(forms_kept(now, target, SETUP), [[0, 1], [1, 0], [1, 1], [1, 0.75]])
    assert not jax.grad(lambda t: forms_kept(now, t, SETUP).sum())(jnp.asarray(target)).any()


def test_a_critic_that_nobody_taught_asks_for_nothing():
    """Without named people its embedding is a random one."""

    def asked_by_the_critic(num_people: int) -> set[str]:
        networks = Networks.create(dataclasses.replace(MODEL, num_people=num_people))
        setup = dataclasses.replace(SETUP, networks=networks)
        state = jax.eval_shape(functools.partial(init_state, setup=setup), jax.random.key(0))
        batch = {
            "image": jnp.zeros((2, 64, 64, 3), jnp.uint8),
            "attributes": jnp.zeros((2, len(ATTGAN_ATTRIBUTES)), jnp.uint8),
            "identity": -jnp.ones(2, jnp.int32),
        }
        step = functools.partial(steps.generator_step, setup=setup)
        _, metrics, _ = jax.eval_shape(step, state, {}, batch, jax.random.key(1))
        return {name for name in metrics if name.startswith("loss/critic_")}

    assert asked_by_the_critic(5) == {"loss/critic_diversity", "loss/critic_pseudonym"}
    assert not asked_by_the_critic(0)


class Brightest:
    """A detector of two cells: the first sees in the image's left half, the second is blind."""

    @staticmethod
    def apply(variables, images):
        left, right = jnp.split(images.mean((1, 3)), 2, axis=-1)
        where = (jax.nn.softmax(50 * left) * jnp.arange(32)).sum(-1)
        points = jnp.stack([where, jnp.zeros_like(where)])[:, :, None].repeat(5, 2)
        points = jnp.stack([points, jnp.full_like(points, 40.0)], axis=-1).swapaxes(0, 1)
        return Sights(jnp.stack([jnp.ones_like(where), jnp.zeros_like(where)], axis=-1), points)


def test_points_are_kept_as_the_surest_cells_of_the_original_see_them():
    setup = dataclasses.replace(SETUP, detector=Brightest, loss=LossConfig(landmarks=1.0, landmarks_tolerance=0.02))
    original = jnp.zeros((1, 64, 64, 3)).at[:, :, 10].set(1.0)

    def loss(original, made):
        return _landmark_loss(setup, {}, original, made, jax.random.key(0))

    same, moved = (jnp.stack([jnp.roll(original, by, axis=2)] * 2, axis=1) for by in (1, 16))
    assert loss(original, same) == pytest.approx(0.0, abs=1e-3)  # a pixel of 64 is free
    assert loss(original, moved) == pytest.approx(16 / 64 - 0.02, abs=0.02)
    to_original, to_made = jax.grad(loss, (0, 1))(original, moved)
    seen, unseen = (jnp.abs(to_made[..., half, :]).max() for half in (slice(32), slice(52, None)))  # 20: for the blur
    assert not to_original.any() and seen > 0 and unseen < 1e-6 * seen
