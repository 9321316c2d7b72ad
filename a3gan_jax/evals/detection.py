"""Is there still a face for a detector? YuNet and dlib's HOG look anew at every result.

A detector agrees with itself more than it is right. So where people have drawn boxes both are held against those as
well, and HOG's box on the result is held against YuNet's on the original. Only one face of a photo is looked at; of the
drawn boxes the one nearest to it is the truth, and photos without a drawn box have no part in that comparison.
"""

from collections.abc import Iterator

import numpy as np

from a3gan_jax.evals.evidence import clusters, numbers, plain
from a3gan_jax.evals.figures import Evidence, Figure, mean, share
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.sights import Sights
from a3gan_jax.faces.tracking import overlap

YUNET, HOG = "yunet", "hog"
PEOPLE = "people"  # who drew boxes
OVERLAP = 0.5  # intersection over union from which a face is found where it is, as in Pascal VOC and WIDER FACE


class FaceDetection:
    """The task. ``hog`` (N, 5): left, top, width, height and score, nan where it finds no face."""

    name = "detection"
    needs = (HOG,)

    def measure(self, photos: LabelledPhotos, before: Sights, after: Sights) -> Evidence:
        """Boxes by detector, before and after, photo by photo; None where it found none."""
        boxes = {YUNET: [np.where(sights.found[:, None], sights.box, np.nan) for sights in (before, after)]}
        not_run = []
        if HOG in before.values:
            boxes[HOG] = [sights.values[HOG][:, :4] for sights in (before, after)]
        else:
            not_run.append([HOG, "there is no observer hog: only the detector that places the faces was asked"])
        if photos.boxes is None:
            not_run.append([PEOPLE, f"{photos.name} has no boxes drawn by people"])
        drawn = photos.boxes or [np.empty((0, 4))] * len(photos)
        return {
            "files": list(photos.files),
            "cluster": clusters(photos).tolist(),
            "boxes": {name: {"before": plain(a), "after": plain(b)} for name, (a, b) in boxes.items()},
            "drawn": plain(np.stack([_nearest(d, box) for d, box in zip(drawn, before.box, strict=True)])),
            "not_run": not_run,
        }

    def figures(self, evidence: Evidence) -> Iterator[Figure]:
        """For each detector: the share of faces found, and the overlap with its own box on the original, with YuNet's,
        and with the one drawn by people. A face that is not found has an overlap of 0.

        "found only" are the faces that the detector finds on the original: the others say nothing of the method.
        """
        groups = np.array(evidence["cluster"], int)
        drawn = numbers(evidence["drawn"], 4)
        every = {
            name: tuple(numbers(boxes[when], 4) for when in ("before", "after"))
            for name, boxes in evidence["boxes"].items()
        }
        for name, (before, after) in every.items():
            seen, again = (np.isfinite(boxes).all(1) for boxes in (before, after))
            yield share(f"{name}/found before", seen)
            yield share(f"{name}/found", again)
            yield share(f"{name}/found/found only", again[seen])
            yield from _overlaps(name, found_overlap(before, after), groups, seen)
            if name != YUNET:
                yield from _against(f"{name} against {YUNET}", every[YUNET][0], before, after, groups)
            judged = np.isfinite(drawn).all(1)
            if judged.any():
                rows = (array[judged] for array in (drawn, before, after, groups))
                yield from _against(f"{name} against {PEOPLE}", *rows)


def found_overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``overlap`` (N,) of boxes (N, 4); 0 where one of them is nan."""
    return np.nan_to_num(overlap(a, b))


def _nearest(drawn: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The one of ``drawn`` (M, 4) whose centre is nearest to that of ``box`` (4,); nan where M is 0."""
    if not len(drawn):
        return np.full(4, np.nan)
    gaps = drawn[:, :2] + drawn[:, 2:] / 2 - (box[:2] + box[2:] / 2)
    return np.asarray(drawn[np.hypot(*gaps.T).argmin()], np.float64)


def _against(
    name: str, truth: np.ndarray, before: np.ndarray, after: np.ndarray, groups: np.ndarray
) -> Iterator[Figure]:
    """How well the boxes meet another's, before the method and after it; all (N, 4)."""
    seen = np.isfinite(before).all(1)
    yield from _overlaps(f"{name} before", found_overlap(truth, before), groups)
    yield from _overlaps(name, found_overlap(truth, after), groups, seen)


def _overlaps(name: str, values: np.ndarray, groups: np.ndarray, seen: np.ndarray | None = None) -> Iterator[Figure]:
    """Over all cases, and over those ``seen`` before."""
    parts = {"": slice(None)} | ({} if seen is None else {"/found only": seen})
    for end, rows in parts.items():
        yield share(f"{name}/found in place{end}", values[rows] >= OVERLAP)
        yield mean(f"{name}/iou{end}", values[rows], groups[rows])
