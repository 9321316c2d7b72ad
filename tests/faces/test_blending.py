"""Crops in their photos: at the right place, without a seam, and never an original face."""

import dataclasses
import itertools

import numpy as np
import pytest

from a3gan_jax.faces.blending import blend, kept, match_colors
from a3gan_jax.faces.mask import CORE, END
from a3gan_jax.faces.placement import place
from tests.faces.scenes import crops_of, ellipse, face, flat, photo

MAGENTA = np.array([255, 0, 255], np.uint8)


@pytest.mark.parametrize("side", [24, 64, 200, 700])
@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_a_crop_that_is_put_back_unchanged_changes_nothing(side, angle):
    """At any scale, to the fraction of a pixel."""
    image = photo(360, 480, smooth=max(1, side / 64))
    placement = place(face(230.3, 170.8, side, angle))
    difference = blend(image, [(placement, *crops_of(image, [placement]))]).astype(int) - image
    assert difference.any()
    assert np.abs(difference).max() <= 5  # a tenth of a pixel of the crop is 0.7 levels, and twice it is resampled
    assert np.abs(difference.mean((0, 1))).max() < 1.2  # fractions are cut off twice


def test_a_pixel_in_the_crop_comes_to_lie_in_its_place():
    image = photo(300, 300)
    detection = face(140.0, 150.0, 160, 0.4)
    placement = place(detection)
    crop = flat([0, 0, 0]).copy()
    x, y = 40, 30
    crop[y, x] = 255
    result = blend(image, [(placement, crop)])
    light = np.where(ellipse(image.shape, placement, *CORE), result[..., 0].astype(float), 0)
    rows, columns = np.mgrid[:300, :300]
    centre = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()
    linear = 160 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    np.testing.assert_allclose(centre, linear @ ((np.array([x, y]) + 0.5) / 64 - 0.5) + [140, 150], atol=0.1)


@pytest.mark.parametrize("angle", [0.0, -0.8])
def test_the_core_is_replaced_and_all_outside_is_bit_identical(angle):
    image = photo(260, 300)
    placement = place(face(150, 130, 180, angle))
    result = blend(image, [(placement, flat(MAGENTA))])
    core, end = (ellipse(image.shape, placement, *shape) for shape in (CORE, END))
    assert core.any() and not end.all()
    assert (result[core] == MAGENTA).all()
    np.testing.assert_array_equal(result[~end], image[~end])


def test_beside_a_profile_the_background_stays():
    """The points of a profile lie at one side of its head, and of its box."""
    image, detection = photo(260, 300), face(150, 130, 180)
    aside = dataclasses.replace(detection, box=detection.box - [30, 0, 0, 0])
    placement = place(aside)
    assert placement.landmarks is not None and np.array_equal(placement.matrix, place(detection).matrix)
    result = blend(image, [(placement, flat(MAGENTA))])
    right = int(np.ceil(aside.box[0] + 1.25 * aside.box[2]))
    np.testing.assert_array_equal(result[:, right:], image[:, right:])
    x = np.arange(300)
    core = ellipse(image.shape, placement, *CORE) & (x <= aside.box[0] + 1.12 * aside.box[2])
    assert (result[core] == MAGENTA).all()


def test_a_nose_beyond_the_box_is_replaced():
    image, detection = photo(260, 300), face(150, 130, 180)
    aside = dataclasses.replace(detection, box=detection.box - [45, 0, 0, 0])
    placement = dataclasses.replace(place(detection), box=aside.box)
    nose = np.array([aside.box[0] + 1.02 * aside.box[2], detection.landmarks[2, 1]])
    placement.landmarks[2] = nose
    result = blend(image, [(placement, flat(MAGENTA))])
    column, row = np.rint(nose).astype(int)
    assert (result[row, column - 3 : column + 4] == MAGENTA).all()


def test_no_seam():
    """On a flat photo a flat crop of another colour comes in slowly from all sides."""
    image = flat([90, 90, 90], 300)
    result = blend(image, [(place(face(150, 150, 250)), flat([190, 190, 190]))]).astype(int)
    steps = max(np.abs(np.diff(result, axis=axis)).max() for axis in (0, 1))
    assert result.max() == 190
    assert steps <= 16, "100 levels in less than ten pixels, 25 to the border of the crop"


def pass_through(crop):
    """A network that makes the face anew and hands on all around it, where a neighbour may be."""
    y, x = (np.mgrid[: len(crop), : len(crop)] + 0.5) / len(crop)
    (cx, cy), (rx, ry) = CORE
    core = ((x - cx) / (rx + 0.07)) ** 2 + ((y - cy) / (ry + 0.07)) ** 2 <= 1
    return np.where(core[..., None], MAGENTA, crop)


