"""The parrot attack (Newton, Sweeney and Malin 2005): an attacker who knows the method learns its results by heart.

He has photos of the people whom he looks for, anonymises them himself, and trains a head on a frozen recogniser to name
them. He is tested on other photos of the same people.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from a3gan_jax.evals.figures import Evidence, Figure, share, worst_unseen
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.recognition import Attacker
from a3gan_jax.evals.sights import Sights

RANKS = (1, 5)
PENALTY = 1e-3  # on the head's weights; our own choice
HEADLINE = tuple(f"rank {top}" for top in RANKS)


class Parrot:
    """The task; arguments as for ``Verification``. Every second photo of a person is the attacker's to learn from."""

    name = "parrot attack"

    def __init__(self, recognizers: Sequence[Attacker], trained_against: Sequence[str] = ()):
        self._recognizers, self._trained_against = tuple(recognizers), tuple(trained_against)
        self.needs = tuple(recognizer.name for recognizer in recognizers)

    def measure(self, photos: LabelledPhotos, before: Sights, after: Sights) -> Evidence:
        """At which place the head names the right person (0 = the first), photo by photo of the tested ones.

        Raises:
            ValueError: there are not two people with two photos each.
        """
        learned, tested = split(photos.identity)
        people = np.unique(photos.identity[learned])
        if len(people) < 2:
            raise ValueError(
                f"{photos.name} has {len(people)} people with two photos: a parrot attack needs two people"
            )
        return {
            "trained_against": list(self._trained_against),
            "people": len(people),
            "photos_learned": len(learned),
            "file": [photos.files[i] for i in tested],
            "found": after.found[tested].tolist(),
            "recognizers": {
                r.name: _places(after.values[r.name], photos.identity, learned, tested) for r in self._recognizers
            },
        }

    def figures(self, evidence: Evidence) -> Iterator[Figure]:
        """For every recogniser how often the right person is the first or among the first five; pure chance."""
        found = np.array(evidence["found"], bool)
        every = {}
        for name, places in evidence["recognizers"].items():
            place = np.array(places)
            every[name] = [
                share(f"{name}/rank {top}{end}", place[rows] < top)
                for end, rows in (("", np.ones(len(place), bool)), ("/found only", found))
                for top in RANKS
            ]
            yield from every[name]
        yield from worst_unseen(every, evidence["trained_against"], HEADLINE)
        for top in RANKS:
            yield Figure(f"chance/rank {top}", min(1.0, top / evidence["people"]), len(found))


def split(identity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the photos to learn from and of those to test on, of the people (N,) who have two at least."""
    learned: list[int] = []
    tested: list[int] = []
    for person in np.unique(identity[identity >= 0]):
        rows = np.flatnonzero(identity == person)
        if len(rows) > 1:
            learned += rows[::2].tolist()
            tested += rows[1::2].tolist()
    return np.array(sorted(learned), int), np.array(sorted(tested), int)


def _places(embeddings: np.ndarray, identity: np.ndarray, learned: np.ndarray, tested: np.ndarray) -> list[int]:
    """The place of the right person by a head that is trained on ``learned``: one number a tested photo."""
    people = np.unique(identity[learned])
    usable = learned[np.isfinite(embeddings[learned]).all(1)]
    centre, spread = embeddings[usable].mean(0), embeddings[usable].std(0) + 1e-6
    weights = train_head((embeddings[usable] - centre) / spread, np.searchsorted(people, identity[usable]), len(people))
    rows = np.nan_to_num((embeddings[tested] - centre) / spread)
    logits = _with_bias(rows) @ weights
    right = logits[np.arange(len(tested)), np.searchsorted(people, identity[tested])]
    # Whoever is as likely comes first: where all look alike nobody is named. A face that could not be embedded counts
    # as recognised: a failure is no protection.
    return np.where(np.isfinite(embeddings[tested]).all(1), (logits >= right[:, None]).sum(1) - 1, 0).tolist()


def train_head(features: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """Multinomial logistic regression: features (N, D), classes (N,) in 0 .. count - 1 -> weights (D + 1, count)."""
    x, wanted = _with_bias(features), np.eye(count)[classes]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(x.shape[1], count)
        logits = x @ weights
        value = -(wanted * log_softmax(logits, axis=1)).sum(1).mean() + 0.5 * PENALTY * (weights[:-1] ** 2).sum()
        gradient = x.T @ (softmax(logits, axis=1) - wanted) / len(x)
        gradient[:-1] += PENALTY * weights[:-1]
        return value, gradient.ravel()

    result = minimize(loss, np.zeros(x.shape[1] * count), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return result.x.reshape(x.shape[1], count)


def _with_bias(x: np.ndarray) -> np.ndarray:
    return np.column_stack([x, np.ones(len(x))])
