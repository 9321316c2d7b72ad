"""The similarity of five points, and the photo seen through it."""

import numpy as np
import pytest

from a3gan_jax.faces.alignment import align, resample, similarity, warp
from a3gan_jax.geometry import ARCFACE_LANDMARKS

TRIANGLE = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])


def test_quarter_turn_twice_the_size_by_hand():
    target = np.array([[5.0, 7.0], [5.0, 11.0], [3.0, 7.0]])  # (x, y) -> (5 - 2 y, 7 + 2 x)
    np.testing.assert_allclose(similarity(TRIANGLE, target), [[0, -2, 5], [2, 0, 7]], atol=1e-12)


def test_any_similarity_is_recovered_and_best_among_its_neighbours():
    rng = np.random.default_rng(0)
    angle, scale, shift = 0.4, 1.7, np.array([3.0, -2.0])
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    source = rng.normal(size=(5, 2))
    exact = source @ linear.T + shift
    np.testing.assert_allclose(similarity(source, exact), np.column_stack([linear, shift]), atol=1e-12)

    noisy = exact + rng.normal(scale=0.2, size=(5, 2))
    matrix = similarity(source, noisy)

    def error(matrix):
        return ((source @ matrix[:, :2].T + matrix[:, 2] - noisy) ** 2).sum()

    for turn in (
        np.array([[1, -0.01], [0.01, 1]]),
        np.array([[1, 0.01], [-0.01, 1]]),
        1.01 * np.eye(2),
        0.99 * np.eye(2),
    ):
        moved = turn @ matrix
        moved[:, 2] += (noisy - (source @ moved[:, :2].T + moved[:, 2])).mean(0)  # the best shift for it
        assert error(moved) > error(matrix)


def test_never_a_reflection():
    mirrored = TRIANGLE * [-1, 1]
    assert np.linalg.det(similarity(TRIANGLE, mirrored)[:, :2]) > 0


def test_points_in_one_place_are_an_error():
    with pytest.raises(ValueError, match="all lie in one place"):
        similarity(np.ones((5, 2)), ARCFACE_LANDMARKS)


def test_warp_by_hand():
    image = np.arange(1, 13, dtype=np.uint8).reshape(2, 2, 3) * 10
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(warp(image, identity, 2), image)
    right = warp(image, identity + [[0, 0, 1], [0, 0, 0]], 3)  # by one pixel: black comes in from the left
    np.testing.assert_array_equal(right[:2, 1:], image)
    assert not right[:, 0].any() and not right[2].any()
    half = warp(image, identity + [[0, 0, 0.5], [0, 0, 0]], 2)
    np.testing.assert_array_equal(half[0, 1], [25, 35, 45])  # between (10, 20, 30) and (40, 50, 60)


def test_marks_at_the_landmarks_come_to_lie_on_the_template():
    landmarks = np.array([[80, 90], [130, 100], [100, 125], [78, 145], [120, 152]])
    exact = similarity(ARCFACE_LANDMARKS, landmarks)
    landmarks = ARCFACE_LANDMARKS @ exact[:, :2].T + exact[:, 2]  # no residual
    y, x = np.mgrid[:224, :224]
    for point, place in zip(landmarks, ARCFACE_LANDMARKS, strict=True):
        blob = 255 * np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 18)
        aligned = align(np.repeat(blob[..., None], 3, axis=-1).astype(np.uint8), landmarks)[..., 0].astype(float)
        rows, columns = np.mgrid[:112, :112]
        centre = [(columns * aligned).sum() / aligned.sum(), (rows * aligned).sum() / aligned.sum()]
        np.testing.assert_allclose(centre, place, atol=0.15)


def test_a_larger_template_covers_the_same_face():
    image = np.tile(np.linspace(0, 255, 112)[None, :, None], (112, 1, 3)).astype(np.uint8)
    small, large = align(image, ARCFACE_LANDMARKS), align(image, ARCFACE_LANDMARKS, 224)
    np.testing.assert_allclose(large.reshape(112, 2, 112, 2, 3).mean((1, 3))[4:-4, 4:-4], small[4:-4, 4:-4], atol=1.5)


def turned(scale: float, angle: float, size: int) -> np.ndarray:
    """The centre of a 120x160 image comes to lie in the centre of the result."""
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear, np.full(2, (size - 1) / 2) - linear @ [79.5, 59.5]])


@pytest.mark.parametrize("scale", [3.0, 1.0, 0.7, 0.3, 0.11])
@pytest.mark.parametrize("smooth", [False, True])
def test_resampling_puts_a_smooth_image_where_the_matrix_says(scale, smooth):
    def picture(x, y):
        return 128 + 60 * np.sin(x / 23 + 1) + 60 * np.cos(y / 31)

    y, x = np.mgrid[:120, :160]
    image = np.repeat(np.round(picture(x, y)).astype(np.uint8)[..., None], 3, axis=-1)
    size = max(4, int(80 * scale))  # stays inside, however it is turned
    matrix = turned(scale, 0.6, size)
    rows, columns = np.mgrid[:size, :size]
    places = (np.stack([columns, rows], axis=-1) - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    expected = picture(places[..., 0], places[..., 1])
    result = resample(image, matrix, size, size, smooth=smooth)
    np.testing.assert_allclose(result[..., 0], expected, atol=3)
    assert -0.8 < (result[..., 0] - expected).mean() < 0.3, "more than the fractions that are cut off"


def test_shrinking_averages_what_no_sample_would_meet():
    image = np.zeros((400, 400, 3), np.uint8)
    image[::2] = 200  # lines of one pixel
    small = resample(image, np.array([[0.05, 0, -0.475], [0, 0.05, -0.475]]), 20, 20)
    np.testing.assert_allclose(small[1:-1], 100, atol=1)


def test_resampling_repeats_the_border():
    image = np.full((10, 20, 3), 50, np.uint8)
    image[:, -1] = 200
    wide = resample(image, np.array([[1.0, 0, 5], [0, 1, 5]]), 60, 30)
    assert (wide[:, :24] == 50).all() and (wide[:, 24:] == 200).all()
    far = resample(image, np.array([[1.0, 0, -1000], [0, 1, 0]]), 8, 8)  # of the image nothing is in sight
    assert (far == 200).all()
