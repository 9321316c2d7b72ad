"""The recogniser that judges: it sees what the product's sees, by code of its own."""

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from a3gan_jax.evals.onnx_recognizer import MATCH, OnnxSFace, on_template
from a3gan_jax.faces import identity
from a3gan_jax.faces.detector import YuNet
from a3gan_jax.geometry import ARCFACE_LANDMARKS
from tests.faces.scenes import face, photo


@pytest.mark.parametrize("side", [60, 180, 900])
def test_a_face_lies_on_the_template_as_the_product_lays_it(side):
    smooth = max(1.0, side / 100)
    image = photo(2 * side, 2 * side, smooth=smooth)
    points = face(side, side, side, 0.4).landmarks
    mine, product = (function(image, points).astype(int) for function in (on_template, identity.on_template))
    assert mine.shape == (112, 112, 3)
    assert np.abs(mine - product)[2:-2, 2:-2].mean() < 1.5


def test_pixels_stay_where_the_points_are_those_of_the_template():
    image = photo(112, 112)
    np.testing.assert_allclose(on_template(image, ARCFACE_LANDMARKS).astype(int), image, atol=1)


def test_a_large_face_is_averaged_and_not_sampled():
    lines = np.zeros((1120, 1120, 3), np.uint8)
    lines[:, ::10] = 250  # each tenth column: one sample a pixel would see 250 or nothing
    seen = on_template(lines, (ARCFACE_LANDMARKS + 0.5) * 10 - 0.5)
    assert np.ptp(seen[1:-1, 1:-1]) < 20 and abs(seen.mean() - 25) < 5


def test_points_that_are_no_face_are_refused():
    image = photo(40, 40)
    for points in (np.full((5, 2), 7.0), np.full((5, 2), np.nan), np.zeros((4, 2))):
        with pytest.raises(ValueError, match="five finite points"):
            on_template(image, points)


def test_a_person_is_recognised_at_another_size_and_her_suit_is_not():
    image, look = astronaut(), OnnxSFace()
    (found, *_) = YuNet(score=0.6)(image)
    small = np.asarray(Image.fromarray(image).resize((256, 256), Image.Resampling.BOX))
    person, again = look(image, found.landmarks), look(small, (found.landmarks + 0.5) / 2 - 0.5)
    assert person.shape == (128,) and np.linalg.norm(person) == pytest.approx(1, abs=1e-5)
    assert person @ again > 0.8
    assert person @ look(image, found.landmarks + [60, 200]) < MATCH  # her suit
