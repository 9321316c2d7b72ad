"""The losses: pure functions of arrays that return a scalar.

``weights`` (N,), where a loss takes it, says how much each example counts; the loss is the weighted mean, and zero when
no example counts. Sources: AttGAN (arXiv 1711.10678) for the attribute and reconstruction losses, WGAN-GP (arXiv
1704.00028), R1 (arXiv 1801.04406); the anonymization loss is named in the A3GAN abstract and its form is our own, as
are the identity critic, the gate floor and the pseudonym losses.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax
from jax import Array

ADVERSARIAL = ("non_saturating", "wgan_gp")


def weighted_mean(values: Array, weights: Array | None = None) -> Array:
    """Mean of ``values`` (N, ...) over everything, examples weighted by ``weights`` (N,)."""
    values = values.reshape(values.shape[0], -1).mean(-1)
    if weights is None:
        return values.mean()
    return (values * weights).sum() / jnp.maximum(weights.sum(), 1e-6)


def _known(kind: str) -> None:
    if kind not in ADVERSARIAL:
        raise ValueError(f"adversarial loss {kind!r} is not known; choose one of {', '.join(ADVERSARIAL)}")


def generator_adversarial(kind: str, fake: Array, weights: Array | None = None) -> Array:
    """What the generator pays for scores ``fake`` (N, ...): softplus(-D) or -D (WGAN). ``weights``: (N,)."""
    _known(kind)
    return weighted_mean(jax.nn.softplus(-fake) if kind == "non_saturating" else -fake, weights)


def discriminator_adversarial(kind: str, real: Array, fake: Array, weights: Array | None = None) -> Array:
    """What the discriminator pays for scores ``real`` (M, ...) and ``fake`` (N, ...), the fakes weighted by (N,)."""
    _known(kind)
    if kind == "non_saturating":
        return jax.nn.softplus(-real).mean() + weighted_mean(jax.nn.softplus(fake), weights)
    return weighted_mean(fake, weights) - real.mean()


def gradient_penalty(score: Callable[[Array], Array], real: Array, fake: Array, key: Array) -> Array:
    """WGAN-GP: mean (|grad D| - 1)^2 at random points between ``real`` and ``fake`` (N, S, S, 3), one a pair."""
    t = jax.random.uniform(key, (real.shape[0], 1, 1, 1))
    gradient = jax.grad(lambda x: score(x).sum())(real + t * (fake - real))
    norm = jnp.sqrt((gradient**2).sum((1, 2, 3)) + 1e-12)
    return ((norm - 1.0) ** 2).mean()


def r1_penalty(score: Callable[[Array], Array], real: Array) -> Array:
    """R1: half the mean squared gradient norm of D at ``real`` (N, S, S, 3)."""
    gradient = jax.grad(lambda x: score(x).sum())(real)
    return 0.5 * (gradient**2).sum((1, 2, 3)).mean()


def attribute(logits: Array, target: Array, weights: Array | None = None) -> Array:
    """Mean sigmoid cross-entropy of ``logits`` (N, K) against ``target`` (N, K) in [0, 1], each weighted by ``weights``
    (N, K)."""
    losses = optax.sigmoid_binary_cross_entropy(logits, target)
    return losses.mean() if weights is None else (losses * weights).sum() / jnp.maximum(weights.sum(), 1e-6)


def l1(images: Array, target: Array, weights: Array | None = None) -> Array:
    """Mean absolute difference of two batches (N, H, W, C): reconstruction."""
    return weighted_mean(jnp.abs(images - target), weights)


def background(images: Array, target: Array, head: Array) -> Array:
    """L1 outside of ``head`` (S, S, 1) in [0, 1]: what surrounds the face stays."""
    return (jnp.abs(images - target) * (1.0 - head)).mean()


def low_frequency(images: Array, target: Array, cells: int) -> Array:
    """L1 of the means over a grid of ``cells`` x ``cells``: pose, light and layout stay."""
    return jnp.abs(_cell_means(images, cells) - _cell_means(target, cells)).mean()


def chroma(images: Array, target: Array, cells: int) -> Array:
    """L1 of colour without brightness over a grid of ``cells`` x ``cells``: no coloured specks, skin tone kept."""
    return low_frequency(images - images.mean(-1, keepdims=True), target - target.mean(-1, keepdims=True), cells)


def structure(images: Array, target: Array, regions: Array, kept: Array) -> Array:
    """How far the form of R parts of the face is lost: sum over the parts of the mean 1 - r, with r the correlation of
    brightness in the part (our own; the structure term of SSIM, IEEE TIP 13(4) 2004, in one window a part).

    How light a part is and how strong its contrast does not count, nor do details: brightness is averaged over a grid.

    Args:
        images, target: (N, S, S, 3).
        regions: (R, G, G) >= 0, where the parts lie in a grid of G cells a side.
        kept: (N, R) in [0, 1], how much the form of a part shall stay.
    """
    x, y = (_cell_means(v.mean(-1, keepdims=True), regions.shape[-1])[..., 0] for v in (images, target))
    share = regions / regions.sum((1, 2), keepdims=True)

    def mean(values: Array) -> Array:
        return jnp.einsum("rhw,...hw->...r", share, values)

    mean_x, mean_y = mean(x), mean(y)
    covariance = mean(x * y) - mean_x * mean_y
    variances = (mean(x * x) - mean_x**2) * (mean(y * y) - mean_y**2)
    # The least variance that counts: noise on a flat part has no form.
    lost = 1.0 - covariance / jnp.sqrt(jnp.maximum(variances, 1e-5))
    return ((lost * kept).sum(0) / jnp.maximum(kept.sum(0), 1e-6)).sum()


def _cell_means(images: Array, cells: int) -> Array:
    n, h, w, c = images.shape
    return images.reshape(n, cells, h // cells, cells, w // cells, c).mean((2, 4))


def landmarks(points: Array, target: Array, shares: Array, tolerance: float) -> Array:
    """Mean of how far points (N, A, L, 2) lie from ``target``, likewise, beyond a distance that is free.

    ``shares`` (N, A) say how much each of A sightings of an example counts and sum to 1; lengths in any unit. That pose
    and expression of the face are kept by its points is our own choice.
    """
    distance = jnp.sqrt(((points - target) ** 2).sum(-1) + 1e-12)
    return (jnp.maximum(0.0, distance - tolerance).mean(-1) * shares).sum(-1).mean()


def feature_matching(features: Sequence[Array], target: Sequence[Array]) -> Array:
    """Sum over layers (N, H, W, C) of the L1 distance, each relative to the target's mean size: the layout of the face
    as the discriminator sees it (pix2pixHD, arXiv 1711.11585, against the input in place of a ground truth)."""
    total = jnp.zeros(())
    for f, t in zip(features, target, strict=True):
        t = jax.lax.stop_gradient(t)
        total += jnp.abs(f - t).mean() / jnp.maximum(jnp.abs(t).mean(), 1e-6)
    return total


def identity(cosine: Array, margin: float) -> Array:
    """Mean of how far the cosines (N,) of anonymised and original embeddings exceed ``margin``."""
    return jnp.maximum(0.0, cosine - margin).mean()


def diversity(cosine: Array, margin: float) -> Array:
    """Mean of how far the cosines (N,) of one face under two seeds exceed ``margin``."""
    return jnp.maximum(0.0, cosine - margin).mean()


def pseudonym(cosine: Array, target: float, weights: Array | None = None) -> Array:
    """Mean of how far the cosines (N,) of two people under one seed fall short of ``target``: the seed, not the
    original, decides who is seen."""
    return weighted_mean(jnp.maximum(0.0, target - cosine), weights)


def identity_critic(logits: Array, identity: Array) -> Array:
    """Cross-entropy of ``logits`` (N, P) against the people ``identity`` (N,); -1 = unknown, does not count."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(identity, 0))
    return weighted_mean(losses, (identity >= 0).astype(logits.dtype))


