"""The Frechet distance between features of originals and of results (Heusel et al. 2017), for a few hundred faces.

With fewer faces than features a covariance is mostly noise. So the features are projected on a few fixed random
directions, the same for every method and data set, scaled so that squared distances are kept on average: our own
choice. The values are not those of another projection or network. How far two halves of the originals are apart says
what chance alone makes of so few faces.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from a3gan_jax.evals.evidence import numbers, plain
from a3gan_jax.evals.figures import Figure

DIRECTIONS = 32
LEAST = 2 * DIRECTIONS  # faces
BLOCKS = 10  # of the interval: each is left out once
DIGITS = 9  # of the sums, of which covariances are small differences
SIDES = ("before", "after")

Part = dict[str, Any]


def frechet_parts(before: np.ndarray, after: np.ndarray, found: np.ndarray, block: np.ndarray) -> list[Part]:
    """What the distances need to know of features (N, D): their sums and products by block, found faces apart.

    Args:
        before: of originals, finite.
        after: of their results, finite.
        found: (N,) bool.
        block: (N,) int; what is no independent case lies in one block.
    """
    parts = []
    for number in np.unique(block):
        for known in (True, False):
            rows = (block == number) & (found == known)
            if rows.any():
                sums = {side: _sums(features[rows]) for side, features in zip(SIDES, (before, after), strict=True)}
                parts.append({"block": int(number), "found": known, "count": int(rows.sum()), **sums})
    return parts


def frechet_figures(parts: Sequence[Part]) -> Iterator[Figure]:
    """The distance with an interval from the delete-a-group jackknife (Kott 2001), and that of the halves."""
    yield _figure("frechet distance", parts)
    yield _figure("frechet distance/found only", [part for part in parts if part["found"]])
    halves = [[part for part in parts if part["block"] % 2 == odd] for odd in (0, 1)]
    if all(sum(part["count"] for part in half) > 1 for half in halves):
        value = distance(*(_moments(half, SIDES[0]) for half in halves))
        count = min(sum(part["count"] for part in half) for half in halves)
        yield Figure("frechet distance/between halves of the originals", value, count)


def distance(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> float:
    """Of two normal distributions, each a mean (D,) and a covariance (D, D); at least 0."""
    (mean, covariance), (mean2, covariance2) = one, other
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ covariance2 @ root).clip(0)).sum()
    apart = float(((mean - mean2) ** 2).sum() + np.trace(covariance) + np.trace(covariance2) - 2 * shared)
    return max(apart, 0.0)


def _figure(name: str, parts: Sequence[Part]) -> Figure:
    count, blocks = sum(part["count"] for part in parts), {part["block"] for part in parts}
    if count < LEAST:
        return Figure(name, float("nan"), count)
    value = _between(parts)
    if len(blocks) < 2:
        return Figure(name, value, count)
    without = np.array([_between([part for part in parts if part["block"] != block]) for block in sorted(blocks)])
    spread = 1.959964 * np.sqrt((len(blocks) - 1) * without.var())  # 95 %
    return Figure(name, value, count, max(value - spread, 0.0), value + spread)


def _between(parts: Sequence[Part]) -> float:
    return distance(*(_moments(parts, side) for side in SIDES))


@functools.cache
def _projection(size: int) -> np.ndarray:
    """(size, DIRECTIONS): orthogonal directions, longer than 1 as much as is lost of a distance on average."""
    drawn = np.random.default_rng(0).normal(size=(size, DIRECTIONS))
    return np.linalg.qr(drawn)[0] * np.sqrt(size / DIRECTIONS)


def _sums(features: np.ndarray) -> Part:
    values = features.astype(np.float64) @ _projection(features.shape[1])
    products = (values.T @ values)[np.triu_indices(DIRECTIONS)]
    return {"sum": plain(values.sum(0), DIGITS), "products": plain(products, DIGITS)}


def _moments(parts: Sequence[Part], side: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the faces of all parts."""
    count = sum(part["count"] for part in parts)
    mean = sum(numbers(part[side]["sum"]) for part in parts) / count
    products = np.zeros((DIRECTIONS, DIRECTIONS))
    products[np.triu_indices(DIRECTIONS)] = sum(numbers(part[side]["products"]) for part in parts)
    products += np.triu(products, 1).T
    return mean, (products - count * np.outer(mean, mean)) / (count - 1)
