"""Who learns in which step, from what, and who does not."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from a3gan_jax import steps
from a3gan_jax.attributes import ATTGAN_ATTRIBUTES
from a3gan_jax.generator_objective import IDENTITY_LOSSES, generator_losses
from a3gan_jax.inference import anonymize, to_float
from a3gan_jax.models.recognizers import Recognizer
from a3gan_jax.networks import ModelConfig, Networks
from a3gan_jax.train_state import Setup, init_state
from a3gan_jax.training_config import LossConfig, OptimizerConfig

N, PEOPLE = 4, 5
MODEL = ModelConfig(64, ATTGAN_ATTRIBUTES, PEOPLE, base=4, levels=2, z_dim=13, style_width=8, discriminator_base=4,
                    critic_base=4)  # fmt: skip
NETWORKS = ("generator", "ainet", "discriminator", "critic")


class TinyRecognizer(nn.Module):
    """Differentiable, and quick to compile."""

    @nn.compact
    def __call__(self, images):
        return nn.Dense(8)(images[:, ::8, ::8].reshape(images.shape[0], -1))


RECOGNIZER = Recognizer("tiny", 112, 0.4, TinyRecognizer())


def _setup(loss=None, **optimizer):
    optimizer = {"critic_warmup_steps": 0} | optimizer
    return Setup(
        Networks.create(MODEL),
        (RECOGNIZER,),
        loss or LossConfig(judge_pasted=True, structure=2.0, gradient_penalty_every=2, identity_ramp_steps=0),
        OptimizerConfig(**optimizer),
        10,
    )


SETUP = _setup()


@pytest.fixture(scope="session")
def start():
    """State, frozen recogniser, batch: small, shared, never donated."""
    rng = np.random.default_rng(0)
    state = jax.jit(functools.partial(init_state, setup=SETUP))(jax.random.key(0))
    frozen = {"tiny": jax.jit(RECOGNIZER.network.init)(jax.random.key(1), jnp.zeros((1, 112, 112, 3)))}
    batch = {
        "image": rng.integers(0, 256, (N, 64, 64, 3)).astype(np.uint8),
        "attributes": rng.integers(0, 2, (N, 13)).astype(np.uint8),
        "identity": np.array([0, 3, -1, 2], np.int32),
        "index": np.arange(N, dtype=np.int32),
    }
    return state, frozen, batch


@pytest.fixture(scope="session")
def generator_step():
    return jax.jit(functools.partial(steps.generator_step, setup=SETUP))


@pytest.fixture(scope="session")
def made(start, generator_step):
    return generator_step(*start, jax.random.key(2))


def _changed(before, after):
    return {
        name
        for name in NETWORKS
        if any(
            (a != b).any() for a, b in zip(*(jax.tree.leaves(getattr(s, name)) for s in (before, after)), strict=True)
        )
    }


def _equal(a, b):
    return all((x == y).all() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def test_generator_step_changes_generator_and_ainet_only(start, made):
    state, frozen, _ = start
    after, metrics, fakes = made
    assert _changed(state, after) == {"generator", "ainet"}
    assert _equal(state.optimizer_states["discriminator"], after.optimizer_states["discriminator"])
    # Every single parameter of both learns: nothing is cut off.
    for name in ("generator", "ainet"):
        pairs = zip(
            jax.tree_util.tree_leaves_with_path(getattr(state, name)),
            jax.tree.leaves(getattr(after, name)),
            strict=True,
        )
        still = [jax.tree_util.keystr(path) for (path, old), new in pairs if (old == new).all()]
        assert not still, f"{name} has parameters that never learn: {still}"
    assert fakes.images.shape == (N, 3, 64, 64, 3) and fakes.strength.shape == (N, 3)
    assert (fakes.strength[:, 1:] == 1).all() and (fakes.strength[:, 0] < 1).all()
    assert all(np.isfinite(v) for v in metrics.values())


def test_generator_step_measures_everything_by_name(made):
    metrics = made[1]
    weights = {f.name for f in dataclasses.fields(LossConfig)}
    named = {name.removeprefix("loss/") for name in metrics if name.startswith("loss/")} - {"generator"}
    assert named == {
        "adversarial", "adversarial_local", "attribute", "reconstruction", "background", "low_frequency", "chroma",
        "structure", "feature_matching", "gate_floor", "identity", "identity_critic", "diversity", "pseudonym",
        "critic_diversity", "critic_pseudonym", "anonymization", "rarity", "plausibility",
    }  # fmt: skip
    assert {name.removeprefix("critic_") for name in named} <= weights
    total = sum(getattr(SETUP.loss, n.removeprefix("critic_")) * metrics[f"loss/{n}"] for n in named)
    assert metrics["loss/generator"] == pytest.approx(float(total), rel=1e-5)
    assert {"gate/level_1", "gate/level_2", "changed_attributes", "identity_cosine", "gradient_norm/generator",
            "update_norm/generator"} <= metrics.keys()  # fmt: skip
    assert 0 < metrics["changed_attributes"] < 1 and 0 <= metrics["gate/level_1"] <= 1


def test_identity_losses_grow_from_nothing(start, made):
    state, frozen, batch = start
    setup = _setup(dataclasses.replace(SETUP.loss, identity_ramp_steps=4))

    @jax.jit
    def total(step):
        params, at_step = (state.generator, state.ainet), state.replace(step=step)
        return generator_losses(params, at_step, frozen, batch, jax.random.key(2), setup)[0]

    totals = [float(total(jnp.int32(step))) for step in (0, 1, 4, 9)]
    c, metrics = setup.loss, made[1]  # of the same key, with the full weights
    identity = sum(
        getattr(c, name) * metrics[f"loss/{kind}{name}"]
        for name in IDENTITY_LOSSES
        for kind in ("", "critic_")
        if f"loss/{kind}{name}" in metrics
    )
    full = float(metrics["loss/generator"])
    np.testing.assert_allclose(totals, [full - identity, full - 0.75 * identity, full, full], rtol=1e-5)


def test_discriminator_step_changes_the_discriminator_only(start, made):
    state, _, batch = start
    step = jax.jit(functools.partial(steps.discriminator_step, setup=SETUP))
    after, metrics = step(state, batch, jax.random.key(3), made[2])
    assert _changed(state, after) == {"discriminator"}
    assert metrics["loss/gradient_penalty"] > 0  # lazy: in steps 0, 2, 4 ...
    _, metrics = step(state.replace(step=state.step + 1), batch, jax.random.key(3), made[2])
    assert metrics["loss/gradient_penalty"] == 0


def test_critic_step_changes_the_critic_only(start, made):
    state, _, batch = start
    after, metrics = jax.jit(functools.partial(steps.critic_step, setup=SETUP))(
        state, batch, jax.random.key(3), made[2]
    )
    assert _changed(state, after) == {"critic"}
    assert {"loss/critic_original", "loss/critic_anonymized", "critic_top1_original"} <= metrics.keys()


def test_critic_learns_nothing_from_people_it_does_not_know(start):
    state, _, batch = start
    step = jax.jit(functools.partial(steps.critic_warmup_step, setup=_setup(critic_warmup_steps=3)))
    unknown = batch | {"identity": np.full(N, -1, np.int32)}
    after, metrics = step(state, {}, unknown, jax.random.key(0))
    assert metrics["gradient_norm/critic"] == 0 and after.step == 1
    after, metrics = step(state, {}, batch, jax.random.key(0))
    assert _changed(state, after) == {"critic"}


def test_gradients_stop_where_they_should(start):
    """The recogniser never learns, and the fakes carry no gradient to the generator."""
    state, frozen, batch = start

    @jax.jit
    def gradients(params, frozen, discriminator):
        def loss(params, frozen, discriminator):
            other = state.replace(discriminator=discriminator)
            total, (fakes, _) = generator_losses(params, other, frozen, batch, jax.random.key(0), SETUP)
            return total, fakes

        def of_fakes(params):
            return (loss(params, frozen, discriminator)[1].images ** 2).sum()

        return jax.grad(lambda *a: loss(*a)[0])(params, frozen, discriminator), jax.grad(of_fakes)(params)

    own, leak = gradients((state.generator, state.ainet), frozen, state.discriminator)
    assert all(jnp.abs(g).max() > 0 for g in jax.tree.leaves(own[0]))
    assert all((g == 0).all() for g in jax.tree.leaves(leak))


def test_train_step_is_its_parts_and_repeats_itself(start):
    state, frozen, batch = start
    copy = functools.partial(jax.tree.map, jnp.copy)
    before = jax.tree.map(np.asarray, frozen)
    step = jax.jit(functools.partial(steps.train_step, setup=SETUP), donate_argnums=0)
    one, metrics = step(copy(state), frozen, batch, jax.random.key(7))
    two, _ = step(copy(state), frozen, batch, jax.random.key(7))
    other, _ = step(copy(state), frozen, batch, jax.random.key(8))
    assert _equal(one, two) and not _equal(one.generator, other.generator)
    assert _changed(state, one) == set(NETWORKS) and one.step == 1
    assert _equal(frozen, before)
    assert {"loss/generator", "loss/discriminator", "loss/critic_anonymized"} <= metrics.keys()
    # The average follows the generator: at its first step it is nine tenths of the way there.
    moved = [x - y for x, y in zip(jax.tree.leaves(one.ema["generator"]), jax.tree.leaves(one.generator), strict=True)]
    assert max(float(jnp.abs(d).max()) for d in moved) < 1e-3
    # The attributes' statistics follow the batch.
    np.testing.assert_allclose(one.attribute_mean, 0.1 * 0.5 + 0.9 * batch["attributes"].mean(0), atol=1e-6)


def test_schedule_of_steps():
    setup = _setup(critic_warmup_steps=2, generator_every=3)
    assert [steps.step_for(i, setup).__name__ for i in range(6)] == [
        "critic_warmup_step", "critic_warmup_step", "train_step", "adversary_step", "adversary_step", "train_step"
    ]  # fmt: skip


def test_wgan_gp_adversary_step_leaves_the_generator(start):
    state, frozen, batch = start
    loss = LossConfig(adversarial_kind="wgan_gp", gradient_penalty=10.0, gradient_penalty_every=1)
    step = jax.jit(functools.partial(steps.adversary_step, setup=_setup(loss, generator_every=5)))
    after, metrics = step(state, frozen, batch, jax.random.key(0))
    assert _changed(state, after) == {"discriminator", "critic"}
    assert _equal(state.ema, after.ema) and after.step == 1
    assert metrics["loss/gradient_penalty"] > 0


def test_anonymize_obeys_control_and_strength(start):
    state, _, batch = start
    images, attributes = to_float(batch["image"]), jnp.asarray(batch["attributes"], jnp.float32)
    change = jnp.zeros(13).at[:5].set(1.0)
    base = attributes.at[:, 7].set(1.0)  # forced
    z = jax.random.normal(jax.random.key(0), (N, 13))

    @jax.jit
    def run(z, strength):
        variables = {"generator": state.generator, "ainet": state.ainet}
        return anonymize(SETUP.networks, variables, images, attributes, change, base, z, strength)

    y, new, gates = run(z, jnp.ones(N))
    np.testing.assert_array_equal(new[:, 5:], base[:, 5:])
    assert len(gates) == 2 and y.shape == images.shape
    assert (run(z, jnp.ones(N))[0] == y).all() and jnp.abs(run(-z, jnp.ones(N))[0] - y).max() > 1e-3
    np.testing.assert_array_equal(run(z, jnp.zeros(N))[1], attributes)  # nothing is asked for at strength 0
    np.testing.assert_array_equal(run(z, jnp.zeros(N))[0], run(-z, jnp.zeros(N))[0])


def test_learning_rates_fall_at_the_end_and_the_critic_slows_after_its_warmup():
    warmup = 20_000
    setup = Setup(SETUP.networks, (), SETUP.loss, OptimizerConfig(critic_warmup_steps=warmup), warmup + 30_000)
    params = {"w": jnp.zeros(())}

    def rate(name, count):
        """How far Adam moves when all gradients so far were 1; after so many, its corrections are over."""
        optimizer = setup.optimizers[name]
        counters = {jnp.dtype(jnp.int32): count, jnp.dtype(jnp.float32): 1.0}
        opt_state = jax.tree.map(lambda x: jnp.full_like(x, counters[x.dtype]), optimizer.init(params))
        update, _ = optimizer.update({"w": jnp.ones(())}, opt_state, params)
        return -float(update["w"])

    c = setup.optimizer
    assert rate("generator", 20_000) == pytest.approx(c.learning_rate, rel=1e-3)
    assert rate("generator", 27_000) == pytest.approx(c.learning_rate * 0.525, rel=1e-3)
    assert rate("discriminator", 30_000) == pytest.approx(c.discriminator_learning_rate * 0.05, rel=1e-3)
    assert rate("critic", warmup - 1) == pytest.approx(c.critic_warmup_learning_rate, rel=1e-3)
    assert rate("critic", warmup) == pytest.approx(c.critic_learning_rate, rel=1e-3)
    assert rate("critic", warmup + 30_000) == pytest.approx(c.critic_learning_rate * 0.05, rel=1e-3)
