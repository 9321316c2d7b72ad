"""One face before and after: how much of it changed, and whether a recogniser still finds the original there."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from a3gan_jax.evals.onnx_recognizer import MATCH
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.tracking import overlap

# Our own choices.
INNER = 0.8  # of a box's sides: the ellipse in which a face is looked at, from brow to chin
NEAR = 0.3  # intersection over union from which on a face found in the result lies where the original was
UNCHANGED = 0.1  # a mean difference under it, in standard deviations of the original, is what coding a video does
FLAT = 4.0  # levels; the standard deviation that counts where a face has less: nearly black, nearly white

#: A photo (H, W, 3) uint8 and five points (5, 2) -> a unit embedding (D,); see ``OnnxSFace``.
Look = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """A face of a photo and what a result shows there.

    changed: share of the pixels in the inner ellipse that differ at all; nan where none lies in the photo.
    difference: their mean absolute difference, in standard deviations of the original's.
    before, after: (D,) embeddings of the original and of the result, both by the points of the original.
    cosine: of the two, or of the original and a face that is found anew in the result near there, if that is larger.
    found_again: how many of these there are.
    """

    changed: float
    difference: float
    before: np.ndarray
    after: np.ndarray
    cosine: float
    found_again: int

    @property
    def matches(self) -> bool:
        """The recogniser finds the original; also where its answer is no number."""
        return not self.cosine < MATCH

    @property
    def unchanged(self) -> bool:
        return self.difference < UNCHANGED


def compare(
    original: np.ndarray, result: np.ndarray, face: Detection, again: Sequence[Detection], look: Look
) -> Comparison:
    """Compares two photos (H, W, 3) uint8 of one size, at a face of the first.

    Args:
        again: the faces that a detector finds in ``result``.
    """
    changed, difference = change(original, result, *ellipse(original.shape, face.box, INNER))
    before, after = look(original, face.landmarks), look(result, face.landmarks)
    near = [look(result, other.landmarks) for other in again if overlap(other.box, face.box) > NEAR]
    cosine = float(np.max([before @ seen for seen in (after, *near)]))  # nan if one of them is
    return Comparison(changed, difference, before, after, cosine, len(near))


def ellipse(shape: tuple[int, ...], box: np.ndarray, scale: float) -> tuple[tuple[slice, slice], np.ndarray]:
    """The ellipse inscribed in a box (left, top, width, height) whose sides are scaled about its centre.

    Returns rows and columns of the photo, and (rows, columns) bool; empty where the photo has nothing of it.
    """
    centre, half = box[:2] + box[2:] / 2, box[2:] / 2 * scale
    start = np.floor(centre - half).clip(0, shape[1::-1]).astype(int)
    end = np.ceil(centre + half + 1).clip(0, shape[1::-1]).astype(int)
    y, x = np.ogrid[start[1] : end[1], start[0] : end[0]]
    inside = ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2 <= 1
    return (slice(start[1], end[1]), slice(start[0], end[0])), inside


def change(
    original: np.ndarray, result: np.ndarray, where: tuple[slice, slice], inside: np.ndarray
) -> tuple[float, float]:
    """Share of pixels that differ, and their mean difference in standard deviations; nan of no pixel."""
    a, b = (image[where][inside].astype(np.float64) for image in (original, result))
    if not len(a):
        return float("nan"), float("nan")
    spread = max(float(a.std(0).mean()), FLAT)
    return float((a != b).any(1).mean()), float(np.abs(a - b).mean() / spread)
