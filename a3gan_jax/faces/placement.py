"""Where a detected face lies, as the crop that the model was trained on; or the reason why that cannot be known."""

import dataclasses

import numpy as np

from a3gan_jax.faces.alignment import similarity
from a3gan_jax.faces.detector import Detection
from a3gan_jax.geometry import crop_landmarks

#: Where YuNet sees the face in a crop of side 1: centre (x, y) and size, medians over 620 upright faces in photos (our
#: own measurement).
BOX_CENTRE, BOX_SIZE = np.array([0.491, 0.594]), np.array([0.553, 0.724])

# Limits in shares of the crop's side. In 781 detections of YuNet (our own measurement) the points lie 0.02 from their
# places, 0.06 to 0.12 in profiles; the box drifts by at most 0.21 and is at most 1.4 times as large or small.
POINTS = 0.13  # root mean square, points fitted to their places
BOX_POINTS = 0.20  # the same, with the box fitted
DRIFT = 0.25  # of the box's centre
GROWTH = 1.6  # factor between the sizes of the box, either way


@dataclasses.dataclass(frozen=True, eq=False)
class Placement:
    """A face in its photo.

    matrix: (2, 3), the similarity from pixels of the photo to a crop of side 1 whose top left corner is (0, 0) and
        whose pixel centres, at S pixels, lie at ``(i + 0.5) / S``.
    landmarks: (5, 2), the points in the photo by which a recogniser aligns the face.
    box: (left, top, width, height) that holds the face: as detected, but not smaller than the points let expect.
    contour: the outline of the face (``len(face_mesh.CONTOUR)``, 2), in the crop of side 1; None where it is not known.
    eyeglasses: the face wears them: their arms reach to the ears, and a lens beyond the outline.
    """

    matrix: np.ndarray
    landmarks: np.ndarray
    box: np.ndarray
    contour: np.ndarray | None = None
    eyeglasses: bool = False

    def to_crop(self, size: int) -> np.ndarray:
        """(2, 3): pixels of the photo to pixels of a crop (size, size)."""
        return self.matrix * size - np.array([[0, 0, 0.5], [0, 0, 0.5]])

    @property
    def points(self) -> np.ndarray:
        """(5, 2): the landmarks in the crop of side 1."""
        return self.landmarks @ self.matrix[:, :2].T + self.matrix[:, 2]

    def bounds(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Rows and columns of a photo of this shape that the upright rectangle around the crop's circle covers.

        The circle touches the crop's sides; masks end within it.
        """
        linear = np.linalg.inv(self.matrix[:, :2])
        centre, radius = linear @ (0.5 - self.matrix[:, 2]), 0.5 * np.sqrt(np.linalg.det(linear))
        start, end = np.floor(centre - radius).astype(int), np.ceil(centre + radius).astype(int) + 1
        (left, top), (right, bottom) = start.clip(0), end.clip(0)
        return slice(top, min(bottom, shape[0])), slice(left, min(right, shape[1]))


def place(detection: Detection) -> Placement | str:
    """The placement of a face: by its five points, by its box where they fit badly, else the reason.

    Points that agree with one another but not with the box give way to the box, upright, if they agree with that. A
    detection that has no points (``landmarks`` None) is placed by its box alone.
    """
    left, top, width, height = detection.box
    middle, size = np.array([left + width / 2, top + height / 2]), np.sqrt(width * height)
    scale = np.sqrt(BOX_SIZE.prod()) / size
    upright = np.column_stack([scale * np.eye(2), BOX_CENTRE - scale * middle])
    canonical = crop_landmarks(1) + 0.5
    if detection.landmarks is None:
        return Placement(upright, (canonical - upright[:, 2]) / scale, np.array(detection.box))
    points = np.asarray(detection.landmarks, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        return "the five points are not finite"

    def residual(matrix: np.ndarray) -> float:
        return float(np.sqrt((((points @ matrix[:, :2].T + matrix[:, 2]) - canonical) ** 2).sum(1).mean()))

    if np.ptp(points, axis=0).max() > 0.05 * size:  # else nothing can be fitted
        fitted = similarity(points, canonical)
        growth = np.sqrt(np.linalg.det(fitted[:, :2])) / scale
        drift = np.linalg.norm(fitted[:, :2] @ middle + fitted[:, 2] - BOX_CENTRE)
        if residual(fitted) <= POINTS and drift <= DRIFT and 1 / GROWTH <= growth <= GROWTH:
            sides = np.maximum([width, height], BOX_SIZE / (growth * scale))
            return Placement(fitted, points, np.concatenate([middle - sides / 2, sides]))
    if residual(upright) <= BOX_POINTS:
        return Placement(upright, (canonical - upright[:, 2]) / scale, np.array(detection.box))
    return "the five points do not lie as in a face"
