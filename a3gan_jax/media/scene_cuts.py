"""Where one scene of a video ends and the next begins, told from small grey pictures of its frames."""

from collections.abc import Sequence

import numpy as np

# Correlation of two thumbnails where they overlap best: 0.9 and more in pans by up to 30 % of the width, under 0.7 for
# other scenes, 0.35 on the average (31 photos, our own measurement).
SAME_SCENE = 0.75
SHIFT = 0.3  # of thumbnails against each other, in shares of their sides


def is_cut(before: np.ndarray, following: Sequence[np.ndarray]) -> bool:
    """Whether a scene ends between two frames, from grey thumbnails (H, W) of the one and of those from the other on.

    Several are to be given: a flash is over after a frame or two, a new scene is not. Neither a change of light nor a
    camera that turns counts, and where a picture is flat nothing is sure: a wrong cut could show a face, a missed one
    only replaces too much.
    """
    return all(_likeness(before, other) < SAME_SCENE for other in following)


def _likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two pictures (H, W), shifted against each other where they are not alike as they are."""
    best = _correlation(a, b)
    if best >= SAME_SCENE:
        return best
    (height, width), (down, right) = a.shape, (int(SHIFT * side) for side in a.shape)
    for y in range(-down, down + 1):
        for x in range(-right, right + 1):
            part = a[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
            other = b[max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)]
            best = max(best, _correlation(part, other))
    return best


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = (np.asarray(each, np.float64) - np.mean(each) for each in (a, b))
    scale = np.sqrt((a**2).mean() * (b**2).mean())
    return float((a * b).mean() / scale) if scale > 4.0 else 1.0
