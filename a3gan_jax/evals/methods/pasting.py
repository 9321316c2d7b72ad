"""Other faces in the places of those of a photo: cut, matched in colour and blended as the product does it."""

from collections.abc import Callable, Sequence

import numpy as np

from a3gan_jax.faces import replacement
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.replacement import MIN_FACE, Face

#: Aligned crops (N, S, S, 3) uint8 -> for each the one that takes its place, likewise, and whether it is finite (N,).
Swap = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def paste(
    images: Sequence[np.ndarray],
    faces: Sequence[Sequence[Detection]],
    size: int,
    swap: Swap,
    eyeglasses: Callable[[np.ndarray], np.ndarray] | None = None,
) -> list[np.ndarray]:
    """The photos with every face swapped; what the product would cover (too small, no face by its points) is covered.

    Args:
        images, faces: as of a ``Method``.
        size: side S of the crops.
        swap: asked once about all crops, if there are any.
        eyeglasses: crops -> which of them show any (N,); None: this is not asked.

    Raises:
        ValueError: a box is not finite.
    """
    if len(images) != len(faces):
        raise ValueError(f"faces are given for {len(faces)} photos, there are {len(images)}")
    placed = [Face(photo, face, seed=0) for photo, found in enumerate(faces) for face in found]
    replacement.locate(placed, images, size, MIN_FACE)
    located = [face for face in placed if face.crop is not None]
    if eyeglasses is not None and located:
        replacement.wear(located, eyeglasses(np.stack([face.crop for face in located])))

    def generate(crops: np.ndarray, tried: Sequence[Face]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        new, finite = swap(crops)
        none = np.empty((len(new), 0), np.uint8)  # attributes, which no one asks for here
        return new, none, none, finite

    return replacement.replace(images, placed, generate, None)
