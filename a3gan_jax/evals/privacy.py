"""How well people are hidden, from similarities of faces: matches, verification and identification.

Similarities are cosines or negative distances: higher is more alike. ``identity`` holds a person's number, -1 where
nobody knows; an unknown person is never counted, neither as the same nor as another.
"""

import dataclasses

import numpy as np


def same_person(identity: np.ndarray) -> np.ndarray:
    """(N, N) bool: two different photos of one known person."""
    known = identity >= 0
    return (identity[:, None] == identity) & known & ~np.eye(len(identity), dtype=bool)


def other_person(identity: np.ndarray) -> np.ndarray:
    """(N, N) bool: photos of two known people."""
    known = identity >= 0
    return (identity[:, None] != identity) & known & known[:, None]


def false_accept_threshold(similarity: np.ndarray, identity: np.ndarray, rate: float) -> float:
    """The threshold at which ``rate`` of the pairs of two people's originals pass for one person.

    Args:
        similarity: (N, N) of originals.
        identity: (N,).
        rate: in (0, 1).

    Raises:
        ValueError: there are not two people.
    """
    others = similarity[other_person(identity)]
    if not others.size:
        raise ValueError("a false accept rate needs photos of two people at least")
    return float(np.quantile(others, 1.0 - rate))


@dataclasses.dataclass(frozen=True)
class Identification:
    """How often faces are recognised from other photos of the same person (shares in [0, 1], nan without any).

    ``rank1``: the most similar of all other originals shows the right person; over faces of people who have another
    photo. ``verified``: pairs of a face and another original of its person above the threshold.
    """

    rank1: float
    verified: float


def identification(similarity: np.ndarray, identity: np.ndarray, threshold: float) -> Identification:
    """What an attacker learns who has other photos, not the one that was anonymised.

    Args:
        similarity: (N, N), row i: face i, anonymised, against all originals; column i: the original it was made of,
            which is left out.
        identity: (N,).
        threshold: for ``verified``.
    """
    same = same_person(identity)
    searched = same.any(1)
    if not searched.any():
        return Identification(float("nan"), float("nan"))
    gallery = np.where(np.eye(len(identity), dtype=bool), -np.inf, similarity)
    best = identity[gallery.argmax(1)]
    return Identification(float((best == identity)[searched].mean()), float((similarity[same] >= threshold).mean()))


def people_searched(identity: np.ndarray) -> int:
    """How many people have two photos at least: those who can be found from another one; 1 / this is pure chance."""
    return len(np.unique(identity[same_person(identity).any(1)]))
