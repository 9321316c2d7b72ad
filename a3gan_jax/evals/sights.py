"""What is seen in photos before and after a method: faces detected anew, and what observers say of each."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.tracking import overlap
from a3gan_jax.geometry import ARCFACE_LANDMARKS

SAME_PLACE = 0.3  # intersection over union from which on two boxes are one face's; our own choice


class Observer(Protocol):
    """Looks at a face in its photo: a recogniser, an expression network, a second detector."""

    name: str
    size: int  # D, of what it gives

    def __call__(self, image: np.ndarray, face: Detection) -> np.ndarray:
        """(D,) float32 of one face in a photo (H, W, 3) uint8; nan in all of it where it can say nothing."""


class Comparer(Protocol):
    """Looks at a photo and at what became of it: a similarity of structure, a distance of features."""

    name: str
    size: int

    def __call__(
        self, original: np.ndarray, result: np.ndarray, before: Detection, after: Detection | None
    ) -> np.ndarray:
        """(D,) float32 from two photos (H, W, 3) uint8 of one size, the face as found in the original and in the
        result; ``after`` is None where the detector found none. nan where there is nothing to say."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sights:
    """What was seen in N photos, of the one face that matters in each.

    found: (N,) bool, whether the detector finds that face. Where it does not, the observers looked where the original's
        face is: a face that is only not found must not pass for one that nobody recognises.
    box: (N, 4) left, top, width, height, where the observers looked; landmarks: (N, 5, 2); score: (N,) in [0, 1].
    values: name of an observer or comparer -> (N, D) float32; rows of nan where it could say nothing. The comparers'
        names are only there in the sights of results.
    asked: name of an attribute -> (N,) in {0, 1, nan}: what the method was to show on that face, as far as it says so.
    """

    found: np.ndarray
    box: np.ndarray
    landmarks: np.ndarray
    score: np.ndarray
    values: Mapping[str, np.ndarray]
    asked: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


def central(faces: Sequence[Detection], height: int, width: int) -> Detection | None:
    """The face whose centre is nearest to that of a photo (height, width); None without any."""
    middle = np.array([width, height]) / 2
    return min(faces, key=lambda face: float(np.linalg.norm(face.box[:2] + face.box[2:] / 2 - middle)), default=None)


def again(faces: Sequence[Detection], original: Detection) -> Detection | None:
    """The face of a result that stands where the original's does: the one that overlaps it most."""
    best = max(faces, key=lambda face: overlap(face.box, original.box), default=None)
    return best if best is not None and overlap(best.box, original.box) >= SAME_PLACE else None


def look(
    originals: Sequence[np.ndarray | None],
    results: Sequence[np.ndarray | None] | None,
    detector: Callable[[np.ndarray], list[Detection]],
    observers: Sequence[Observer],
    comparers: Sequence[Comparer] = (),
    faces: Sequence[Sequence[Detection]] | None = None,
) -> Sights:
    """Looks at photos, or at what became of them.

    Args:
        originals: N photos (H, W, 3) uint8; None: one that could not be read.
        results: of a method, each of its original's size; None: the originals themselves are looked at. One that is
            None is a failure of the method: nothing is found in it, and its values are nan.
        detector: a photo -> its faces.
        observers: asked about every face.
        comparers: asked about every original and its result; nothing without results.
        faces: of the originals; None: they are detected.

    Raises:
        ValueError: a result has another size than its original.
    """
    if faces is None:
        faces = [[] if image is None else detector(image) for image in originals]
    asked = [*observers, *(comparers if results is not None else ())]
    rows = []
    for number, original in enumerate(originals):
        if original is None or (results is not None and results[number] is None):
            nothing = Detection(np.full(4, np.nan), np.full((5, 2), np.nan), 0.0)
            rows.append((False, nothing, {one.name: np.full(one.size, np.nan) for one in asked}))
            continue
        before = central(faces[number], *original.shape[:2])
        found = before is not None
        place = before if found else _middle(*original.shape[:2])
        image, after = original, before
        if results is not None:
            image = results[number]
            if image.shape != original.shape:
                raise ValueError(f"a result has shape {image.shape}, its original {original.shape}")
            after = again(detector(image), place)
            found = after is not None
        seen = place if after is None else after
        row = {observer.name: observer(image, seen) for observer in observers}
        if results is not None:
            row |= {comparer.name: comparer(original, image, place, after) for comparer in comparers}
        rows.append((found, seen, row))
    return Sights(
        found=np.array([found for found, _, _ in rows], bool),
        box=np.array([seen.box for _, seen, _ in rows], np.float32).reshape(-1, 4),
        landmarks=np.array([seen.landmarks for _, seen, _ in rows], np.float32).reshape(-1, 5, 2),
        score=np.array([seen.score for _, seen, _ in rows], np.float32),
        values={
            one.name: np.array([row[one.name] for _, _, row in rows], np.float32).reshape(len(rows), one.size)
            for one in asked
        },
    )


def join(parts: Sequence[Sights]) -> Sights:
    """Sights of several parts as those of one whole."""
    arrays = {
        field: np.concatenate([getattr(part, field) for part in parts])
        for field in ("found", "box", "landmarks", "score")
    }
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values}
    names = dict.fromkeys(name for part in parts for name in part.asked)
    unsaid = [np.full(len(part.found), np.nan) for part in parts]
    asked = {n: np.concatenate([p.asked.get(n, none) for p, none in zip(parts, unsaid, strict=True)]) for n in names}
    return Sights(**arrays, values=values, asked=asked)


def _middle(height: int, width: int) -> Detection:
    """Where a face would be in a photo that is centred on it, as those of face data sets are."""
    side = 0.45 * min(height, width)
    corner = (np.array([width, height]) - side) / 2
    # The template's points, 112 px a side, of which the box of a face takes about 70 in width.
    points = (ARCFACE_LANDMARKS - 56.0) * (side / 70) + np.array([width, height]) / 2
    return Detection(np.array([*corner, side, side]), points, 0.0)
