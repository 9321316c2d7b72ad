"""Aligned faces out of photos, for methods and attacks that work on crops."""

from collections.abc import Callable, Iterable

import numpy as np

from a3gan_jax.evals.sights import central
from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.placement import place


def aligned_crop(image: np.ndarray, face: Detection, size: int) -> np.ndarray:
    """The face (size, size, 3) uint8 of a photo (H, W, 3) uint8, cut as ``geometry.crop_landmarks`` says: by its five
    points, by its box where they cannot be used."""
    placed = place(face)
    if isinstance(placed, str):
        placed = place(Detection(face.box, None, face.score))
    return resample(image, placed.to_crop(size), size, size)


def gallery(
    images: Iterable[np.ndarray], detector: Callable[[np.ndarray], list[Detection]], size: int = 128
) -> np.ndarray:
    """The central faces (M, size, size, 3) uint8 of photos; those without a face are left out."""
    crops = []
    for image in images:
        face = central(detector(image), *image.shape[:2])
        if face is not None:
            crops.append(aligned_crop(image, face, size))
    return np.array(crops, np.uint8).reshape(-1, size, size, 3)
