"""Where a face lies in its photo: by its points, by its box, or nowhere."""

import dataclasses

import numpy as np
import pytest

from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.placement import place
from a3gan_jax.geometry import CELEBA_LANDMARKS, crop_landmarks

CELEBA_BOX = np.array([45.7, 72.3, 83.0, 108.6])  # of a detector, in an aligned photo


def detection(scale=1.0, angle=0.0, shift=(0.0, 0.0), points=CELEBA_LANDMARKS) -> Detection:
    """The face of an aligned CelebA photo, turned about its middle, scaled and shifted."""
    middle = CELEBA_BOX[:2] + CELEBA_BOX[2:] / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = None if points is None else (points - middle) @ turn.T * scale + middle + shift
    size = CELEBA_BOX[2:] * scale
    return Detection(np.concatenate([middle + shift - size / 2, size]), moved, 0.9)


def apply(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize("angle", [0.0, 0.7, -1.5, 3.0])
def test_the_points_come_to_lie_where_the_model_was_trained(angle):
    face = detection(2.5, angle, (300, 40))
    placed = place(face)
    np.testing.assert_allclose(apply(placed.to_crop(64), face.landmarks), crop_landmarks(64), atol=1e-9)
    np.testing.assert_allclose(apply(placed.to_crop(256), face.landmarks), crop_landmarks(256), atol=1e-9)
    np.testing.assert_array_equal(placed.landmarks, face.landmarks)


def test_without_points_the_box_says_where():
    placed = place(detection(3.0, points=None))
    np.testing.assert_allclose(placed.landmarks, detection(3.0).landmarks, atol=3)
    np.testing.assert_allclose(placed.matrix, place(detection(3.0)).matrix, rtol=0.02, atol=1e-9)


def test_a_profile_is_placed_by_its_points():
    profile = CELEBA_LANDMARKS.copy()
    profile[:, 0] = (profile[:, 0] - 88) * 0.35 + 70 + np.array([0, 0, -6, 0, 0])
    face = detection(points=profile)
    np.testing.assert_array_equal(place(face).landmarks, face.landmarks)


def test_points_that_contradict_the_box_give_way_to_it():
    small = detection(points=(CELEBA_LANDMARKS - [88, 130]) * 0.6 + [88, 130])  # a face within the face
    np.testing.assert_allclose(place(small).matrix, place(detection(points=None)).matrix)


@pytest.mark.parametrize(
    "points",
    [
        np.full((5, 2), 88.0),  # in one place
        np.stack([np.full(5, 88.0), np.linspace(60, 200, 5)], axis=1)[[4, 2, 0, 3, 1]],  # on a line, and in no order
        CELEBA_LANDMARKS[[1, 0, 2, 4, 3]],  # a mirror image: left is right
        CELEBA_LANDMARKS + [400, 0],  # far away
        np.random.default_rng(0).uniform(50, 180, (5, 2)),
    ],
)
def test_nonsense_is_refused(points):
    assert place(detection(points=points)) == "the five points do not lie as in a face"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_points_that_are_not_finite_are_refused(value):
    face = detection()
    face.landmarks[2, 1] = value
    assert place(face) == "the five points are not finite"


def test_bounds_hold_the_crops_circle_and_stay_in_the_photo():
    placed = place(detection(2.0, 0.5, (100, 100)))
    inverse = np.linalg.inv(placed.matrix[:, :2])
    angles = np.linspace(0, 2 * np.pi, 60)
    circle = (0.5 + 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1) - placed.matrix[:, 2]) @ inverse.T
    rows, columns = placed.bounds((1000, 1000, 3))
    assert columns.start <= circle[:, 0].min() < columns.start + 2
    assert rows.stop - 3 < circle[:, 1].max() <= rows.stop - 1
    rows, columns = placed.bounds((200, 100, 3))
    assert (rows.stop, columns.stop) == (200, 100)
    assert rows.start < 200
    rows, columns = place(detection(shift=(-1000, -1000))).bounds((200, 100, 3))
    assert rows.start == rows.stop == columns.start == columns.stop == 0


def test_the_box_holds_the_face_that_the_points_show():
    np.testing.assert_allclose(place(detection(2.0)).box, detection(2.0).box, atol=1)
    small = dataclasses.replace(detection(), box=np.array([60.0, 90, 57, 75]))
    sides = place(small).box[2:]
    np.testing.assert_allclose(sides, CELEBA_BOX[2:], atol=1)
    np.testing.assert_allclose(place(small).box[:2] + sides / 2, small.box[:2] + small.box[2:] / 2)
