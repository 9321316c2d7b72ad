"""The training steps: pure functions (state, frozen, batch, key) -> (state, metrics), to be jitted, the state donated.

A batch of N originals is seen three times by the generator: once at strength 0 or a random one, and twice at
strength 1 under two seeds. The second seed of an image is the first seed of its neighbour, so that one batch shows
one face under two seeds and two faces under one seed.
"""

import dataclasses
import functools
from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax
from jax import Array

from a3gan_jax import losses
from a3gan_jax.attributes import plausibility_penalty
from a3gan_jax.geometry import head_region
from a3gan_jax.models.recognizers import Recognizer
from a3gan_jax.models.scu import gate_floor_region
from a3gan_jax.networks import Networks
from a3gan_jax.training_config import LossConfig, OptimizerConfig
from a3gan_jax.views import arcface_view, blurred, random_arcface_view

Metrics = dict[str, Array]
Variables = Any
PASSES = 3
#: The losses that ask for another person; they grow from nothing. Asked for at once, the cheapest answer is to shut
#: the gates on everything, and pose and mouth are lost with the identity.
IDENTITY_LOSSES = ("identity", "identity_critic", "diversity", "pseudonym")


@dataclasses.dataclass(frozen=True)
class Setup:
    """Everything about a run that does not change while it runs: static, never traced."""

    networks: Networks
    recognizers: tuple[Recognizer, ...]
    loss: LossConfig
    optimizer: OptimizerConfig
    total_steps: int

    @functools.cached_property
    def optimizers(self) -> dict[str, optax.GradientTransformation]:
        """Adam for ``generator`` (with AINet), ``discriminator`` and ``critic``."""
        c = self.optimizer
        steps = max(1, self.total_steps - c.critic_warmup_steps)
        decay = int(c.decay_share * steps)
        fall = optax.schedules.linear_schedule(1.0, c.decay_to, max(1, decay), steps - decay)

        def critic_rate(count: Array) -> Array:
            later = c.critic_learning_rate * fall(count - c.critic_warmup_steps)
            return jnp.where(count < c.critic_warmup_steps, c.critic_warmup_learning_rate, later)

        return {
            # The generator steps once in generator_every steps, its schedule counts its own updates.
            "generator": optax.adam(lambda n: c.learning_rate * fall(n * c.generator_every), c.b1, c.b2),
            "discriminator": optax.adam(lambda n: c.discriminator_learning_rate * fall(n), c.b1, c.b2),
            "critic": optax.adam(critic_rate),
        }


@flax.struct.dataclass
class TrainState:
    """All that training changes. Networks' entries are Linen variables; ``ema`` holds ``generator`` and ``ainet``.

    ``attribute_mean`` (K,) and ``attribute_covariance`` (K, K) follow the real batches.
    """

    step: Array
    generator: Variables
    ainet: Variables
    discriminator: Variables
    critic: Variables
    ema: dict[str, Variables]
    optimizer_states: dict[str, optax.OptState]
    attribute_mean: Array
    attribute_covariance: Array


@flax.struct.dataclass
class Fakes:
    """What the generator made of a batch: ``images`` (N, 3, S, S, 3); ``strength`` (N, 3); gradients stopped."""

    images: Array
    strength: Array


def init_state(key: Array, setup: Setup) -> TrainState:
    """A fresh state. Pure, to be called under ``jit`` with the shardings that ``eval_shape`` of it suggests."""
    n = setup.networks
    size, k = n.config.image_size, len(n.config.attributes)
    keys = jax.random.split(key, 4)
    images, attributes, z = jnp.zeros((2, size, size, 3)), jnp.zeros((2, k)), jnp.zeros((2, n.config.z_dim))
    generator = n.generator.init(keys[0], images, attributes, attributes, z, jnp.zeros(2))
    ainet = n.ainet.init(keys[1], attributes, attributes, z)
    discriminator = n.discriminator.init(keys[2], images)
    critic = n.critic.init(keys[3], images)
    optimizers = setup.optimizers
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        generator=generator,
        ainet=ainet,
        discriminator=discriminator,
        critic=critic,
        ema={"generator": jax.tree.map(jnp.copy, generator), "ainet": jax.tree.map(jnp.copy, ainet)},
        optimizer_states={
            "generator": optimizers["generator"].init((generator, ainet)),
            "discriminator": optimizers["discriminator"].init(discriminator),
            "critic": optimizers["critic"].init(critic),
        },
        attribute_mean=jnp.full((k,), 0.5, jnp.float32),
        attribute_covariance=0.25 * jnp.eye(k),
    )


