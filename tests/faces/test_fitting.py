"""New faces in the outlines of the old: with stand-ins for the mesh, and on the astronaut."""

import dataclasses

import numpy as np
import pytest

from a3gan_jax.faces import fitting
from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.contour import outlines
from a3gan_jax.faces.fitting import TURN, fit_outlines
from a3gan_jax.faces.placement import place
from tests.evals.astronaut import astronaut
from tests.faces.scenes import face, outlined

SIZE = 128
SKIN, HAIR = np.array([200, 150, 120], np.uint8), np.array([20, 30, 40], np.uint8)


def around(placement, radius):
    turns = np.linspace(-0.1, 1.1, 29) * np.pi
    return placement.points.mean(0) + radius * np.stack([np.cos(turns), np.sin(turns)], -1)


def from_middle(placement):
    """How far the pixels of a crop lie from the middle of the face, and whether below it."""
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE
    middle = placement.points.mean(0)
    return np.hypot(x - middle[0], y - middle[1]), y > middle[1]


def disc(placement, radius):
    """A crop with a face of this radius, whose inside is no even colour."""
    reach, _ = from_middle(placement)
    inside = SKIN - (np.arange(SIZE) % 7)[:, None].astype(np.uint8)
    return np.where((reach < radius)[..., None], inside, HAIR).astype(np.uint8)


def sees(monkeypatch, *found):
    monkeypatch.setattr(fitting, "outlines", lambda images, placements: list(found))


@pytest.mark.parametrize("radius", [0.26, 0.34])
def test_the_new_outline_becomes_the_old_one(monkeypatch, radius):
    straight = outlined()
    placement = dataclasses.replace(straight, contour=around(straight, 0.3))
    crop = disc(placement, radius)
    before = crop.copy()
    sees(monkeypatch, around(placement, radius))
    (fitted,) = fit_outlines(crop[None], [placement])
    reach, below = from_middle(placement)
    skin = np.abs(fitted.astype(int) - SKIN).max(-1) < 20
    assert skin[below & (reach < 0.29)].all() and not skin[below & (reach > 0.31)].any()
    still = reach < 0.17
    np.testing.assert_array_equal(fitted[still], crop[still])
    np.testing.assert_array_equal(crop, before)


def test_what_fits_stays_as_it_is(monkeypatch):
    straight = outlined()
    placement = dataclasses.replace(straight, contour=around(straight, 0.3))
    crop = disc(placement, 0.3)
    sees(monkeypatch, placement.contour)
    np.testing.assert_array_equal(fit_outlines(crop[None], [placement])[0], crop)


def test_without_an_outline_and_turned_away_nothing_moves(monkeypatch):
    straight, turned = outlined(), outlined(turn=TURN[1] + 0.03)
    assert abs(turned.turn) > TURN[1]
    known = dataclasses.replace(straight, contour=around(straight, 0.3))
    placements = [dataclasses.replace(straight, contour=None), turned, known]
    crops = np.stack([disc(placement, 0.26) for placement in placements])
    sees(monkeypatch, None)  # it is asked of the third alone, in which it sees no face
    np.testing.assert_array_equal(fit_outlines(crops, placements), crops)


def test_a_head_that_is_half_turned_is_stretched_by_half(monkeypatch):
    def moved(turn):
        placement = outlined(turn=turn)
        placement = dataclasses.replace(placement, contour=around(placement, 0.3))
        sees(monkeypatch, around(placement, 0.26))
        crop = disc(placement, 0.26)
        reach, below = from_middle(placement)
        skin = np.abs(fit_outlines(crop[None], [placement])[0].astype(int) - SKIN).max(-1) < 90
        return reach[skin & below].max() - 0.26

    straight = outlined()
    wanted = sum(TURN) / 2
    half = outlined(turn=0.1)
    side = 0.1 / (half.turn - straight.turn)  # of the scene's face over a share of the crop
    assert 0 < moved((wanted - straight.turn) * side) < 0.75 * moved(0.0)


def test_the_crop_of_a_face_has_its_points_and_its_outline():
    image, found = astronaut()
    placement = place(found)
    crop = resample(image, placement.to_crop(SIZE), SIZE, SIZE)
    on_crop = placement.on_crop(SIZE)
    np.testing.assert_allclose(on_crop.points, placement.points, atol=1e-9)
    np.testing.assert_allclose(on_crop.to_crop(SIZE), [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    (in_photo,), (in_crop,) = outlines([image], [placement]), outlines([crop], [on_crop])
    np.testing.assert_allclose(in_crop, in_photo, atol=0.01)
    upright = place(face(150, 130, 180))
    box = upright.on_crop(100).box
    np.testing.assert_allclose(upright.to_crop(100)[:, :2] @ upright.box[2:], box[2:], atol=1e-9)


def test_a_face_fits_itself():
    image, found = astronaut()
    placement = place(found)
    placement = dataclasses.replace(placement, contour=outlines([image], [placement])[0])
    crop = resample(image, placement.to_crop(SIZE), SIZE, SIZE)
    assert np.abs(fit_outlines(crop[None], [placement])[0].astype(int) - crop).mean() < 2
