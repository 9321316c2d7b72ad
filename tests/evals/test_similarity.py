"""Structure, noise and untouched pixels of photos that were changed in known places."""

import math

import numpy as np
import pytest

from a3gan_jax.evals.similarity import COLUMNS, Similarity
from a3gan_jax.faces.detector import Detection

PHOTO = np.random.default_rng(0).integers(0, 256, (120, 100, 3), dtype=np.uint8)
FACE = Detection(np.array([35.0, 40, 30, 40]), None, 1.0)  # its centre is (50, 60)


def compare(original: np.ndarray, result: np.ndarray, face: Detection = FACE) -> dict[str, float]:
    values = Similarity()(original, result, face, None)
    assert values.dtype == np.float32 and values.shape == (Similarity.size,)
    return dict(zip(COLUMNS, values.tolist(), strict=True))


def test_an_unchanged_photo_is_equal_in_all():
    same = compare(PHOTO, PHOTO)
    assert same["ssim inside"] == same["ssim outside"] == pytest.approx(1)
    assert same["unchanged outside"] == 1 and same["psnr"] > 80


def test_a_covered_face_has_no_structure_and_leaves_the_outside_alone():
    covered = PHOTO.copy()
    covered[40:80, 35:65] = 128
    seen = compare(PHOTO, covered)
    assert seen["ssim inside"] < 0.3
    assert seen["ssim outside"] == pytest.approx(1) and seen["unchanged outside"] == 1
    squared = ((PHOTO.astype(float) - covered) ** 2).mean()
    assert seen["psnr"] == pytest.approx(10 * math.log10(255**2 / squared), rel=1e-5)


def test_one_bit_outside_is_noticed():
    touched = PHOTO.copy()
    touched[:10, :, 2] ^= 1  # all of it outside, one channel
    y, x = np.mgrid[:120, :100]
    outside = ((x - 50) / 30) ** 2 + ((y - 60) / 40) ** 2 > 1  # twice the half sides
    assert compare(PHOTO, touched)["unchanged outside"] == pytest.approx(1 - 1000 / outside.sum())


def test_a_face_that_fills_the_photo_has_no_outside():
    seen = compare(PHOTO, PHOTO, Detection(np.array([0.0, 0, 100, 120]), None, 1.0))
    assert math.isnan(seen["ssim outside"]) and math.isnan(seen["unchanged outside"])
    assert seen["ssim inside"] == pytest.approx(1)


def test_a_photo_smaller_than_the_window_has_no_structure():
    seen = compare(PHOTO[:8], PHOTO[:8], Detection(np.array([0.0, 0, 10, 8]), None, 1.0))
    assert math.isnan(seen["ssim inside"]) and seen["unchanged outside"] == 1