def to_float(images: Array) -> Array:
    """uint8 images in 0..255 -> float32 in [-1, 1]."""
    return images.astype(jnp.float32) / 127.5 - 1.0


def _inputs(batch: dict[str, Array]) -> tuple[Array, Array, Array]:
    return to_float(batch["image"]), batch["attributes"].astype(jnp.float32), batch["identity"]


def _repeat(x: Array, times: int) -> Array:
    """(N, ...) -> (N * times, ...), copies of one example side by side: a sharded batch stays where it is."""
    return jnp.repeat(x, times, axis=0)


def _stack(*passes: Array) -> Array:
    """Arrays (N, ...) -> (N * len, ...), the passes of one example side by side."""
    stacked = jnp.stack(passes, axis=1)
    return stacked.reshape(-1, *stacked.shape[2:])


def _unstack(x: Array) -> Array:
    """(N * 3, ...) -> (N, 3, ...)."""
    return x.reshape(-1, PASSES, *x.shape[1:])


def _sample_conditions(key: Array, n: int, setup: Setup) -> tuple[Array, Array, Array]:
    """Controls (N, K), seeds (N * 3, Z) and strengths (N * 3,) of a training batch."""
    c, model = setup.loss, setup.networks.config
    keys = jax.random.split(key, 5)
    change = jax.random.bernoulli(keys[0], c.change_probability, (n, len(model.attributes)))
    change = change | jax.random.bernoulli(keys[1], c.free_probability, (n, 1))
    z = jax.random.normal(keys[2], (n, model.z_dim))
    reconstruct = jax.random.bernoulli(keys[3], c.reconstruct_probability, (n,))
    partial = jnp.where(reconstruct, 0.0, jax.random.uniform(keys[4], (n,)))
    ones = jnp.ones(n)
    return change.astype(jnp.float32), _stack(z, z, jnp.roll(z, 1, axis=0)), _stack(partial, ones, ones)


def anonymize(
    networks: Networks,
    variables: dict[str, Variables],
    images: Array,
    attributes: Array,
    change: Array,
    base: Array,
    z: Array,
    strength: Array,
    gate: Array | float | None = None,
) -> tuple[Array, Array, tuple[Array, ...]]:
    """The model's one way from a face to a pseudonym.

    Args:
        networks: the modules.
        variables: ``generator`` and ``ainet``.
        images: (N, S, S, 3) in [-1, 1].
        attributes: (N, K) in [0, 1], of the images.
        change: (N, K) or (K,) in {0, 1}, 1 = AINet may choose.
        base: (N, K) what the others shall be: ``attributes``, with the forced ones in place (``Control.resolve``).
        z: (N, Z) ~ N(0, I).
        strength: (N,) in [0, 1].
        gate: forces every suppression gate.

    Returns:
        Images (N, S, S, 3) in [-1, 1], attributes (N, K) they shall show, gates deepest first.
    """
    new, _ = networks.ainet.apply(variables["ainet"], base, jnp.broadcast_to(change, base.shape), z)
    new = jnp.where(strength[:, None] > 0, new, attributes)
    images, gates = networks.generator.apply(variables["generator"], images, attributes, new, z, strength, gate)
    return images, new, gates


def predict_attributes(networks: Networks, discriminator: Variables, images: Array) -> Array:
    """Probabilities (N, K) of the attributes that images (N, S, S, 3) in [-1, 1] show, by the attribute head."""
    return jax.nn.sigmoid(networks.discriminator.apply(discriminator, images).attributes)


