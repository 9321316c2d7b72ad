"""What the tasks that look at single faces note down alike: numbers as JSON, and which cases count as found."""

import numpy as np

from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.sights import Sights

DIGITS = 6  # that are significant in what a float32 network says


def plain(values: np.ndarray, digits: int = DIGITS) -> list:
    """Numbers of any shape as nested lists; None for nan, which JSON does not have. ``numbers`` reads them."""
    values = np.asarray(values, np.float64)
    if values.ndim > 1:
        return [plain(row, digits) for row in values]
    return [None if np.isnan(value) else float(f"{value:.{digits}g}") for value in values]


def numbers(values: list, width: int | None = None) -> np.ndarray:
    """(N,) float64 of a list with None or nan for nan, or (N, ``width``)."""
    array = np.array(values, np.float64)
    return array if width is None else array.reshape(len(values), width)


def faces_found(before: Sights, after: Sights) -> np.ndarray:
    """(N,) bool: the faces that the detector finds in the original and in the result. For whoever uses the data the
    others are lost: over all faces they count as failures, whatever an observer says of the place."""
    return before.found & after.found


def clusters(photos: LabelledPhotos) -> np.ndarray:
    """(N,) int: which photos belong together and are no independent cases, by the column ``group`` where it says
    something, else by person; every other photo is by itself."""
    groups = photos.labels.get("group", ("",) * len(photos))
    keys = [
        ("group", group) if group else ("person", int(person)) if person >= 0 else ("photo", position)
        for position, (group, person) in enumerate(zip(groups, photos.identity, strict=True))
    ]
    known = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([known[key] for key in keys], int)
