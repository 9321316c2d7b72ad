"""The training steps: pure functions (state, frozen, batch, key) -> (state, metrics), jitted with donated state."""

import jax
import jax.numpy as jnp
import optax
from jax import Array

from a3gan_jax import losses
from a3gan_jax.generator_objective import Fakes, Metrics, generator_losses, inputs, judged, make_fakes, repeat
from a3gan_jax.train_state import Setup, TrainState
from a3gan_jax.views import blurred


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
    gradient, (fakes, metrics) = jax.grad(generator_losses, has_aux=True)(params, state, frozen, batch, key, setup)
    (generator, ainet), optimizer_states, norms = _update(setup, state, "generator", gradient, params)
    # Warm-up: the average must not remember the random start for its first thousand steps.
    count = (state.step - setup.optimizer.critic_warmup_steps).astype(jnp.float32)
    decay = jnp.clip((1.0 + count) / (10.0 + count), 0.0, setup.optimizer.ema_decay)
    ema = jax.tree.map(
        lambda old, new: decay * old + (1.0 - decay) * new, state.ema, {"generator": generator, "ainet": ainet}
    )
    state = state.replace(generator=generator, ainet=ainet, ema=ema, optimizer_states=optimizer_states)
    return state, metrics | norms, fakes


def discriminator_step(
    state: TrainState, batch, key: Array, fakes: Fakes, *, setup: Setup
) -> tuple[TrainState, Metrics]:
    """The discriminator learns: real against made, and the attributes of the real ones, sharp and blurred."""
    c, apply = setup.loss, setup.networks.discriminator.apply
    x, a, _ = inputs(batch)
    y, weights = judged(fakes.images, x, c).reshape(-1, *x.shape[1:]), fakes.strength.reshape(-1)
    keys = jax.random.split(key, 2)

    def loss(params):
        real, blurry = apply(params, x), apply(params, blurred(keys[0], x))
        fake = apply(params, y)
        parts = {
            "discriminator_adversarial": losses.discriminator_adversarial(
                c.adversarial_kind, real.real, fake.real, weights
            ),
            "discriminator_local": losses.discriminator_adversarial(
                c.adversarial_kind, real.local, fake.local, weights
            ),
            "discriminator_attribute": 0.5
            * (losses.attribute(real.attributes, a) + losses.attribute(blurry.attributes, a)),
        }
        realness = parts["discriminator_adversarial"] + parts["discriminator_local"]
        total = realness + c.attribute_discriminator * parts["discriminator_attribute"]
        measured = {
            "real_score": real.real.mean(),
            "fake_score": losses.weighted_mean(fake.real, weights),
            "attribute_accuracy": ((real.attributes > 0) == (a > 0.5)).mean(),
        }
        return total, (parts, measured)

    def penalty(params):
        def score(images: Array) -> Array:
            verdict = setup.networks.penalized_discriminator.apply(params, images)
            # sum / sqrt(places): as if every place paid a penalty of its own, and their mean counted.
            local = verdict.local.sum((1, 2)) / verdict.local[0].size ** 0.5
            return verdict.real + c.gradient_penalty_local * local

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
    x, _, identity = inputs(batch)
    keys = jax.random.split(key, 2)

    def loss(params):
        logits, _ = setup.networks.critic.apply(params, blurred(keys[0], x))
        parts = {"critic_original": losses.identity_critic(logits, identity)}
        if fakes is not None:
            y = fakes.images[:, 1:].reshape(-1, *x.shape[1:])
            fake_logits, _ = setup.networks.critic.apply(params, blurred(keys[1], y))
            parts["critic_anonymized"] = losses.identity_critic(fake_logits, repeat(identity, 2))
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
