"""What the generator and AINet are trained for: the sum of all their losses on a batch.

A batch of N originals is seen three times by the generator: once at strength 0 or a random one, and twice at
strength 1 under two seeds. The second seed of an image is the first seed of its neighbour, so that one batch shows
one face under two seeds and two faces under one seed.
"""

import flax
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from a3gan_jax import losses
from a3gan_jax.attributes import BEYOND_FACE, FORMS, plausibility_penalty
from a3gan_jax.geometry import form_regions, head_region
from a3gan_jax.inference import anonymize, to_float
from a3gan_jax.models.scu import gate_floor_region
from a3gan_jax.train_state import Setup, TrainState
from a3gan_jax.training_config import LossConfig
from a3gan_jax.views import arcface_view, blurred, pasted, random_arcface_view

Metrics = dict[str, Array]
PASSES = 3
#: The strongest blur of what the detector sees, in shares of the side: with less, specks pass for corners of the mouth.
LANDMARK_BLUR = 0.04
DETECTOR = "detector"  # name of its variables among the frozen ones
#: The losses that ask for another person; they grow from nothing. Asked for at once, the cheapest answer is to shut
#: the gates on everything, and pose and mouth are lost with the identity.
IDENTITY_LOSSES = ("identity", "identity_critic", "diversity", "pseudonym")


@flax.struct.dataclass
class Fakes:
    """What the generator made of a batch: ``images`` (N, 3, S, S, 3); ``strength`` (N, 3); gradients stopped."""

    images: Array
    strength: Array


def inputs(batch: dict[str, Array]) -> tuple[Array, Array, Array]:
    """Images (N, S, S, 3) in [-1, 1], attributes (N, K) float32 and people (N,) of a batch of the pipeline."""
    return to_float(batch["image"]), batch["attributes"].astype(jnp.float32), batch["identity"]


def repeat(x: Array, times: int) -> Array:
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
    in_photo = jax.random.bernoulli(jax.random.fold_in(key, 5), c.in_photo_probability, (n, 1))
    change = change & ~(in_photo & np.isin(model.attributes, BEYOND_FACE))
    z = jax.random.normal(keys[2], (n, model.z_dim))
    reconstruct = jax.random.bernoulli(keys[3], c.reconstruct_probability, (n,))
    partial = jnp.where(reconstruct, 0.0, jax.random.uniform(keys[4], (n,)))
    ones = jnp.ones(n)
    return change.astype(jnp.float32), _stack(z, z, jnp.roll(z, 1, axis=0)), _stack(partial, ones, ones)


def make_fakes(state: TrainState, batch, key: Array, *, setup: Setup) -> Fakes:
    """What the generator makes of a batch, without learning from it."""
    x, a, _ = inputs(batch)
    change, z, strength = _sample_conditions(key, x.shape[0], setup)
    x3, a3, change3 = (repeat(v, PASSES) for v in (x, a, change))
    variables = {"generator": state.generator, "ainet": state.ainet}
    y, _, _ = anonymize(setup.networks, variables, x3, a3, change3, a3, z, strength)
    return Fakes(jax.lax.stop_gradient(_unstack(y)), strength.reshape(-1, PASSES))


def judged(images: Array, originals: Array, c: LossConfig) -> Array:
    """What discriminator and recognisers see of fakes (N, 3, S, S, 3) of originals (N, S, S, 3), likewise."""
    return images.at[:, -1].set(pasted(images[:, -1], originals)) if c.judge_pasted else images


