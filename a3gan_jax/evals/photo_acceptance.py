"""Whether an anonymised photo keeps its promises, judged by its pixels and not by what the product says of them."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from a3gan_jax.anonymizer import AnonymizedPhoto, FaceOutcome
from a3gan_jax.attributes import EYEGLASSES
from a3gan_jax.evals.face_comparison import Comparison, Look, change, compare, ellipse
from a3gan_jax.faces.contour import outlines
from a3gan_jax.faces.covering import ENLARGE
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.mask import face_mask
from a3gan_jax.faces.placement import place
from a3gan_jax.faces.replacement import CLEAR_FACE
from a3gan_jax.faces.tracking import overlap

# Our own choices.
SAME_FACE = 0.5  # intersection over union of a face as found here and as the product tells of it
CHANGED = 0.9  # share of the pixels of a face that must differ
# Likewise of a drawn box's ellipse. Such boxes are squares that reach below a chin, to the neck, and beside a turned
# head: of the four among 43 that change least (0.79 to 0.80), all turned, what stays is background and half a lens
# (looked at).
BOX_CHANGED = 0.75
DRAWN = 0.3  # intersection over union from which on a detection may be the face of a drawn box
FAR = 2.0  # of the sides of boxes: changes beyond are counted, whatever the masks say

Kind = Literal["left alone", "unchanged", "match", "box uncovered", "changed outside", "failed"]


@dataclasses.dataclass(frozen=True)
class Violation:
    """A broken promise: "left alone": a face without an outcome, or spared; "unchanged": its pixels are; "match": the
    recogniser finds the original; "box uncovered": a drawn box; "changed outside": pixels beyond every mask; "failed":
    there is no result."""

    kind: Kind
    text: str


@dataclasses.dataclass(frozen=True, eq=False)
class FaceVerdict:
    """A face that the detector finds in the original: ``outcome`` as the product tells, None where it does not."""

    face: Detection
    outcome: str | None
    reason: str
    comparison: Comparison


@dataclasses.dataclass(frozen=True, eq=False)
class BoxVerdict:
    """A box (4,) drawn by hand: whether the detector finds its face, and which share of its pixels changed, in the
    inscribed ellipse and in all of it."""

    box: np.ndarray
    found: bool
    ellipse: float
    whole: float


@dataclasses.dataclass(frozen=True, eq=False)
class PhotoVerdict:
    """``outside``: pixels that changed beyond every mask; ``far``: beyond all boxes of ``FAR`` times their sides."""

    faces: tuple[FaceVerdict, ...]
    boxes: tuple[BoxVerdict, ...]
    outside: int
    far: int
    violations: tuple[Violation, ...]


def judge(
    original: np.ndarray,
    photo: AnonymizedPhoto,
    detect: Callable[[np.ndarray], list[Detection]],
    look: Look,
    drawn: Sequence[np.ndarray] = (),
) -> PhotoVerdict:
    """Judges a lossless result.

    A face that is covered counts as a match only from ``CLEAR_FACE`` pixels on: below, a recogniser sees but a smear,
    before as after. One that is replaced counts whatever its size.

    Args:
        original: (H, W, 3) uint8.
        detect: a detector of one's own, for both photos.
        look: a recogniser of one's own.
        drawn: boxes (left, top, width, height) of faces, by hand.
    """
    found, again = detect(original), detect(photo.image)
    faces = tuple(_face(original, photo, face, again, look) for face in found)
    boxes = tuple(_box(original, photo.image, box, found) for box in drawn)
    differs = (original != photo.image).any(-1)
    outside = int((differs & ~masks(original, photo.faces)).sum())
    far = differs.copy()
    for face in photo.faces:
        far[_rectangle(face.box, FAR)] = False
    violations = [violation for face in faces for violation in _violations(face)]
    violations += [
        Violation("box uncovered", f"the box {_place(box.box)} changed in {box.ellipse:.0%} of its ellipse")
        for box in boxes
        if box.found and not box.ellipse >= BOX_CHANGED
    ]
    if outside:
        violations.append(Violation("changed outside", f"{outside} pixels beyond every mask changed"))
    return PhotoVerdict(faces, boxes, outside, int(far.sum()), tuple(violations))


def masks(original: np.ndarray, faces: Sequence[FaceOutcome]) -> np.ndarray:
    """(H, W) bool: the pixels of a photo that may change: in the masks of its faces, and in the blocks over what is
    covered."""
    allowed = np.zeros(original.shape[:2], bool)
    for face in faces:
        if face.outcome == "covered":
            allowed[_rectangle(face.box, ENLARGE)] = True
        elif face.outcome == "anonymised" and not isinstance(
            placement := place(Detection(face.box, face.landmarks, face.score)), str
        ):
            worn = bool(face.before and face.before.get(EYEGLASSES))
            (contour,) = outlines([original], [placement])
            placement = dataclasses.replace(placement, contour=contour, eyeglasses=worn)
            where = placement.bounds(original.shape)
            if where[0].start < where[0].stop and where[1].start < where[1].stop:
                allowed[where] |= face_mask(placement, where) > 0
    return allowed


def _face(
    original: np.ndarray, photo: AnonymizedPhoto, face: Detection, again: Sequence[Detection], look: Look
) -> FaceVerdict:
    told = max(photo.faces, key=lambda other: overlap(other.box, face.box), default=None)
    if told is None or overlap(told.box, face.box) < SAME_FACE:
        outcome, reason = None, ""
    else:
        outcome, reason = told.outcome, told.reason
    return FaceVerdict(face, outcome, reason, compare(original, photo.image, face, again, look))


def _violations(verdict: FaceVerdict) -> list[Violation]:
    seen, place_ = verdict.comparison, f"the face {_place(verdict.face.box)}"
    violations = []
    if verdict.outcome not in ("anonymised", "covered"):
        violations.append(Violation("left alone", f"{place_} is {verdict.outcome or 'not in the report'}"))
    if seen.changed < CHANGED or seen.unchanged:
        text = f"{place_} changed in {seen.changed:.0%} of its pixels, by {seen.difference:.2f} standard deviations"
        violations.append(Violation("unchanged", text))
    if seen.matches and (verdict.outcome != "covered" or verdict.face.box[2:].min() >= CLEAR_FACE):
        violations.append(Violation("match", f"{place_} is recognised, cosine {seen.cosine:.3f}"))
    return violations


def _box(original: np.ndarray, result: np.ndarray, box: np.ndarray, found: Sequence[Detection]) -> BoxVerdict:
    def shows(face: Detection) -> bool:
        beyond = face.box[:2] + face.box[2:] / 2 - box[:2]
        return bool((beyond >= 0).all() and (beyond < box[2:]).all() and overlap(face.box, box) > DRAWN)

    share, _ = change(original, result, *ellipse(original.shape, box, 1.0))
    where = _rectangle(box, 1.0)
    whole, _ = change(original, result, where, np.ones(original[where].shape[:2], bool))
    return BoxVerdict(box, any(map(shows, found)), share, whole)


def _rectangle(box: np.ndarray, scale: float) -> tuple[slice, slice]:
    """Rows and columns of a box whose sides are scaled about its centre."""
    centre, half = box[:2] + box[2:] / 2, box[2:] / 2 * scale
    (left, top), (right, bottom) = (
        np.maximum(p, 0).astype(int) for p in (np.floor(centre - half), np.ceil(centre + half))
    )
    return slice(top, bottom), slice(left, right)


def _place(box: np.ndarray) -> str:
    left, top, width, height = np.round(box).astype(int)
    return f"at {left},{top} of {width}x{height}"
