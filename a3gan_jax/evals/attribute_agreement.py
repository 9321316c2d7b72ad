"""Are CelebA's attributes that were there before seen in the result? Asked of a probe of features; part of quality."""

from collections.abc import Iterator, Mapping

import numpy as np

from a3gan_jax.evals.attribute_probe import AttributeProbe
from a3gan_jax.evals.evidence import numbers, plain
from a3gan_jax.evals.figures import Evidence, Figure, bootstrap, mean, share
from a3gan_jax.evals.group_folds import group_folds
from a3gan_jax.evals.photos import LabelledPhotos

LEAST = 10  # faces with an attribute, and without it, from which it can be learned; our own choice


def attribute_evidence(
    photos: LabelledPhotos,
    before: np.ndarray,
    after: np.ndarray,
    cluster: np.ndarray,
    probe: AttributeProbe | None,
    asked: Mapping[str, np.ndarray],
    not_run: list[list[str]],
) -> Evidence:
    """Labels, what is seen before and after, and what was asked, (N, K) in {0, 1, None}; empty where there is nothing
    to learn.

    Args:
        photos: with N faces.
        before: (N, D) features of the originals.
        after: (N, D) of the results.
        cluster: (N,) int; people.
        probe: see ``Quality``.
        asked: of the method, see ``Sights``.
        not_run: what could not be asked, and why, is added here.
    """
    names, labels = photos.attribute_names, photos.attributes
    if not names:
        not_run.append(["attributes", f"{photos.name} has no labels of attributes"])
        return {}
    if probe is None:
        usable = np.isfinite(before).all(1)
        if len(np.unique(cluster)) < 2:
            not_run.append(["attributes", "they are learned on other people, and there is one"])
            return {}
        folds = group_folds(cluster)
        counts = np.array([[(labels[(folds != fold) & usable] == v).sum(0) for v in (0, 1)] for fold in set(folds)])
        learned = counts.min((0, 1)) >= LEAST
        if not learned.all():
            left_out = ", ".join(name for name, there in zip(names, learned, strict=True) if not there)
            not_run.append([f"attributes {left_out}", f"fewer than {LEAST} faces of other people have or lack them"])
        if not learned.any():
            return {}
        names = tuple(name for name, there in zip(names, learned, strict=True) if there)
        labels = labels[:, learned]
        seen = [np.empty(labels.shape) for _ in range(2)]
        for fold in np.unique(folds):
            learn, judged = (folds != fold) & usable, folds == fold
            probe = AttributeProbe(before[learn], labels[learn])
            for answers, features in zip(seen, (before, after), strict=True):
                answers[judged] = probe(features[judged])
    else:
        seen = [probe(features) for features in (before, after)]
    return {
        "names": list(names),
        "labels": labels.tolist(),
        "before": plain(seen[0]),
        "after": plain(seen[1]),
        "asked": plain(np.stack([asked.get(name, np.full(len(labels), np.nan)) for name in names], 1)),
    }


def attribute_figures(evidence: Evidence, found: np.ndarray, cluster: np.ndarray) -> Iterator[Figure]:
    """How good the probe is on originals that it has not seen, and how often it says the same of the result.

    "changed as asked" and "kept as asked" are of the attributes that the probe sees rightly in the original, and that
    the method was to change, or to leave: the share that it sees as asked in the result.

    "balanced" gives faces with and without an attribute the same weight; of two that guess it is one half.
    """
    names = evidence["names"]
    labels, before, after = (numbers(evidence[key], len(names)) for key in ("labels", "before", "after"))
    known = np.isfinite(before).all(1)
    usable = found & known & np.isfinite(after).all(1)
    right, agrees = labels == before, usable[:, None] & (before == after)
    for column, name in enumerate(names):
        words = f"attributes/{name.lower().replace('_', ' ')}"
        yield share(f"{words}/probe accuracy", right[:, column])
        yield share(f"{words}/agreement", agrees[:, column])
        yield share(f"{words}/agreement/found only", agrees[usable, column])
    yield mean("attributes/probe accuracy", right.mean(1), cluster)
    yield _balanced("attributes/probe balanced accuracy", right, labels == 1, cluster)
    yield mean("attributes/agreement", agrees.mean(1), cluster)
    yield mean("attributes/agreement/found only", agrees[usable].mean(1), cluster[usable])
    yield _balanced("attributes/balanced agreement", agrees[known], before[known] == 1, cluster[known])
    yield _balanced("attributes/balanced agreement/found only", agrees[usable], before[usable] == 1, cluster[usable])
    asked = numbers(evidence["asked"], len(names))
    for word, cells in (("changed", asked == 1 - labels), ("kept", asked == labels)):
        cells &= right
        for end, rows in (("", np.full(len(found), True)), ("/found only", usable)):
            if cells[rows].any():
                shown = usable[:, None] & (after == asked)
                yield _cells(f"attributes/{word} as asked{end}", shown[rows], cells[rows], cluster[rows])


def _cells(name: str, right: np.ndarray, cells: np.ndarray, cluster: np.ndarray) -> Figure:
    """The share that is ``right`` among the ``cells`` (N, K) that count."""

    def statistic(rows: np.ndarray) -> float:
        count = cells[rows].sum()
        return float((right[rows] & cells[rows]).sum() / count) if count else float("nan")

    return bootstrap(name, statistic, len(right), cluster)


def _balanced(name: str, right: np.ndarray, truth: np.ndarray, cluster: np.ndarray) -> Figure:
    """The mean over attributes of the shares that are ``right`` (N, K) where the ``truth`` (N, K) is yes and no."""

    def statistic(rows: np.ndarray) -> float:
        hits, yes = right[rows], truth[rows]
        with np.errstate(invalid="ignore"):  # of an answer that does not occur
            parts = [(hits & side).sum(0) / side.sum(0) for side in (yes, ~yes)]
        values = np.mean(parts, axis=0)
        return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")

    return bootstrap(name, statistic, len(right), cluster)