def _cosine(a: Array, b: Array) -> Array:
    return (a * b).sum(-1)


def _pseudonym_losses(first: Array, second: Array, whole_batch: bool, c: LossConfig) -> Metrics:
    """Diversity and pseudonym losses of unit embeddings (N, D) of the same faces under their first and second seed."""
    # second[i] wears the seed of first[i - 1]; in a part of a batch the first one's neighbour is not there.
    paired = jnp.ones(first.shape[0]).at[0].set(float(whole_batch))
    return {
        "diversity": losses.diversity(_cosine(first, second), c.diversity_margin),
        "pseudonym": losses.pseudonym(_cosine(second, jnp.roll(first, 1, axis=0)), c.pseudonym_cosine, paired),
    }


def _identity_losses(setup: Setup, frozen, images: Array, anonymized: Array, key: Array) -> tuple[Metrics, Metrics]:
    """Losses and measurements by the frozen recognisers: originals (N, S, S, 3), anonymised (N, 2, S, S, 3)."""
    c = setup.loss
    n = min(c.identity_images or images.shape[0], images.shape[0])
    originals, faces = images[:n], anonymized[:n].reshape(-1, *images.shape[1:])
    total: Metrics = {}
    cosines = []
    for i, recognizer in enumerate(setup.recognizers):
        variables = frozen[recognizer.name]
        target = jax.lax.stop_gradient(recognizer.embed(variables, arcface_view(originals)))
        view = random_arcface_view(jax.random.fold_in(key, i), faces)
        embedding = recognizer.embed(variables, view).reshape(n, 2, -1)
        cosine = _cosine(embedding, target[:, None])
        cosines.append(cosine.mean())
        parts = {"identity": losses.identity(cosine.reshape(-1), c.identity_margin)}
        parts |= _pseudonym_losses(embedding[:, 0], embedding[:, 1], n == images.shape[0], c)
        total = {name: total.get(name, 0.0) + value / len(setup.recognizers) for name, value in parts.items()}
    return total, {"identity_cosine": jnp.stack(cosines).mean()} if cosines else {}


