"""How much of a photo is still there: distances of images, and attributes that were kept or changed as asked."""

import numpy as np


def psnr(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio (N,) in dB of uint8 images (N, H, W, 3); equal images get that of an error of 0.01."""
    squared = ((a.astype(np.float64) - b) ** 2).mean((1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(squared, 1e-4))


def mean_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean absolute difference (N,) of uint8 images (N, H, W, 3), in grey levels of 255."""
    return np.abs(a.astype(np.float64) - b).mean((1, 2, 3))


def agreement(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Share (K,) of faces on which an attribute classifier says the same before and after: two (N, K) bool."""
    return (before == after).mean(0)


def realised(asked: np.ndarray, original: np.ndarray, seen: np.ndarray) -> tuple[int, int]:
    """Of the attributes that were asked to change, how many are seen changed: three (N, K) bool.

    Returns (seen as asked, asked).
    """
    changed = asked != original
    return int((changed & (seen == asked)).sum()), int(changed.sum())
