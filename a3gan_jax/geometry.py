"""Where a face lies: the CelebA geometry, our square crop of it, and the ArcFace template.

All coordinates are pixel *centres* (the centre of the top left pixel is (0, 0)), x to the right and y down.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array

#: Eyes, nose tip and mouth corners (the one at the image's left first) in an aligned CelebA photo of 178x218 pixels:
#: medians over 300 photos (our own measurement).
CELEBA_LANDMARKS = np.array([[69.3, 112.0], [108.1, 112.2], [88.5, 134.4], [72.1, 150.5], [105.3, 151.3]])

#: The same five points in the 112x112 template of ArcFace (arXiv 1801.07698) and most recognisers since.
ARCFACE_LANDMARKS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
ARCFACE_SIZE = 112

CELEBA_SIZE = (178, 218)  # width, height of the official aligned photos
CROP_ORIGIN = (14, 38)  # left, top of our crop in an aligned CelebA photo (our own choice)
CROP_SIDE = 150  # its side, in CelebA pixels


def celeba_to_crop(points: np.ndarray, size: int) -> np.ndarray:
    """Points (..., 2) of an aligned CelebA photo, in the pixels of a ``size`` x ``size`` crop."""
    # Half a pixel in and out: a pixel centre is not the corner that scaling leaves in place.
    return (np.asarray(points) + 0.5 - np.array(CROP_ORIGIN)) * (size / CROP_SIDE) - 0.5


def crop_landmarks(size: int) -> np.ndarray:
    """The five points (5, 2) at their canonical places in a ``size`` x ``size`` crop."""
    return celeba_to_crop(CELEBA_LANDMARKS, size)


def crop_to_arcface(size: int, template_size: int = ARCFACE_SIZE) -> tuple[float, np.ndarray]:
    """The fixed map that reads an ArcFace-aligned image out of a crop: ``crop = scale * template + offset``.

    Least squares over the five points, scale and shift only: the rotation between the two templates is under
    one degree, and without it the resampling is separable. Returns ``scale`` and ``offset`` (2,) as (x, y).
    """
    source = (ARCFACE_LANDMARKS + 0.5) * (template_size / ARCFACE_SIZE) - 0.5
    target = crop_landmarks(size)
    centred = source - source.mean(0)
    scale = float((centred * (target - target.mean(0))).sum() / (centred**2).sum())
    return scale, target.mean(0) - scale * source.mean(0)


def resampling_matrix(size_out: int, size_in: int, scale: Array | float, offset: Array | float) -> Array:
    """Linear interpolation as a matrix (size_out, size_in): output centre o reads input ``scale * o + offset``.

    Reads beyond the border repeat the border pixel. Differentiable in ``scale`` and ``offset``.
    """
    source = jnp.clip(scale * jnp.arange(size_out) + offset, 0, size_in - 1)
    return jnp.maximum(0.0, 1.0 - jnp.abs(source[:, None] - jnp.arange(size_in)))


def resample(images: Array, rows: Array, columns: Array) -> Array:
    """Separable resampling of images (N, H, W, C) by rows (h, H) and columns (w, W), or (N, h, H) and (N, w, W)."""
    if rows.ndim == 2:
        return jnp.einsum("hH,nHWc,wW->nhwc", rows, images, columns, optimize=True)
    return jnp.einsum("nhH,nHWc,nwW->nhwc", rows, images, columns, optimize=True)


def _ellipse(size: int, centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """A soft ellipse (size, size), 1 inside and 0 outside; centre and radii (x, y) in shares of the side."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    distance = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])
    return 1.0 / (1.0 + np.exp((distance - 1.0) * 12.0))


def face_region(size: int) -> np.ndarray:
    """The face of an aligned crop (size, size, 1) float32: 1 from brows to chin and cheek to cheek, 0 elsewhere."""
    return _ellipse(size, (0.5, 0.578), (0.297, 0.391))[..., None].astype(np.float32)


def head_region(size: int) -> np.ndarray:
    """Face and hair of an aligned crop (size, size, 1) float32: 1 in the face, 0.7 in the hair, 0 in the background."""
    head = _ellipse(size, (0.5, 0.516), (0.422, 0.516))[..., None]
    return np.maximum(face_region(size), 0.7 * head).astype(np.float32)


def form_regions(size: int) -> np.ndarray:
    """Eyes and mouth of an aligned crop (2, size, size) float32: 1 inside, 0 elsewhere, in the order of
    ``attributes.FORMS``."""
    eyes, mouth = _ellipse(size, (0.5, 0.493), (0.25, 0.075)), _ellipse(size, (0.498, 0.765), (0.2, 0.12))
    return np.stack([eyes, mouth]).astype(np.float32)
