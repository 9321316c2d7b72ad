"""Is the person gone? The pairs protocol of Labeled Faces in the Wild (Huang et al. 2007), asked of attackers.

Thresholds come from originals alone, those of other folds than the one that is judged. Would an attacker who holds
originals accept an anonymised photo of the same person (the probe attack)? Do the anonymised photos of one person still
belong together (are they linkable)? And how well does the attacker do on originals, without a method?
"""

from collections.abc import Iterator, Sequence

import numpy as np

from a3gan_jax.evals import privacy
from a3gan_jax.evals.figures import Evidence, Figure, bootstrap, share, worst_unseen
from a3gan_jax.evals.photos import LabelledPhotos, Pairs
from a3gan_jax.evals.recognition import Attacker, similarities
from a3gan_jax.evals.roc import auc
from a3gan_jax.evals.sights import Sights

FALSE_ACCEPTS = 1e-3
AT_RATE = f"accepted at {FALSE_ACCEPTS:g}"
QUESTIONS = ("originals", "probe", "linkable")
HEADLINE = (f"probe/{AT_RATE}", "probe/accepted", "linkable/auc")  # where all look alike, all pairs are accepted


class Verification:
    """The task.

    Args:
        recognizers: the attackers.
        trained_against: names of those that the method has learned to defeat. Figures that begin with "unseen/" are the
            worst over the others.
    """

    name = "verification"

    def __init__(self, recognizers: Sequence[Attacker], trained_against: Sequence[str] = ()):
        self._recognizers, self._trained_against = tuple(recognizers), tuple(trained_against)
        self.needs = tuple(recognizer.name for recognizer in recognizers)

    def measure(self, photos: LabelledPhotos, before: Sights, after: Sights) -> Evidence:
        """Similarities and thresholds, pair by pair.

        Raises:
            ValueError: the photos bring no pairs, or too few people for a threshold.
        """
        pairs = photos.pairs
        if pairs is None:
            raise ValueError(f"{photos.name} brings no pairs: verification needs a list of them, as LFW's pairs.txt")
        return {
            "trained_against": list(self._trained_against),
            "same": pairs.same.tolist(),
            "fold": pairs.fold.tolist(),
            "found": {
                "probe": after.found[pairs.second].tolist(),
                "linkable": (after.found[pairs.first] & after.found[pairs.second]).tolist(),
            },
            "recognizers": {r.name: _scores(r, photos.identity, pairs, before, after) for r in self._recognizers},
        }

    def figures(self, evidence: Evidence) -> Iterator[Figure]:
        """For every recogniser and question: the share of one person's pairs that are accepted, at the measured and at
        the published threshold, that of two people's, the accuracy at the threshold that is best on originals, and the
        area under the ROC curve."""
        every = {name: list(_figures(name, seen, evidence)) for name, seen in evidence["recognizers"].items()}
        for figures in every.values():
            yield from figures
        yield from worst_unseen(every, evidence["trained_against"], HEADLINE)


def rare_threshold(similarity: np.ndarray, identity: np.ndarray) -> float:
    """The threshold of originals, (N, N) and (N,), at which ``FALSE_ACCEPTS`` of all pairs of two people are accepted.

    Raises:
        ValueError: there are too few pairs for one of them to be accepted.
    """
    pairs = int(privacy.other_person(identity).sum())
    if pairs * FALSE_ACCEPTS < 1:
        raise ValueError(
            f"a false accept rate of {FALSE_ACCEPTS:g} needs {round(1 / FALSE_ACCEPTS)} pairs of photos of two people, "
            f"there are {pairs}: give more photos"
        )
    return privacy.false_accept_threshold(similarity, identity, FALSE_ACCEPTS)


def _scores(recognizer: Attacker, identity: np.ndarray, pairs: Pairs, before: Sights, after: Sights) -> Evidence:
    """Similarities by question and pair, and the threshold of each pair."""
    source, result = before.values[recognizer.name], after.values[recognizer.name]
    own, probe, linked = (similarities(recognizer, *both) for both in ((source,) * 2, (result, source), (result,) * 2))
    first, second = pairs.first, pairs.second
    thresholds = np.empty(len(first))
    for fold in np.unique(pairs.fold):
        judged = np.concatenate([first[pairs.fold == fold], second[pairs.fold == fold]])
        rows = np.setdiff1d(np.flatnonzero(np.isfinite(source).all(1)), judged)
        thresholds[pairs.fold == fold] = rare_threshold(own[np.ix_(rows, rows)], identity[rows])
    return {
        "published": recognizer.threshold,
        "threshold": thresholds.tolist(),
        "originals": own[first, second].tolist(),
        "probe": probe[second, first].tolist(),  # the second photo is anonymised, the first is the attacker's
        "linkable": linked[first, second].tolist(),
    }


def _figures(name: str, seen: Evidence, evidence: Evidence) -> Iterator[Figure]:
    same, threshold = np.array(evidence["same"], bool), np.array(seen["threshold"])
    best = _best(np.array(seen["originals"]), same, np.array(evidence["fold"]))
    for question in QUESTIONS:
        score, where = np.array(seen[question]), f"{name}/{question}"
        parts = {"": np.ones(len(same), bool)}
        if question in evidence["found"]:
            parts["/found only"] = np.array(evidence["found"][question], bool)
        for end, rows in parts.items():
            yield share(f"{where}/{AT_RATE}{end}", (score >= threshold)[same & rows])
            yield share(f"{where}/accepted{end}", (score >= seen["published"])[same & rows])
            yield share(f"{where}/others {AT_RATE}{end}", (score >= threshold)[~same & rows])
            yield share(f"{where}/accuracy{end}", ((score >= best) == same)[rows])
            yield _area(f"{where}/auc{end}", score[rows], same[rows])


def _best(score: np.ndarray, same: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """For each pair the threshold that is most often right on the pairs of the other folds (P,)."""
    best = np.empty(len(score))
    for number in np.unique(fold):
        rows = fold != number if (fold != number).any() else fold == number
        order = np.argsort(score[rows])
        ranked, right = score[rows][order], same[rows][order]
        # If all from position i on are accepted: right are the others' pairs below i and the same's from i on.
        correct = np.concatenate([[0], np.cumsum(~right)]) + right.sum() - np.concatenate([[0], np.cumsum(right)])
        best[fold == number] = np.append(ranked, np.inf)[correct.argmax()]
    return best


def _area(name: str, score: np.ndarray, same: np.ndarray) -> Figure:
    def area(rows: np.ndarray) -> float:
        mine = same[rows]
        return auc(score[rows][mine], score[rows][~mine]) if mine.any() and not mine.all() else float("nan")

    return bootstrap(name, area, len(score))
