"""dlib's detector finds the astronaut where YuNet does, and nobody elsewhere."""

import sys

import numpy as np
import pytest

from a3gan_jax.evals.second_detector import COLUMNS, HogObserver
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.tracking import overlap
from tests.evals.astronaut import astronaut


@pytest.fixture(scope="module")
def part():
    """A part of the photo, for the detector's sake, and the face in it."""
    image, face = astronaut()
    return image[20:220, 120:320], Detection(face.box - [120, 20, 0, 0], face.landmarks - [120, 20], 1.0)


def test_its_box_overlaps_yunets(part):
    image, face = part
    found = HogObserver()(image, face)
    assert found.shape == (len(COLUMNS),) and found.dtype == np.float32
    assert overlap(found[None, :4], face.box)[0] > 0.4
    assert found[4] > 0


def test_the_overlapping_one_of_two_faces_is_taken(part):
    image, face = part
    both = np.concatenate([image, image], axis=1)
    second = Detection(face.box + [200, 0, 0, 0], face.landmarks + [200, 0], 1.0)
    observer = HogObserver()
    first_found, second_found = observer(both, face), observer(both, second)
    assert second_found[0] - first_found[0] == pytest.approx(200, abs=8)


def test_where_none_overlaps_there_is_nothing_to_say(part):
    image, _ = part
    elsewhere = Detection(np.array([150.0, 150, 40, 40]), None, 1.0)
    observer = HogObserver()
    assert np.isnan(observer(image, elsewhere)).all()
    assert np.isnan(observer(np.zeros_like(image), elsewhere)).all()


def test_overlaps_by_hand():
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 10, 10], [10, 0, 10, 10]])
    np.testing.assert_allclose(overlap(boxes, np.array([0.0, 0, 10, 10])), [1, 50 / 150, 0])
    assert overlap(np.empty((0, 4)), np.array([0.0, 0, 1, 1])).shape == (0,)


def test_without_dlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ModuleNotFoundError, match=r'needs dlib: pip install "a3gan-jax\[eval\]"'):
        HogObserver()
