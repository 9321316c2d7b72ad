"""Can tired drivers still be told? Yawns by the mouth, yawns by a small classifier, and how far the eyes are open.

Thresholds and classifiers are learned on originals alone, and judged on originals and results of other groups: the
frames of one driver are near copies. Groups are those of the column ``group``; where it is empty, a person's photos.
"""

from collections.abc import Iterator

import numpy as np

from a3gan_jax.evals.evidence import clusters, faces_found, numbers, plain
from a3gan_jax.evals.face_mesh import COLUMNS as MESH_COLUMNS
from a3gan_jax.evals.figures import Evidence, Figure, bootstrap, mean
from a3gan_jax.evals.group_folds import LogisticRegression, balanced_accuracy, best_threshold, group_folds
from a3gan_jax.evals.perclos import EYES, FRAMES, eye_figures, long_groups
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.roc import auc
from a3gan_jax.evals.sights import Sights

MESH, FER = "mesh", "fer"
LABEL = "fatigue"  # the column
#: Its words, in lower case; the last three are the names that YawDD (Abtahi et al. 2014) gives its videos.
YAWNS = {"yawn": True, "no_yawn": False, "yawning": True, "normal": False, "talking": False}
WHEN = ("before", "after")
WAYS = ("mouth ratio", "classifier")


class Fatigue:
    """The task. ``mesh`` (N, D): the columns of ``face_mesh``; ``fer`` (N, 7): more features of the classifier."""

    name = "fatigue"
    needs = (MESH, FER)

    def measure(self, photos: LabelledPhotos, before: Sights, after: Sights) -> Evidence:
        """Scores of yawns by those who have not seen the group (at least 0: a yawn), and eyes, photo by photo.

        Raises:
            ValueError: there is no observer mesh, or the labels cannot be learned from.
        """
        if MESH not in before.values:
            raise ValueError("fatigue needs what the observer mesh says of mouth and eyes: install it")
        groups = clusters(photos)
        eyes = [MESH_COLUMNS.index(eye) for eye in EYES]
        evidence = {
            "files": list(photos.files),
            "group": groups.tolist(),
            "found": faces_found(before, after).tolist(),
            "eyes": {when: plain(s.values[MESH][:, eyes]) for when, s in zip(WHEN, (before, after), strict=True)},
            "not_run": [],
        }
        if short := len(np.unique(groups)) - len(long_groups(groups)):
            evidence["not_run"].append([f"perclos of {short} groups", f"they have fewer than {FRAMES} frames"])
        if LABEL not in photos.labels:
            evidence["not_run"].append(["yawns", f"{photos.name} has no column {LABEL}"])
            return evidence
        if FER not in before.values:
            evidence["not_run"].append([FER, "there is no observer fer: the classifier sees mouth and eyes alone"])
        known, truth = _labels(photos.labels[LABEL])
        features = [_features(sights)[known] for sights in (before, after)]
        scores, thresholds = _held_out(features, truth, groups[known])
        evidence["yawns"] = {
            "position": known.tolist(),
            "truth": truth.tolist(),
            "mouth ratio thresholds": plain(thresholds),
            "scores": {way: {when: plain(s) for when, s in zip(WHEN, scores[way], strict=True)} for way in WAYS},
        }
        return evidence

    def figures(self, evidence: Evidence) -> Iterator[Figure]:
        found, groups = np.array(evidence["found"], bool), np.array(evidence["group"], int)
        if yawns := evidence.get("yawns"):
            rows, truth = np.array(yawns["position"], int), np.array(yawns["truth"], bool)
            for way in WAYS:
                scores = [numbers(yawns["scores"][way][when]) for when in WHEN]
                yield from _yawns(f"yawn by {way}", scores, truth, found[rows], groups[rows])
        yield from eye_figures(*(numbers(evidence["eyes"][when], len(EYES)) for when in WHEN), found, groups)


def _labels(texts: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The positions (M,) of the photos with a label, and whether each is a yawn (M,) bool."""
    if unknown := sorted({text for text in texts if text and text.lower() not in YAWNS}):
        raise ValueError(f"the column {LABEL} has {', '.join(unknown[:10])}; write one of {', '.join(YAWNS)}")
    known = np.flatnonzero([bool(text) for text in texts])
    truth = np.array([YAWNS[texts[row].lower()] for row in known], bool)
    return known, truth


def _features(sights: Sights) -> np.ndarray:
    """(N, D): the mouth first, then the eyes, then probabilities of expressions where there are any."""
    columns = [MESH_COLUMNS.index(name) for name in ("mouth", *EYES)]
    parts = [sights.values[MESH][:, columns], *([sights.values[FER]] if FER in sights.values else [])]
    return np.concatenate(parts, axis=1).astype(np.float64)


def _held_out(
    features: list[np.ndarray], truth: np.ndarray, groups: np.ndarray
) -> tuple[dict[str, list[np.ndarray]], np.ndarray]:
    """By way the scores (M,) before and after, of rules that come from originals of other groups; and the thresholds
    (M,) of the mouth's ratio."""
    original, folds = features[0], group_folds(groups)
    complete, thresholds = np.isfinite(original).all(1), np.empty(len(truth))
    odds = [np.empty(len(truth)) for _ in WHEN]
    for fold in np.unique(folds):
        learn, judged = (folds != fold) & complete, folds == fold
        if truth[learn].all() or not truth[learn].any():
            raise ValueError("yawns cannot be learned: outside some groups there are no faces of one of the two labels")
        thresholds[judged] = best_threshold(original[learn, 0], truth[learn])
        classifier = LogisticRegression(original[learn], truth[learn])
        for scores, seen in zip(odds, features, strict=True):
            scores[judged] = classifier(seen[judged])
    return {WAYS[0]: [seen[:, 0] - thresholds for seen in features], WAYS[1]: odds}, thresholds


def _yawns(
    name: str, scores: list[np.ndarray], truth: np.ndarray, found: np.ndarray, groups: np.ndarray
) -> Iterator[Figure]:
    """How well yawns are told before and after. Without a score, or after without a face, the answer is wrong."""
    for when, score in zip(WHEN, scores, strict=True):
        usable = np.isfinite(score) & (found if when == WHEN[1] else True)
        counted = np.where(usable, score, np.where(truth, -np.inf, np.inf))
        for end, rows in (("", np.ones_like(found)), ("/found only", found & usable)):
            yield from _answers(f"{name}/{when}", end, counted[rows], truth[rows], groups[rows])
    usable = found & np.isfinite(scores[0] + scores[1])
    agrees = usable & ((scores[0] >= 0) == (scores[1] >= 0))
    yield mean(f"{name}/agreement", agrees, groups)
    yield mean(f"{name}/agreement/found only", agrees[usable], groups[usable])


def _answers(name: str, end: str, score: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> Iterator[Figure]:
    def balanced(rows: np.ndarray) -> float:
        return balanced_accuracy(score[rows] >= 0, truth[rows])

    def area(rows: np.ndarray) -> float:
        return auc(score[rows][truth[rows]], score[rows][~truth[rows]])

    yield mean(f"{name}/accuracy{end}", (score >= 0) == truth, groups)
    yield bootstrap(f"{name}/balanced accuracy{end}", balanced, len(score), groups)
    yield bootstrap(f"{name}/auc{end}", area, len(score), groups)
