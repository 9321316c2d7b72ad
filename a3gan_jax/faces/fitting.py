"""Bringing new faces into the outlines of the old ones.

A mask ends at the outline of the old face. A new one that is narrower would show what a generator draws beside a head
there: specks of hair and background.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import map_coordinates

from a3gan_jax.faces.contour import outlines
from a3gan_jax.faces.placement import Placement

# Our own choice, by eye on 30 portraits and 60 drivers. Within this share of the way from the middle of a face to its
# outline nothing moves: eyes, nose and mouth.
STILL = 0.6
LEAST, MOST = 0.8, 1.25  # of the new outline over the old one: what lies beyond is no outline
TURN = 0.04, 0.065  # ``Placement.turn`` of a head that is stretched less, and of one that is not stretched
TEMPLES = 0.2 * np.pi  # angle over which it ends, from the height of the middle up


def fit_outlines(generated: np.ndarray, placements: Sequence[Placement]) -> np.ndarray:
    """Generated crops (N, S, S, 3) uint8, stretched along the rays from the middle of each face so that its outline,
    from temple to temple by way of the chin, becomes that of the placement; a new array.

    The more a head is turned the less it is stretched: of what lies beyond its outline half is face. Where the
    placement has no outline, or the mesh sees no new face, a crop stays as it is.
    """
    result, size = generated.copy(), generated.shape[1]
    known = [i for i, each in enumerate(placements) if each.contour is not None and _straight(each) > 0]
    found = outlines([generated[i] for i in known], [placements[i].on_crop(size) for i in known])
    for i, outline in zip(known, found, strict=True):
        if outline is not None:
            result[i] = _stretched(generated[i], placements[i], outline)
    return result


def _stretched(crop: np.ndarray, placement: Placement, outline: np.ndarray) -> np.ndarray:
    """A crop whose face has this outline, in a crop of side 1, with that of the placement."""
    size, middle = len(crop), placement.points.mean(0)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    right, down = (columns + 0.5) / size - np.float32(middle[0]), (rows + 0.5) / size - np.float32(middle[1])
    angle, reach = _angle(right, down), np.hypot(right, down)
    is_at, comes_from = (_reach(each - middle, angle) for each in (placement.contour, outline))
    ratio = (comes_from / is_at).clip(LEAST, MOST)
    out = ((reach / is_at - STILL) / (1 - STILL)).clip(0, 1)
    below = (angle / TEMPLES + 1).clip(0, 1) * ((np.pi - angle) / TEMPLES + 1).clip(0, 1)
    further = (ratio - 1) * (out * out * (3 - 2 * out) * below) * (_straight(placement) * size)
    places = np.stack([rows + down * further, columns + right * further])
    channels = [map_coordinates(crop[..., i], places, np.float32, order=1, mode="nearest") for i in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def _straight(placement: Placement) -> float:
    """1 for a head that looks straight ahead, 0 for one that is turned."""
    begin, end = TURN
    return max(0.0, min(1.0, (end - abs(placement.turn)) / (end - begin)))


def _angle(right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """0 to the right, pi / 2 down, pi to the left; it leaps straight above, where no outline is."""
    angle = np.arctan2(down, right)
    return np.where(angle < -np.pi / 2, angle + 2 * np.pi, angle)


def _reach(outline: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """How far an outline, seen from the middle, lies at these angles."""
    angles = _angle(*outline.T)
    order = np.argsort(angles)
    return np.interp(angle, angles[order], np.hypot(*outline.T)[order]).astype(np.float32)
