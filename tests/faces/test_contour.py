"""Outlines of faces, by the network that comes with the package: on the astronaut."""

import numpy as np
import pytest

from a3gan_jax.faces import contour
from a3gan_jax.faces.contour import outlines
from a3gan_jax.faces.placement import place
from a3gan_jax.models.face_mesh import CHIN, CONTOUR
from tests.evals.astronaut import astronaut, mirrored
from tests.faces.scenes import face, photo


def test_it_surrounds_the_face():
    image, found = astronaut()
    placement = place(found)
    (outline,) = outlines([image], [placement])
    eyes, mouth = placement.points[:2], placement.points[3:]
    right, left = outline[:CHIN], outline[CHIN + 1 :]
    assert 0.05 < right[:, 0].max() - eyes[1, 0] < 0.25 and 0.05 < eyes[0, 0] - left[:, 0].min() < 0.25
    assert 0.08 < outline[CHIN, 1] - mouth[:, 1].mean() < 0.3 and outline[:, 1].argmax() in range(CHIN - 3, CHIN + 4)
    assert outline.shape == (len(CONTOUR), 2)
    assert abs(outline[CHIN, 0] - mouth[:, 0].mean()) < 0.08


def test_a_mirror_mirrors_it():
    image, found = astronaut()
    (outline,) = outlines([image], [place(found)])
    other_image, other = mirrored(image, found)
    (other_outline,) = outlines([other_image], [place(other)])
    np.testing.assert_allclose(other_outline, outline[::-1] * [-1, 1] + [1, 0], atol=0.03)


def test_company_changes_nothing():
    image, found = astronaut()
    placement = place(found)
    (alone,) = outlines([image], [placement])
    other = photo(300, 300)
    many = outlines([other, image, other] * 4, [place(face(150, 130, 120)), placement, place(face(90, 90, 50))] * 4)
    assert len(many) == 12 and outlines([], []) == []
    for each in many[1::3]:
        np.testing.assert_array_equal(each, alone)


def test_where_no_face_is_seen_there_is_no_outline():
    assert (
        outlines([photo(300, 300), np.zeros((300, 300, 3), np.uint8)], [place(face(150, 130, 120))] * 2) == [None] * 2
    )


def test_damaged_weights_are_refused(tmp_path, monkeypatch):
    damaged = tmp_path / "face_contour.npz"
    damaged.write_bytes(contour.WEIGHTS.read_bytes()[:-1])
    monkeypatch.setattr(contour, "WEIGHTS", damaged)
    contour._variables.cache_clear()
    image, found = astronaut()
    with pytest.raises(ValueError, match="is damaged; install a3gan-jax anew"):
        outlines([image], [place(found)])
    contour._variables.cache_clear()