def forms_kept(attributes: Array, target: Array, setup: Setup) -> Array:
    """Which of ``FORMS`` shall stay (N, R): those all of whose attributes are in ``target`` (N, K) what they were."""
    names, stay = setup.networks.config.attributes, jax.lax.stop_gradient(1.0 - jnp.abs(target - attributes))
    of_part = [[names.index(name) for name in part if name in names] for part in FORMS.values()]
    return jnp.stack([stay[:, np.array(columns, int)].prod(-1) for columns in of_part], axis=-1)


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
    """Losses and measurements by the frozen recognisers: originals (N, S, S, 3) and what is made of them at strength 1
    (N, 2, S, S, 3)."""
    c = setup.loss
    n = min(c.identity_images or images.shape[0], images.shape[0])
    originals, faces = images[:n], anonymized[:n].reshape(-1, *images.shape[1:])
    total: Metrics = {}
    cosines = []
    for i, recognizer in enumerate(setup.recognizers):
        variables = frozen[recognizer.name]
        target = jax.lax.stop_gradient(recognizer.embed(variables, arcface_view(originals)))
        view = random_arcface_view(jax.random.fold_in(key, i), faces, grey=c.identity_grey)
        embedding = recognizer.embed(variables, view).reshape(n, 2, -1)
        cosine = _cosine(embedding, target[:, None])
        cosines.append(cosine.mean())
        parts = {"identity": losses.identity(cosine.reshape(-1), c.identity_margin)}
        parts |= _pseudonym_losses(embedding[:, 0], embedding[:, 1], n == images.shape[0], c)
        total = {name: total.get(name, 0.0) + value / len(setup.recognizers) for name, value in parts.items()}
    return total, {"identity_cosine": jnp.stack(cosines).mean()} if cosines else {}


def _landmark_loss(setup: Setup, variables, images: Array, anonymized: Array, key: Array) -> Array:
    """How far the points of a face move from its original (N, S, S, 3) to what is made of it (N, 2, S, S, 3), as those
    cells of the detector see it that are surest of the original."""
    n, size = images.shape[:2]
    together = jnp.concatenate([images[:, None], anonymized], axis=1).reshape(-1, *images.shape[1:])
    view = blurred(key, together, LANDMARK_BLUR)
    sights = setup.detector.apply(variables, view)
    points = sights.points.reshape(n, PASSES, -1, 5, 2) / size
    original, new = jax.lax.stop_gradient(points[:, 0]), points[:, 1:]
    surest = jax.lax.stop_gradient(sights.scores.reshape(n, PASSES, -1)[:, 0]) ** 8  # of cells side by side a few
    shares = surest / jnp.maximum(surest.sum(-1, keepdims=True), 1e-6)
    return losses.landmarks(
        new.reshape(-1, *new.shape[2:]), repeat(original, 2), repeat(shares, 2), setup.loss.landmarks_tolerance
    )


