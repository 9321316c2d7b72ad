"""What a task of the evaluation says: figures, each with how many cases it rests on and how sure it is."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.sights import Sights

#: What a task has measured, case by case: names -> lists of plain JSON values, of which alone its figures come.
Evidence = dict[str, Any]

RESAMPLES = 1000  # of a bootstrap
CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Figure:
    """``value`` over ``count`` cases, with its 95 % confidence interval ``low`` to ``high``; nan where there is none.

    ``name``: lower case, parts separated by "/", such as "sface/match/all faces". A figure over the faces that were
    found alone ends in "/found only"; without it every face counts, a failure as the worst that it can mean.
    """

    name: str
    value: float
    count: int
    low: float = float("nan")
    high: float = float("nan")


class Task(Protocol):
    """One question of the evaluation, asked of originals and of what a method made of them."""

    name: str
    needs: tuple[str, ...]  # the observers and comparers that it asks: keys of ``Sights.values``

    def measure(self, photos: LabelledPhotos, before: Sights, after: Sights) -> Evidence:
        """What there is to see, case by case.

        Raises:
            ValueError: these photos do not have what the task needs; the message says what that is.
        """

    def figures(self, evidence: Evidence) -> Iterator[Figure]:
        """The figures, of the evidence alone; the same evidence gives the same figures."""


def share(name: str, hits: np.ndarray) -> Figure:
    """The share of ``hits`` (N,) bool, with Wilson's interval (JASA 1927); nan of no case.

    Raises:
        ValueError: a hit is neither true nor false. nan is not: as a bool it would be a hit.
    """
    hits = np.asarray(hits)
    if not np.isin(hits, (0, 1)).all():
        raise ValueError(f"{name}: a share is of true and false, not of {hits[~np.isin(hits, (0, 1))][0]}")
    count = len(hits)
    if not count:
        return Figure(name, float("nan"), 0)
    z, p = 1.959964, float(hits.mean())  # 95 %
    centre, spread = p + z**2 / (2 * count), z * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    low, high = ((centre + sign * spread) / (1 + z**2 / count) for sign in (-1, 1))
    return Figure(name, p, count, float(max(low, 0.0)), float(min(high, 1.0)))


def bootstrap(
    name: str, statistic: Callable[[np.ndarray], float], count: int, groups: np.ndarray | None = None, seed: int = 0
) -> Figure:
    """A statistic of cases with its percentile bootstrap interval (Efron and Tibshirani 1993).

    There is no interval where the value is nan, or where all cases are one group: of one draw nothing can be said.

    Args:
        name: of the figure.
        statistic: of the cases whose positions (M,) it is given, some of them several times; may be nan. Draws of which
            it is nan do not count for the interval.
        count: N, how many cases there are.
        groups: (N,) integers; cases of one group are drawn together (a person's photos are no independent cases).
        seed: of the draws.
    """
    if not count:
        return Figure(name, float("nan"), 0)
    value = float(statistic(np.arange(count)))
    group = np.unique(np.arange(count) if groups is None else groups, return_inverse=True)[1]
    sizes = np.bincount(group)
    if np.isnan(value) or len(sizes) == 1:
        return Figure(name, value, count)
    cases, ends = np.argsort(group, kind="stable"), np.cumsum(sizes)
    random, values = np.random.default_rng(seed), []
    for _ in range(RESAMPLES):
        drawn = random.integers(len(sizes), size=len(sizes))
        last = np.cumsum(sizes[drawn])  # of each group that was drawn, in the rows of this draw
        values.append(statistic(cases[np.arange(last[-1]) + np.repeat(ends[drawn] - last, sizes[drawn])]))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail]) if np.isfinite(values).any() else (np.nan, np.nan)
    return Figure(name, value, count, float(low), float(high))


def mean(name: str, values: np.ndarray, groups: np.ndarray | None = None) -> Figure:
    """The mean of ``values`` (N,) with its bootstrap interval."""
    values = np.asarray(values, np.float64)
    return bootstrap(name, lambda rows: float(values[rows].mean()), len(values), groups)


def worst_unseen(
    figures: Mapping[str, Sequence[Figure]], trained_against: Collection[str], names: Sequence[str]
) -> Iterator[Figure]:
    """The headline: of the recognisers that a method was not trained against, the one that recognises most.

    Args:
        figures: by recogniser, each named "RECOGNISER/NAME"; higher is worse.
        trained_against: recognisers that do not count.
        names: NAMEs to give, as "unseen/NAME"; none where every recogniser was trained against.
    """
    for name in names:
        seen = [
            figure
            for recognizer, row in figures.items()
            if recognizer not in trained_against
            for figure in row
            if figure.name == f"{recognizer}/{name}" and not np.isnan(figure.value)
        ]
        if seen:
            yield dataclasses.replace(max(seen, key=lambda figure: figure.value), name=f"unseen/{name}")
