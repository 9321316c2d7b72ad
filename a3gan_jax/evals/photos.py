"""Photos with what is known of them: what an evaluation is made on."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of photos for verification, by their positions.

    ``first``, ``second`` (P,) int; ``same`` (P,) bool: one person; ``fold`` (P,) int, the part of a cross-validation.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    fold: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledPhotos:
    """N whole photos, each of one person that matters: the one nearest to the centre.

    name: of the data set.
    files: N unique names, relative to its folder, with "/".
    load: position -> the photo (H, W, 3) uint8, RGB, upright. Raises ValueError where the file is no image.
    identity: (N,) int, who it is; -1 where nobody knows.
    labels: name of a column -> N texts, empty where unknown.
    attributes: (N, K) uint8 in {0, 1} of ``attribute_names``; K may be 0.
    pairs: of a verification protocol; None where the data set brings none.
    boxes: by photo (M, 4) left, top, width, height of all its faces, drawn by people; None without any.
    """

    name: str
    files: tuple[str, ...]
    load: Callable[[int], np.ndarray]
    identity: np.ndarray
    labels: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    attributes: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((0, 0), np.uint8))
    attribute_names: tuple[str, ...] = ()
    pairs: Pairs | None = None
    boxes: tuple[np.ndarray, ...] | None = None

    def __len__(self) -> int:
        return len(self.files)