def _generator_losses(params, state: TrainState, frozen, batch, key: Array, setup: Setup):
    """Total loss of generator and AINet, with (fakes, metrics)."""
    c, networks = setup.loss, setup.networks
    generator, ainet = params
    x, a, identity = _inputs(batch)
    n, size = x.shape[0], x.shape[1]
    keys = jax.random.split(key, 4)

    change, z, strength = _sample_conditions(keys[0], n, setup)
    x3, a3, change3 = _repeat(x, PASSES), _repeat(a, PASSES), _repeat(change, PASSES)
    new, probabilities = networks.ainet.apply(ainet, a3, change3, z)
    new = jnp.where(strength[:, None] > 0, new, a3)
    y, gates = networks.generator.apply(generator, x3, a3, new, z, strength)

    anonymized, target, x2 = _unstack(y)[:, 1:], _unstack(new)[:, 1:], _repeat(x, 2)
    y2 = anonymized.reshape(x2.shape)
    verdict = networks.discriminator.apply(state.discriminator, y)
    real_features = networks.discriminator.apply(state.discriminator, x).features
    blurred_verdict = networks.discriminator.apply(state.discriminator, blurred(keys[1], y2))
    critic_logits, critic_embedding = networks.critic.apply(state.critic, blurred(keys[2], y))
    critic_embedding = _unstack(critic_embedding)

    matched = [i for i, f in enumerate(real_features) if f.shape[1] in c.feature_matching_sides]
    floors = (c.gate_floors + (c.gate_floors[-1],) * len(gates))[: len(gates)]
    parts = {
        "adversarial": losses.generator_adversarial(c.adversarial_kind, verdict.real, strength),
        "attribute": losses.attribute(
            blurred_verdict.attributes,
            jax.lax.stop_gradient(target.reshape(-1, target.shape[-1])),
            1.0 + (c.kept_attribute - 1.0) * (1.0 - _repeat(change, 2)),
        ),
        "reconstruction": losses.l1(y, x3, jnp.where(strength < 1, 1.0 - strength, 0.0)),
        "background": losses.background(y2, x2, head_region(size)),
        "low_frequency": losses.low_frequency(y2, x2, c.low_frequency_cells),
        "chroma": losses.chroma(y2, x2, c.chroma_cells),
        "feature_matching": losses.feature_matching(
            [_unstack(verdict.features[i])[:, 1:] for i in matched],
            [real_features[i][:, None] for i in matched],
        ),
        "gate_floor": losses.gate_floor(
            [_unstack(g)[:, 1:].reshape(-1, *g.shape[1:]) for g in gates],
            floors,
            [gate_floor_region(g.shape[1]) for g in gates],
        ),
        "identity_critic": losses.identity_leak(
            critic_logits, _repeat(identity, PASSES), strength, c.identity_critic_guesses
        ),
        "anonymization": losses.anonymization(
            *(_unstack(v)[:, 1:].reshape(-1, v.shape[-1]) for v in (probabilities, a3, change3)),
            c.anonymization_delta,
        ),
        "rarity": losses.rarity(target.reshape(-1, target.shape[-1]), state.attribute_mean, state.attribute_covariance),
        "plausibility": plausibility_penalty(target.reshape(-1, target.shape[-1]), networks.config.attributes).mean(),
    }
    frozen_parts, measured = _identity_losses(setup, frozen, x, anonymized, keys[3])
    critic_parts = _pseudonym_losses(critic_embedding[:, 1], critic_embedding[:, 2], True, c)
    parts |= frozen_parts | {f"critic_{name}": value for name, value in critic_parts.items()}

    ramp = jnp.ones(())
    if c.identity_ramp_steps:
        ramp = jnp.clip((state.step - setup.optimizer.critic_warmup_steps) / c.identity_ramp_steps, 0.0, 1.0)

    def weight(name: str) -> Array | float:
        name = name.removeprefix("critic_")
        return getattr(c, name) * (ramp if name in IDENTITY_LOSSES else 1.0)

    total = sum(weight(name) * value for name, value in parts.items())

    known = _repeat(identity >= 0, 2)
    named = _unstack(critic_logits)[:, 1:].reshape(len(x2), -1).argmax(-1) == _repeat(identity, 2)
    metrics = {f"loss/{name}": value for name, value in parts.items()} | {"loss/generator": total} | measured
    metrics |= {f"gate/level_{len(gates) - i}": _unstack(g)[:, 1:].mean() for i, g in enumerate(gates)}
    metrics["changed_attributes"] = (jnp.abs(target - a[:, None]) * change[:, None]).sum() / (2 * change.sum() + 1e-6)
    metrics["critic_top1_anonymized"] = losses.weighted_mean(named.astype(jnp.float32), known.astype(jnp.float32))
    metrics["change_l1"] = jnp.abs(y2 - x2).mean()
    metrics["seed_l1"] = jnp.abs(anonymized[:, 0] - anonymized[:, 1]).mean()
    fakes = Fakes(jax.lax.stop_gradient(_unstack(y)), strength.reshape(n, PASSES))
    return total, (fakes, metrics)


def _update(setup: Setup, state: TrainState, name: str, gradient, params):
    """One optimiser step of ``name``: new parameters, new optimiser states, gradient and update norms."""
    updates, opt_state = setup.optimizers[name].update(gradient, state.optimizer_states[name], params)
    norms = {
        f"gradient_norm/{name}": optax.tree.norm(gradient),
        f"update_norm/{name}": optax.tree.norm(updates),
    }
    return optax.apply_updates(params, updates), state.optimizer_states | {name: opt_state}, norms


