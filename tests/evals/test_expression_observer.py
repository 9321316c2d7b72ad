"""Expressions of the astronaut, who smiles."""

import numpy as np
import pytest

from a3gan_jax.evals.expression_observer import ExpressionObserver, crop
from a3gan_jax.models.fer import EXPRESSIONS
from tests.evals.astronaut import astronaut, mirrored, painted


@pytest.fixture(scope="module")
def observer():
    return ExpressionObserver()


def test_probabilities_sum_to_one_and_see_the_smile(observer):
    image, face = astronaut()
    seen = observer(image, face)
    assert seen.shape == (observer.size,) and seen.dtype == np.float32
    assert seen.sum() == pytest.approx(1, abs=1e-5) and EXPRESSIONS[seen.argmax()] == "happy"
    np.testing.assert_allclose(observer(*mirrored(image, face)), seen, atol=0.15)


def test_a_covered_mouth_is_no_smile(observer):
    image, face = astronaut()
    mouth = face.landmarks[3:].mean(0)
    covered = painted(image, mouth, (28, 16), tuple(image[int(mouth[1]) - 22, int(mouth[0]) - 20]))
    happy = EXPRESSIONS.index("happy")
    assert observer(covered, face)[happy] < observer(image, face)[happy] - 0.2


def test_the_crop_is_the_box_with_its_margin():
    """A white box of 40 x 60 pixels takes 1 / 1.1 of either side of the crop, centred."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[70:130, 90:130] = 255
    white = crop(image, np.array([90.0, 70, 40, 60])).astype(float) / 255
    assert white.shape == (64, 64)
    for axis in (0, 1):
        profile = white.max(axis)
        assert profile.sum() == pytest.approx(64 / 1.1, abs=1.5)
        assert (profile * np.arange(64)).sum() / profile.sum() == pytest.approx(31.5, abs=0.3)


def test_a_face_at_the_border_is_seen_all_the_same(observer):
    image, face = astronaut()
    left, top, *_ = np.floor(face.box).astype(int)
    face = type(face)(face.box - [left, top, 0, 0], face.landmarks - [left, top], face.score)
    assert EXPRESSIONS[observer(image[top:, left:], face).argmax()] == "happy"
