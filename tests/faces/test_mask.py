"""Which pixels a face takes: its outline, its eyeglasses, and the same on its crop as in its photo."""

import dataclasses

import numpy as np
import pytest

from a3gan_jax.faces.blending import blend, on_crops
from a3gan_jax.faces.mask import CORE, LENS, OUTLINE_FADE, face_mask
from a3gan_jax.faces.placement import place
from a3gan_jax.models.face_mesh import CONTOUR
from tests.faces.scenes import crops_of, ellipse, face, flat, photo

MAGENTA = np.array([255, 0, 255], np.uint8)
WHOLE = slice(0, 260), slice(0, 300)
RADIUS = 0.3


def outlined(turn=0.0, size=180, shift=0.0):
    """A face whose outline is nearly a circle about (0.5 + shift, 0.6), whose nose may lie aside."""
    detection = face(150, 130, size)
    landmarks = detection.landmarks + [[0, 0], [0, 0], [turn * size, 0], [0, 0], [0, 0]]
    turns = np.linspace(-0.1, 1.1, len(CONTOUR)) * np.pi
    contour = [0.5 + shift, 0.6] + RADIUS * np.stack([np.cos(turns), np.sin(turns)], -1)
    return dataclasses.replace(place(detection), landmarks=landmarks, contour=contour)


def places(placement):
    y, x = np.mgrid[WHOLE]
    return np.einsum("ij,jyx->iyx", placement.matrix[:, :2], np.stack([x, y])) + placement.matrix[:, 2, None, None]


@pytest.mark.parametrize("shift", [-0.1, 0.0, 0.1])
def test_the_mask_ends_at_the_outline(shift):
    image, placement = photo(260, 300), outlined(shift=shift)
    result, free = (blend(image, [(dataclasses.replace(placement, contour=contour), flat(MAGENTA))])
                    for contour in (placement.contour, None))  # fmt: skip
    u, v = places(placement)
    away = np.hypot(u - 0.5 - shift, v - 0.6)
    beyond, within = (away > RADIUS + OUTLINE_FADE + 0.02) & (v > 0.6), away < RADIUS - OUTLINE_FADE - 0.01
    assert (free[beyond] != image[beyond]).any() and (result[beyond] == image[beyond]).all()
    np.testing.assert_array_equal(result[within], free[within])
    core = ellipse(image.shape, placement, *CORE) & within
    assert core.any() and (result[core] == MAGENTA).all()
    above = (v < 0.4) & (np.abs(u - 0.5 - shift) < RADIUS - OUTLINE_FADE - 0.02)
    np.testing.assert_array_equal(result[above], free[above])


def test_an_outline_that_cuts_points_off_gives_way():
    image, placement = photo(260, 300), outlined(turn=0.1)
    narrow = dataclasses.replace(placement, contour=placement.contour * [0.1, 1] + [0.45, 0])
    result = blend(image, [(narrow, flat(MAGENTA))])
    for column, row in np.rint(placement.landmarks).astype(int):
        assert (result[row, column - 1 : column + 2] == MAGENTA).all()
    middle = placement.landmarks[[0, 3]].mean(0).round().astype(int)  # and between them
    assert (result[middle[1], middle[0]] == MAGENTA).all()


@pytest.mark.parametrize("turn", [-0.1, 0.0, 0.1])
def test_the_forehead_of_a_turned_head_leans_away_from_the_background(turn):
    """Above the temples the mask ends straight above them, but leans inwards on the side to which the head looks."""
    placement = outlined(turn)
    u, v = places(placement)
    mask = face_mask(placement, WHOLE)
    for side in (-1, 1):
        away, leans = side * (u - 0.5), side * turn > 0
        edge = (np.abs(v - 0.25) < 0.01) & (np.abs(away - 0.22) < 0.008)  # 0.08 within the temple, 0.3 above it
        free = face_mask(dataclasses.replace(placement, contour=None), WHOLE)
        assert edge.any() and (free[edge] > 0.3).all()
        np.testing.assert_allclose(mask[edge], 0 if leans else free[edge], atol=1e-6)
    low = v > 0.62
    np.testing.assert_array_equal(mask[low], face_mask(outlined(), WHOLE)[low])


@pytest.mark.parametrize("turn", [-0.1, 0.0, 0.1])
def test_eyeglasses_go_to_their_ends(turn):
    """To the ears, as far as the outline reaches; and before the background to which a head looks, a bit farther."""
    image, placement = photo(260, 300), outlined(turn)
    wide = dataclasses.replace(placement, contour=(placement.contour - [0.5, 0.6]) * 1.45 + [0.5, 0.6])
    _, v = places(placement)

    def reach(placement):
        """How far the changes go at the height of the arms, to the left and to the right; what else changes."""
        without, worn = (
            blend(image, [(dataclasses.replace(placement, eyeglasses=glasses), flat(MAGENTA))])
            for glasses in (False, True)
        )
        assert (worn[np.abs(v - 0.46) > 0.125] == without[np.abs(v - 0.46) > 0.125]).all()
        row = (np.abs(v - 0.46)).min(1).argmin()
        columns = [(result[row] != image[row]).any(-1).nonzero()[0] for result in (without, worn)]
        ends = [placement.matrix[0] @ [column, row, 1] for each in columns for column in (each.min(), each.max())]
        return ends[0] - ends[2], ends[3] - ends[1]

    assert all(0.03 < each < 0.1 for each in reach(wide))
    left, right = reach(placement)
    assert (left > 0.05) == (turn < 0) and (right > 0.05) == (turn > 0)
    assert max(left, right) < LENS + 0.02


def test_a_crop_shows_what_the_photo_will():
    """What is judged before it is put back has the same mask as when it is."""
    image, new = photo(260, 300, smooth=2), flat(MAGENTA, 128)
    for placement in (
        outlined(0.1),
        dataclasses.replace(outlined(-0.05), eyeglasses=True),
        place(face(150, 130, 180, 0.3)),
    ):
        (crop,) = crops_of(image, [placement], 128)
        shown = on_crops(new[None], crop[None], [placement])[0].astype(int)
        (later,) = crops_of(blend(image, [(placement, new)]), [placement], 128)
        assert np.abs(shown - later).mean() < 1
    mask = face_mask(placement, WHOLE)
    assert mask.shape == (260, 300) and mask.min() == 0 and mask.max() == 1
