"""Image distances and attribute shares against values worked out by hand."""

import numpy as np

from a3gan_jax.evals import fidelity


def test_psnr_and_mean_difference():
    black = np.zeros((2, 4, 4, 3), np.uint8)
    grey = np.stack([np.full((4, 4, 3), 255), np.full((4, 4, 3), 51)]).astype(np.uint8)
    np.testing.assert_allclose(fidelity.psnr(black, grey), [0, 20 * np.log10(5)])
    np.testing.assert_array_equal(fidelity.mean_difference(grey, black), [255, 51])
    np.testing.assert_array_equal(fidelity.mean_difference(black, grey), [255, 51])  # no unsigned overflow
    assert (fidelity.psnr(black, black) > 80).all()


def test_agreement_is_by_attribute():
    before = np.array([[1, 0], [1, 1], [0, 0], [0, 1]], bool)
    after = np.array([[1, 1], [1, 0], [0, 0], [1, 0]], bool)
    np.testing.assert_array_equal(fidelity.agreement(before, after), [0.75, 0.25])


def test_realised_counts_what_was_asked_to_change():
    original = np.array([[0, 0, 1]], bool)
    asked = np.array([[1, 1, 1]], bool)
    seen = np.array([[1, 0, 0]], bool)  # the third was not asked to change
    assert fidelity.realised(asked, original, seen) == (1, 2)
