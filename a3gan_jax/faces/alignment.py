"""Turning a face into a recogniser's template: the similarity that fits five points, and the photo resampled by it."""

import numpy as np
from PIL import Image

from a3gan_jax.geometry import ARCFACE_LANDMARKS, ARCFACE_SIZE


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, scale and shift that brings points nearest to others, in least squares (Umeyama, PAMI 1991).

    Args:
        source: (M, 2) with at least two different points.
        target: (M, 2).

    Returns:
        (2, 3) float64: ``target ~ matrix[:, :2] @ source + matrix[:, 2]``. Never a reflection.

    Raises:
        ValueError: all source points are one.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    centre_in, centre_out = source.mean(0), target.mean(0)
    spread_in, spread_out = source - centre_in, target - centre_out
    variance = (spread_in**2).sum()
    if variance == 0:
        raise ValueError("no similarity fits points that all lie in one place")
    left, singular, right = np.linalg.svd(spread_out.T @ spread_in)
    sign = np.array([1.0, np.sign(np.linalg.det(left @ right))])
    linear = (left * sign) @ right * ((singular * sign).sum() / variance)
    return np.column_stack([linear, centre_out - linear @ centre_in])


def warp(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """An image (H, W, 3) uint8 seen through ``matrix`` (2, 3), photo to result: (size, size, 3) uint8.

    Bilinear, black beyond the border.
    """
    inverse = np.linalg.inv(matrix[:, :2])
    y, x = np.mgrid[:size, :size]
    places = np.stack([x, y], axis=-1) - matrix[:, 2]
    column, row = np.moveaxis(places @ inverse.T, -1, 0)
    padded = np.pad(image, ((1, 2), (1, 2), (0, 0))).astype(np.float64)
    height, width = image.shape[:2]
    row, column = row.clip(-1, height) + 1, column.clip(-1, width) + 1  # in pixels of the padded image
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = (row - top)[..., None], (column - left)[..., None]
    upper = padded[top, left] * (1 - right) + padded[top, left + 1] * right
    lower = padded[top + 1, left] * (1 - right) + padded[top + 1, left + 1] * right
    return np.round(upper * (1 - down) + lower * down).astype(np.uint8)


def align(image: np.ndarray, landmarks: np.ndarray, size: int = ARCFACE_SIZE) -> np.ndarray:
    """A face on the ArcFace template: (size, size, 3) uint8 from a photo (H, W, 3) and its five points (5, 2)."""
    template = (ARCFACE_LANDMARKS + 0.5) * (size / ARCFACE_SIZE) - 0.5
    return warp(image, similarity(landmarks, template), size)


def resample(
    image: np.ndarray, matrix: np.ndarray, width: int, height: int, *, smooth: bool = False, quick: bool = False
) -> np.ndarray:
    """An image (H, W, 3) uint8 seen through ``matrix`` (2, 3), image to result: (height, width, 3) uint8.

    Shrinking averages over all the pixels that a result pixel covers (over most of them if ``quick``); enlarging is
    bilinear, or bicubic if ``smooth``.
    Beyond the border the nearest border pixel is repeated. Fractions of a level may be cut off (Pillow's way).
    """
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    # Whole factors first, with Pillow's fast filters; then several samples a result pixel where it still shrinks.
    shrink = max(1, int(0.5 / scale))
    enlarge = min(4, max(2, round(scale))) if smooth and scale > 1 else 1
    samples = 1 if quick else max(1, int(np.ceil(1 / (scale * shrink) - 0.01)))
    linear = np.linalg.inv(matrix[:, :2])
    # Pillow counts from the corner of the top left pixel, half a pixel from its centre.
    shift = 0.5 - linear @ (matrix[:, 2] + 0.5)
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ linear.T + shift
    start = np.floor(corners.min(0)).astype(int) - 3 * shrink
    end = np.ceil(corners.max(0)).astype(int) + 4 * shrink
    if (start >= 0).all() and (end <= image.shape[1::-1]).all():
        part = image[start[1] : end[1], start[0] : end[0]]
    else:
        rows, columns = np.arange(start[1], end[1]), np.arange(start[0], end[0])
        part = image.take(rows, axis=0, mode="clip").take(columns, axis=1, mode="clip")
    source = Image.fromarray(part)
    if shrink > 1:
        source = source.reduce(shrink)
    elif enlarge > 1:
        source = source.resize((source.width * enlarge, source.height * enlarge), Image.Resampling.BICUBIC)
    (a, b), (c, d) = linear / (shrink * samples) * enlarge
    x, y = (shift - start) / shrink * enlarge
    size = width * samples, height * samples
    result = source.transform(size, Image.Transform.AFFINE, (a, b, x, c, d, y), Image.Resampling.BILINEAR)
    return np.asarray(result.reduce(samples) if samples > 1 else result)