def identity_leak(logits: Array, identity: Array, strength: Array, guesses: float) -> Array:
    """What the generator pays when the identity critic names the person: mean over the known people of
    max(0, log p - s log(guesses / P)).

    At strength ``s`` = 1 (N,) nothing is due once the critic does no better than ``guesses`` times chance; at 0 nothing
    is ever due.
    """
    log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), jnp.maximum(identity, 0)[:, None], axis=-1)[:, 0]
    allowed = strength * jnp.log(guesses / logits.shape[-1])
    return weighted_mean(jnp.maximum(0.0, log_p - allowed), (identity >= 0).astype(logits.dtype))


def anonymization(probabilities: Array, attributes: Array, change: Array, delta: float) -> Array:
    """Over the attributes that may change, mean of max(0, delta - |a~ - a|); all (N, K)."""
    shortfall = jnp.maximum(0.0, delta - jnp.abs(probabilities - attributes)) * change
    return shortfall.sum() / jnp.maximum(change.sum(), 1e-6)


def rarity(attributes: Array, mean: Array, covariance: Array) -> Array:
    """How far attributes (N, K) lie outside of the training set's distribution: mean of max(0, d^2 / K - 1), with d the
    Mahalanobis distance to ``mean`` (K,) under ``covariance`` (K, K)."""
    k = attributes.shape[-1]
    centred = attributes - mean
    # The ridge keeps attributes that the data never show from weighing infinitely.
    distance = (centred * jnp.linalg.solve(covariance + 0.01 * jnp.eye(k), centred.T).T).sum(-1)
    return jnp.maximum(0.0, distance / k - 1.0).mean()


def gate_floor(gates: Sequence[Array], floors: Sequence[float], regions: Sequence[Array]) -> Array:
    """Sum over levels of how far gates (N, H, W, C) stay below their floor, on average over a region (H, W, 1)."""
    total = jnp.zeros(())
    for g, floor, region in zip(gates, floors, regions, strict=True):
        area = g.shape[0] * g.shape[-1] * jnp.maximum(region.sum(), 1.0)
        total += (jnp.maximum(0.0, floor - g) * region).sum() / area
    return total
