"""Scores of a verification: genuine pairs (one person) against impostor pairs (two people). Higher is more alike.

A pair passes for one person where its score is at or above the threshold. No score may be nan: a pair that a recogniser
cannot compare is accepted or refused by its caller's decision (inf or -inf), never by a comparison with nan.
"""

import numpy as np


def auc(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """The area under the ROC curve: how often a genuine pair (N,) is above an impostor pair (M,), a tie half.

    1/2 is chance; nan where one side has no pair. It is the Mann-Whitney statistic over N * M.
    """
    genuine, impostor = _numbers(genuine, "genuine"), np.sort(_numbers(impostor, "impostor"))
    if not genuine.size or not impostor.size:
        return float("nan")
    below, up_to = (np.searchsorted(impostor, genuine, side) for side in ("left", "right"))
    return float((below + up_to).mean() / 2 / impostor.size)


def curve(genuine: np.ndarray, impostor: np.ndarray, points: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """The ROC curve, thinned for a plot with a logarithmic axis: false and true accept rates, (K,) each.

    K is ``points`` + 1 at most. Each point is measured, none is interpolated: from one accepted impostor pair, 1 / M,
    to all of them. Both rise.

    Raises:
        ValueError: one side has no pair.
    """
    genuine, impostor = np.sort(_numbers(genuine, "genuine")), np.sort(_numbers(impostor, "impostor"))
    if not genuine.size or not impostor.size:
        raise ValueError("a ROC curve needs a genuine and an impostor pair at least")
    accepted = np.unique(np.geomspace(1, impostor.size, points).round().astype(int))
    thresholds = np.append(impostor[-accepted], -np.inf)
    rates = [(scores.size - np.searchsorted(scores, thresholds)) / scores.size for scores in (impostor, genuine)]
    far, tar = np.unique(rates, axis=1)  # ties give a point several times
    return far, tar


def _numbers(scores: np.ndarray, what: str) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} of {scores.size} {what} scores are nan: decide what they count as")
    return scores
