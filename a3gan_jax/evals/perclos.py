"""How far the eyes are open, and for which share of the time they are closed (PERCLOS, Wierwille et al. 1994)."""

from collections.abc import Iterator

import numpy as np

from a3gan_jax.evals.figures import Figure, mean, share

EYES = ("left_eye", "right_eye")  # columns of the observer mesh
#: Eyes count as closed below it. Our own choice: closed ones measure about .13 to .21, wide open ones .42 to .48.
CLOSED = 0.2
FRAMES = 5  # of a group, from which the share of closed eyes says something: our own choice


def eye_figures(before: np.ndarray, after: np.ndarray, found: np.ndarray, groups: np.ndarray) -> Iterator[Figure]:
    """How the openness (N, 2) differs, and the error of a group's share of frames with closed eyes (PERCLOS, Wierwille
    et al. 1994, on single frames). Over all faces a frame that was lost counts as the error that it can add at most."""
    usable = found & np.isfinite(before + after).all(1)
    for column, eye in enumerate(EYES):
        difference = np.abs(after - before)[usable, column]
        yield mean(f"{eye.replace('_', ' ')}/difference of openness/found only", difference, groups[usable])
    closed = [openness.mean(1) < CLOSED for openness in (before, after)]
    agrees = usable & (closed[0] == closed[1])
    yield share("eyes closed/agreement", agrees)
    yield share("eyes closed/agreement/found only", agrees[usable])
    members = long_groups(groups)
    change = np.where(usable, closed[1].astype(int) - closed[0], 0)
    yield mean("perclos/error", np.array([(abs(change[m].sum()) + (~usable[m]).sum()) / m.sum() for m in members]))
    members = [m & usable for m in members if usable[m].any()]
    yield mean("perclos/error/found only", np.array([abs(change[m].mean()) for m in members]))
    for when, state in zip(("before", "after"), closed, strict=True):
        yield mean(f"perclos/{when}/found only", np.array([state[m].mean() for m in members]))


def long_groups(groups: np.ndarray) -> list[np.ndarray]:
    """The members (N,) bool of each group of ``FRAMES`` at least."""
    return [
        groups == group for group, count in zip(*np.unique(groups, return_counts=True), strict=True) if count >= FRAMES
    ]