def generator_losses(params, state: TrainState, frozen, batch, key: Array, setup: Setup):
    """Total loss of generator and AINet, with (fakes, metrics)."""
    c, networks = setup.loss, setup.networks
    generator, ainet = params
    x, a, identity = inputs(batch)
    n, size = x.shape[0], x.shape[1]
    keys = jax.random.split(key, 4)

    change, z, strength = _sample_conditions(keys[0], n, setup)
    x3, a3, change3 = repeat(x, PASSES), repeat(a, PASSES), repeat(change, PASSES)
    new, probabilities = networks.ainet.apply(ainet, a3, change3, z)
    new = jnp.where(strength[:, None] > 0, new, a3)
    y, gates = networks.generator.apply(generator, x3, a3, new, z, strength)

    anonymized, target, x2 = _unstack(y)[:, 1:], _unstack(new)[:, 1:], repeat(x, 2)
    y2 = anonymized.reshape(x2.shape)
    seen = judged(_unstack(y), x, c)
    verdict = networks.discriminator.apply(state.discriminator, seen.reshape(y.shape))
    real_features = networks.discriminator.apply(state.discriminator, x).features
    blurred_verdict = networks.discriminator.apply(state.discriminator, blurred(keys[1], y2))
    critic_logits, critic_embedding = networks.critic.apply(state.critic, blurred(keys[2], y))
    critic_embedding = _unstack(critic_embedding)

    matched = [i for i, f in enumerate(real_features) if f.shape[1] in c.feature_matching_sides]
    floors = (c.gate_floors + (c.gate_floors[-1],) * len(gates))[: len(gates)]
    parts = {
        "adversarial": losses.generator_adversarial(c.adversarial_kind, verdict.real, strength),
        "adversarial_local": losses.generator_adversarial(c.adversarial_kind, verdict.local, strength),
        "attribute": losses.attribute(
            blurred_verdict.attributes,
            jax.lax.stop_gradient(target.reshape(-1, target.shape[-1])),
            1.0 + (c.kept_attribute - 1.0) * (1.0 - repeat(change, 2)),
        ),
        "reconstruction": losses.l1(y, x3, jnp.where(strength < 1, 1.0 - strength, 0.0)),
        "background": losses.background(y2, x2, head_region(size)),
        "low_frequency": losses.low_frequency(y2, x2, c.low_frequency_cells),
        "chroma": losses.chroma(y2, x2, c.chroma_cells),
        "structure": losses.structure(
            y2,
            x2,
            form_regions(c.structure_cells),
            forms_kept(repeat(a, 2), target.reshape(-1, target.shape[-1]), setup),
        ),
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
            critic_logits, repeat(identity, PASSES), strength, c.identity_critic_guesses
        ),
        "anonymization": losses.anonymization(
            *(_unstack(v)[:, 1:].reshape(-1, v.shape[-1]) for v in (probabilities, a3, change3)),
            c.anonymization_delta,
        ),
        "rarity": losses.rarity(target.reshape(-1, target.shape[-1]), state.attribute_mean, state.attribute_covariance),
        "plausibility": plausibility_penalty(target.reshape(-1, target.shape[-1]), networks.config.attributes).mean(),
    }
    frozen_parts, measured = _identity_losses(setup, frozen, x, seen[:, 1:], keys[3])
    critic_parts = {}
    if networks.config.num_people:  # else the critic has nothing to learn from, and says nothing
        critic_parts = _pseudonym_losses(critic_embedding[:, 1], critic_embedding[:, 2], True, c)
    parts |= frozen_parts | {f"critic_{name}": value for name, value in critic_parts.items()}

    if setup.detector:
        fresh = jax.random.fold_in(keys[3], len(setup.recognizers))
        parts["landmarks"] = _landmark_loss(setup, frozen[DETECTOR], x, seen[:, 1:], fresh)

    ramp = jnp.ones(())
    if c.identity_ramp_steps:
        ramp = jnp.clip((state.step - setup.optimizer.critic_warmup_steps) / c.identity_ramp_steps, 0.0, 1.0)

    def weight(name: str) -> Array | float:
        name = name.removeprefix("critic_")
        return getattr(c, name) * (ramp if name in IDENTITY_LOSSES else 1.0)

    total = sum(weight(name) * value for name, value in parts.items())

    known = repeat(identity >= 0, 2)
    named = _unstack(critic_logits)[:, 1:].reshape(len(x2), -1).argmax(-1) == repeat(identity, 2)
    metrics = {f"loss/{name}": value for name, value in parts.items()} | {"loss/generator": total} | measured
    metrics |= {f"gate/level_{len(gates) - i}": _unstack(g)[:, 1:].mean() for i, g in enumerate(gates)}
    metrics["changed_attributes"] = (jnp.abs(target - a[:, None]) * change[:, None]).sum() / (2 * change.sum() + 1e-6)
    metrics["critic_top1_anonymized"] = losses.weighted_mean(named.astype(jnp.float32), known.astype(jnp.float32))
    metrics["change_l1"] = jnp.abs(y2 - x2).mean()
    metrics["seed_l1"] = jnp.abs(anonymized[:, 0] - anonymized[:, 1]).mean()
    fakes = Fakes(jax.lax.stop_gradient(_unstack(y)), strength.reshape(n, PASSES))
    return total, (fakes, metrics)