@pytest.mark.parametrize("distance", [20, 50, 80, 110, 150])
@pytest.mark.parametrize("second", [60, 120])
def test_a_crop_does_not_bring_its_neighbours_face_back(distance, second):
    image = photo(300, 400)
    image[..., 1] = image[..., 1].clip(60)  # so that no original pixel is like the new ones
    placements = [place(face(120, 150, 120, 0.2)), place(face(120 + distance, 140, second, -0.3))]
    new = [pass_through(crop) for crop in crops_of(image, placements)]
    for order in ([0, 1], [1, 0]):
        result = blend(image, [(placements[i], new[i]) for i in order])
        for placement in placements:
            core = ellipse(image.shape, placement, *CORE)
            assert (result[core] == MAGENTA).all(), "an original shows in a core"


def test_three_in_one_place_share_it_smoothly():
    image = flat([100, 100, 100], 300)
    placements = [place(face(x, y, 150)) for x, y in ((110, 150), (190, 150), (150, 90))]
    colors = np.diag([200, 200, 200]).astype(np.uint8)
    result = blend(image, [(p, flat(color)) for p, color in zip(placements, colors, strict=True)])
    cores = [ellipse(image.shape, placement, *CORE) for placement in placements]
    assert any((a & b).any() for a, b in itertools.combinations(cores, 2))
    for core, color in zip(cores, colors, strict=True):
        only = core & (np.sum(cores, axis=0) == 1)
        assert (result[only] == color).all()
    shown = result[np.any(cores, axis=0)]
    assert (np.sort(shown, axis=-1) == [0, 0, 200]).all(), "two faces are mixed in a core"


def test_faces_that_the_border_cuts():
    image = photo(100, 140)
    for x, y in ((0, 50), (139, 99), (70, -20), (-300, 50)):
        placement = place(face(x, y, 90))
        result = blend(image, [(placement, flat(MAGENTA))])
        core, end = (ellipse(image.shape, placement, *shape) for shape in (CORE, END))
        assert (result[core] == MAGENTA).all()
        np.testing.assert_array_equal(result[~end], image[~end])


def test_an_untouched_box_stays_but_for_the_core_of_a_nearer_face():
    image = photo(200, 300)
    replaced, spared = place(face(100, 100, 120)), face(155, 100, 120).box
    result = blend(image, [(replaced, flat(MAGENTA))], [spared])
    y, x = np.mgrid[:200, :300]
    inside = (x >= spared[0]) & (x <= spared[0] + spared[2]) & (y >= spared[1]) & (y <= spared[1] + spared[3])
    core = ellipse(image.shape, replaced, *CORE)
    np.testing.assert_array_equal(result[inside & ~core], image[inside & ~core])
    assert (result[core & ~inside] == MAGENTA).all()
    assert (core & inside).any()
    column = int(spared[0]) + 2  # hardly in the box, deep in the core
    assert (result[105, column] == MAGENTA).all()


def test_the_kept_part_of_an_untouched_box():
    left, right = np.array([0.0, 0, 20, 20]), np.array([10.0, 0, 20, 20])
    stays = kept((30, 40), [left], [right])
    assert stays[10, :15].all() and not stays[10, 15:].any() and not stays[25].any()
    assert kept((30, 40), [left], [right + [15, 0, 0, 0]])[10, :21].all()


def test_the_light_of_the_ring_comes_into_the_face():
    original, generated = flat([120, 100, 80]), flat([100, 110, 80])
    np.testing.assert_allclose(match_colors(generated[None], original[None])[0], original, atol=1)
    left = original.copy()
    left[:, 32:] = generated[:, 32:]  # the light differs at one side
    matched = match_colors(generated[None], left[None])[0].astype(int)
    assert matched[32, 4, 0] > 115 and matched[32, 60, 0] < 105
    assert np.abs(np.diff(matched, axis=1)).max() <= 4


def test_the_colour_match_knows_nothing_of_the_face():
    rng = np.random.default_rng(0)
    generated, original = rng.integers(0, 256, (2, 1, 64, 64, 3)).astype(np.uint8)
    other = original.copy()
    y, x = (np.mgrid[:64, :64] + 0.5) / 64
    (cx, cy), (rx, ry) = CORE
    inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1
    other[0][inside] = rng.integers(0, 256, (inside.sum(), 3))
    np.testing.assert_array_equal(match_colors(generated, original), match_colors(generated, other))


def test_another_content_in_the_ring_says_nothing_of_the_light():
    """Hair where the generated face has skin, on one side; on the other the same, but lighter."""
    generated = flat([180, 140, 120])
    original = generated + np.uint8(10)
    original[:, :32] = [30, 20, 20]
    matched = match_colors(generated[None], original[None])[0].astype(int)
    assert np.abs(matched[32, 40:] - generated[32, 40:] - 10).max() <= 1
    assert np.abs(matched - generated).max() <= 25  # of 150 where nothing is alike


def test_another_content_in_the_whole_ring_moves_colours_hardly():
    white, black = flat([255, 255, 255]), flat([0, 0, 0])
    assert match_colors(black[None], white[None]).max() <= 4
