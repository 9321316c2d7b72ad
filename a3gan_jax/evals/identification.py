"""Who is it? Every anonymised photo is searched for among all originals, its own source among them or left out."""

from collections.abc import Iterator, Sequence

import numpy as np

from a3gan_jax.evals.figures import Evidence, Figure, mean, share, worst_unseen
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.recognition import CERTAIN, Attacker, similarities
from a3gan_jax.evals.sights import Sights
from a3gan_jax.evals.verification import AT_RATE, rare_threshold

RANKS = (1, 5)
HEADLINE = (f"self/{AT_RATE}", "self/accepted", "rank 1", "rank 5", "others/rank 1")
HALVES = 2  # of the people: the threshold of one comes from the originals of the other


class Identification:
    """The task; arguments as for ``Verification``. ``name``: of an attack whose results are searched for likewise."""

    def __init__(
        self, recognizers: Sequence[Attacker], trained_against: Sequence[str] = (), name: str = "identification"
    ):
        self.name = name
        self._recognizers, self._trained_against = tuple(recognizers), tuple(trained_against)
        self.needs = tuple(recognizer.name for recognizer in recognizers)

    def measure(self, photos: LabelledPhotos, before: Sights, after: Sights) -> Evidence:
        """Similarities to the own original and ranks, photo by photo.

        Raises:
            ValueError: too few people for a threshold.
        """
        return {
            "trained_against": list(self._trained_against),
            "file": list(photos.files),
            "people": _groups(photos.identity).tolist(),
            "found": after.found.tolist(),
            "recognizers": {r.name: _search(r, photos.identity, before, after) for r in self._recognizers},
        }

    def figures(self, evidence: Evidence) -> Iterator[Figure]:
        """For every recogniser: the share of photos that are taken for their own original at the measured and at the
        published threshold, that of photos that are at neither (``protected``), their mean similarity, and how often
        the right person is the first or among the first five of the gallery: with the photo's own original in it
        (``rank``), and without it, over people who have others (``others/rank``)."""
        every = {name: list(_figures(name, seen, evidence)) for name, seen in evidence["recognizers"].items()}
        for figures in every.values():
            yield from figures
        yield from worst_unseen(every, evidence["trained_against"], HEADLINE)

    def leaks(self, evidence: Evidence) -> list[tuple[str, str, float]]:
        """The photos that a recogniser takes for their own original at its published threshold: (file, recogniser,
        similarity), the worst first."""
        leaks = [
            (file, name, similarity)
            for name, seen in evidence["recognizers"].items()
            for file, similarity in zip(evidence["file"], seen["self"], strict=True)
            if similarity >= seen["published"]
        ]
        return sorted(leaks, key=lambda leak: -leak[2])


def _groups(identity: np.ndarray) -> np.ndarray:
    """(N,) numbers of people; whoever is not known is a person of his own."""
    alone = -1 - np.arange(len(identity))
    return np.where(identity >= 0, identity, alone)


def _search(recognizer: Attacker, identity: np.ndarray, before: Sights, after: Sights) -> Evidence:
    people = _groups(identity)
    source = before.values[recognizer.name]
    own = similarities(recognizer, source, source)
    probe = similarities(recognizer, after.values[recognizer.name], source)
    thresholds = np.empty(len(people))
    for half in range(HALVES):
        rows = np.flatnonzero((people % HALVES != half) & np.isfinite(source).all(1))
        thresholds[people % HALVES == half] = rare_threshold(own[np.ix_(rows, rows)], people[rows] - people.min())
    return {
        "published": recognizer.threshold,
        "threshold": thresholds.tolist(),
        "self": probe.diagonal().tolist(),
        "rank": _ranks(probe, people, without_own=False),
        "others_rank": _ranks(probe, people, without_own=True),
    }


def _ranks(similarity: np.ndarray, people: np.ndarray, *, without_own: bool) -> list[float]:
    """Of how many originals of others a photo (row) is at least as like as of its own person; nan without any."""
    ranks = []
    for row, scores in enumerate(similarity):
        if scores[row] == CERTAIN:  # could not be embedded
            ranks.append(0.0)
            continue
        mine = people == people[row]
        best = scores[mine & (np.arange(len(people)) != row)] if without_own else scores[mine]
        others = np.unique(people[(people != people[row]) & (scores >= best.max())]) if len(best) else ()
        ranks.append(float(len(others)) if len(best) else float("nan"))
    return ranks


def _figures(name: str, seen: Evidence, evidence: Evidence) -> Iterator[Figure]:
    score, threshold = np.array(seen["self"]), np.array(seen["threshold"])
    people, found = np.array(evidence["people"]), np.array(evidence["found"], bool)
    for end, rows in (("", np.ones(len(score), bool)), ("/found only", found)):
        yield share(f"{name}/self/{AT_RATE}{end}", (score >= threshold)[rows])
        yield share(f"{name}/self/accepted{end}", (score >= seen["published"])[rows])
        yield share(f"{name}/protected{end}", (score < np.minimum(threshold, seen["published"]))[rows])
        yield mean(f"{name}/self/similarity{end}", score[rows], people[rows])
        for what, ranks in (("", seen["rank"]), ("others/", seen["others_rank"])):
            place = np.array(ranks, np.float64)[rows]
            for top in RANKS:
                yield share(f"{name}/{what}rank {top}{end}", place[np.isfinite(place)] < top)