def generator_step(state: TrainState, frozen, batch, key: Array, *, setup: Setup) -> tuple[TrainState, Metrics, Fakes]:
    """Generator and AINet learn; nothing else changes but their moving averages. Also returns what they made."""
    params = (state.generator, state.ainet)
    gradient, (fakes, metrics) = jax.grad(_generator_losses, has_aux=True)(params, state, frozen, batch, key, setup)
    (generator, ainet), optimizer_states, norms = _update(setup, state, "generator", gradient, params)
    # Warm-up: the average must not remember the random start for its first thousand steps.
    count = (state.step - setup.optimizer.critic_warmup_steps).astype(jnp.float32)
    decay = jnp.clip((1.0 + count) / (10.0 + count), 0.0, setup.optimizer.ema_decay)
    ema = jax.tree.map(
        lambda old, new: decay * old + (1.0 - decay) * new, state.ema, {"generator": generator, "ainet": ainet}
    )
    state = state.replace(generator=generator, ainet=ainet, ema=ema, optimizer_states=optimizer_states)
    return state, metrics | norms, fakes


def make_fakes(state: TrainState, batch, key: Array, *, setup: Setup) -> Fakes:
    """What the generator makes of a batch, without learning from it."""
    x, a, _ = _inputs(batch)
    change, z, strength = _sample_conditions(key, x.shape[0], setup)
    x3, a3, change3 = (_repeat(v, PASSES) for v in (x, a, change))
    variables = {"generator": state.generator, "ainet": state.ainet}
    y, _, _ = anonymize(setup.networks, variables, x3, a3, change3, a3, z, strength)
    return Fakes(jax.lax.stop_gradient(_unstack(y)), strength.reshape(-1, PASSES))


def discriminator_step(
    state: TrainState, batch, key: Array, fakes: Fakes, *, setup: Setup
) -> tuple[TrainState, Metrics]:
    """The discriminator learns: real against made, and the attributes of the real ones, sharp and blurred."""
    c, apply = setup.loss, setup.networks.discriminator.apply
    x, a, _ = _inputs(batch)
    y, weights = fakes.images.reshape(-1, *x.shape[1:]), fakes.strength.reshape(-1)
    keys = jax.random.split(key, 2)

    def loss(params):
        real, blurry = apply(params, x), apply(params, blurred(keys[0], x))
        fake = apply(params, y)
        parts = {
            "discriminator_adversarial": losses.discriminator_adversarial(
                c.adversarial_kind, real.real, fake.real, weights
            ),
            "discriminator_attribute": 0.5
            * (losses.attribute(real.attributes, a) + losses.attribute(blurry.attributes, a)),
        }
        total = parts["discriminator_adversarial"] + c.attribute_discriminator * parts["discriminator_attribute"]
        measured = {
            "real_score": real.real.mean(),
            "fake_score": losses.weighted_mean(fake.real, weights),
            "attribute_accuracy": ((real.attributes > 0) == (a > 0.5)).mean(),
        }
        return total, (parts, measured)

    def penalty(params):
        def score(images: Array) -> Array:
            return apply(params, images).real

        if c.adversarial_kind == "wgan_gp":
            value = losses.gradient_penalty(score, x, fakes.images[:, 1], keys[1])
        else:
            value = losses.r1_penalty(score, x)
        return c.gradient_penalty * c.gradient_penalty_every * value

    (total, (parts, measured)), gradient = jax.value_and_grad(loss, has_aux=True)(state.discriminator)

    # Lazy: computed once in so many steps, and counted as many times (StyleGAN2, arXiv 1912.04958).
    def with_penalty():
        value, more = jax.value_and_grad(penalty)(state.discriminator)
        return value, jax.tree.map(jnp.add, gradient, more)

    value, gradient = jax.lax.cond(
        state.step % c.gradient_penalty_every == 0, with_penalty, lambda: (jnp.zeros(()), gradient)
    )
    parts |= {"gradient_penalty": value, "discriminator": total + value}
    params, optimizer_states, norms = _update(setup, state, "discriminator", gradient, state.discriminator)
    state = state.replace(discriminator=params, optimizer_states=optimizer_states)
    return state, {f"loss/{k}": v for k, v in parts.items()} | measured | norms


def critic_step(
    state: TrainState, batch, key: Array, fakes: Fakes | None, *, setup: Setup
) -> tuple[TrainState, Metrics]:
    """The identity critic learns to name the people on originals and, given ``fakes``, on anonymised faces too."""
    x, _, identity = _inputs(batch)
    keys = jax.random.split(key, 2)

    def loss(params):
        logits, _ = setup.networks.critic.apply(params, blurred(keys[0], x))
        parts = {"critic_original": losses.identity_critic(logits, identity)}
        if fakes is not None:
            y = fakes.images[:, 1:].reshape(-1, *x.shape[1:])
            fake_logits, _ = setup.networks.critic.apply(params, blurred(keys[1], y))
            parts["critic_anonymized"] = losses.identity_critic(fake_logits, _repeat(identity, 2))
        known = (identity >= 0).astype(jnp.float32)
        named = losses.weighted_mean((logits.argmax(-1) == identity).astype(jnp.float32), known)
        return sum(parts.values()), (parts, named)

    gradient, (parts, named) = jax.grad(loss, has_aux=True)(state.critic)
    params, optimizer_states, norms = _update(setup, state, "critic", gradient, state.critic)
    state = state.replace(critic=params, optimizer_states=optimizer_states)
    return state, {f"loss/{k}": v for k, v in parts.items()} | {"critic_top1_original": named} | norms


def _advance(state: TrainState, batch) -> TrainState:
    """Counts the step and follows the attributes of the real faces."""
    a = batch["attributes"].astype(jnp.float32)
    count = state.step.astype(jnp.float32)
    decay = jnp.minimum(0.998, (1.0 + count) / (10.0 + count))
    mean = decay * state.attribute_mean + (1 - decay) * a.mean(0)
    centred = a - mean
    covariance = decay * state.attribute_covariance + (1 - decay) * (centred.T @ centred) / a.shape[0]
    return state.replace(step=state.step + 1, attribute_mean=mean, attribute_covariance=covariance)


def critic_warmup_step(state: TrainState, frozen, batch, key: Array, *, setup: Setup) -> tuple[TrainState, Metrics]:
    """A step of the first phase: only the identity critic learns."""
    state, metrics = critic_step(state, batch, key, None, setup=setup)
    return _advance(state, batch), metrics


def adversary_step(state: TrainState, frozen, batch, key: Array, *, setup: Setup) -> tuple[TrainState, Metrics]:
    """A step in which discriminator and identity critic learn and the generator does not (WGAN-GP's extra steps)."""
    keys = jax.random.split(key, 3)
    fakes = make_fakes(state, batch, keys[0], setup=setup)
    state, metrics = discriminator_step(state, batch, keys[1], fakes, setup=setup)
    state, more = critic_step(state, batch, keys[2], fakes, setup=setup)
    return _advance(state, batch), metrics | more


def train_step(state: TrainState, frozen, batch, key: Array, *, setup: Setup) -> tuple[TrainState, Metrics]:
    """A full step: the generator learns, then the discriminator and the identity critic on what it just made.

    ``frozen``: name of a recogniser -> its variables; an argument, so that no weight is compiled into the step.
    ``batch``: ``image`` uint8 (N, S, S, 3), ``attributes`` (N, K) in {0, 1}, ``identity`` int32 (N,), -1 = unknown.
    """
    keys = jax.random.split(key, 3)
    state, metrics, fakes = generator_step(state, frozen, batch, keys[0], setup=setup)
    state, more = discriminator_step(state, batch, keys[1], fakes, setup=setup)
    state, most = critic_step(state, batch, keys[2], fakes, setup=setup)
    return _advance(state, batch), metrics | more | most


def step_for(step: int, setup: Setup):
    """The function that takes the run from ``step`` (0, 1, ...) to the next one, by the schedule of ``setup``."""
    after_warmup = step - setup.optimizer.critic_warmup_steps
    if after_warmup < 0:
        return critic_warmup_step
    return train_step if after_warmup % setup.optimizer.generator_every == 0 else adversary_step
