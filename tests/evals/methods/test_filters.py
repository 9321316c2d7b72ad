"""Black box, blur and pixelation: exactly what they say, inside the mask alone."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from a3gan_jax.evals.methods import filters
from a3gan_jax.faces.covering import ENLARGE
from a3gan_jax.faces.detector import Detection
from tests.faces.scenes import photo

BOX = np.array([40.0, 30.0, 50.0, 60.0])
METHODS = [
    filters.black_box(),
    *map(filters.blur, filters.BLUR_SHARES),
    *map(filters.pixelate, filters.PIXELATE_BLOCKS),
]


def found(*boxes: np.ndarray) -> list[Detection]:
    return [Detection(np.asarray(box, float), None, 1.0) for box in boxes]


def inside(shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool: the pixels that BOX enlarged covers, said once more in another way than in the code."""
    y, x = (np.arange(length) + 0.5 for length in shape[:2])
    within = [np.abs(line - start - side / 2) < ENLARGE / 2 * side for line, start, side in ((x, 40, 50), (y, 30, 60))]
    return within[0] & within[1][:, None]


@pytest.fixture
def street() -> np.ndarray:
    return photo(120, 150)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_only_the_mask_changes_and_the_photo_given_stays(method, street):
    before = street.copy()
    with_face, without = method([street, street], [found(BOX), []], ["a.png", "b.png"])
    np.testing.assert_array_equal(street, before)
    np.testing.assert_array_equal(without, street)
    assert without is not street
    assert (with_face.shape, with_face.dtype) == (street.shape, np.uint8)
    wider = np.pad(inside(street.shape), 1)
    touched = inside(street.shape) | wider[2:, 1:-1] | wider[:-2, 1:-1] | wider[1:-1, 2:] | wider[1:-1, :-2]
    np.testing.assert_array_equal(with_face[~touched], street[~touched])
    assert (with_face != street).any(-1)[inside(street.shape)].mean() > 0.9


def test_the_identity_map_changes_nothing(street):
    (result,) = filters.identity()([street], [found(BOX)], ["a.png"])
    np.testing.assert_array_equal(result, street)


def test_a_black_box_leaves_no_pixel_of_a_face_even_at_the_border(street):
    street = street.clip(1)
    (result,) = filters.black_box()([street], [found(BOX, [-20, 90, 60, 60])], ["a.png"])
    assert not result[inside(street.shape)].any()
    assert not result[90:, :40].any()


@pytest.mark.parametrize("blocks", filters.PIXELATE_BLOCKS)
def test_pixelation_has_one_colour_a_block(blocks):
    y, x = np.mgrid[:120, :150]
    every_pixel_its_own = np.stack([x, y, x ^ y], axis=-1).astype(np.uint8)
    (result,) = filters.pixelate(blocks)([every_pixel_its_own], [found(BOX)], ["a.png"])
    rows, columns = filters.mask(BOX, result.shape)
    colours = np.unique(result[rows, columns].reshape(-1, 3), axis=0)
    side = -(-50 // blocks)
    assert len(colours) == -(-(rows.stop - rows.start) // side) * -(-(columns.stop - columns.start) // side)
    assert len(np.unique(result[60, 40:90], axis=0)) <= blocks + 1  # the grid begins at the mask, not at the box
    block = every_pixel_its_own[rows.start : rows.start + side, columns.start : columns.start + side]
    np.testing.assert_allclose(result[rows.start, columns.start], block.mean((0, 1)), atol=0.5)


def test_a_face_narrower_than_its_blocks_is_still_pixelated():
    assert [filters.block_side(width, 16) for width in (10, 16, 33, 160)] == [2, 2, 3, 10]


def test_the_blur_is_that_of_the_whole_photo_by_the_width_of_the_face(street):
    (result,) = filters.blur(0.1)([street], [found(BOX)], ["a.png"])
    whole = gaussian_filter(street.astype(float), 5.0, axes=(0, 1), mode="nearest")
    where = filters.mask(BOX, street.shape)
    np.testing.assert_allclose(result[where], whole[where], atol=0.51)


def test_stronger_filters_leave_less_detail(street):
    def detail(method) -> float:
        (result,) = method([street], [found(BOX)], ["a.png"])
        return float(result[50:80, 50:80].astype(float).std())

    for kind, parameters in ((filters.blur, filters.BLUR_SHARES), (filters.pixelate, filters.PIXELATE_BLOCKS)):
        details = [detail(kind(parameter)) for parameter in parameters]
        assert details == sorted(details, reverse=True)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_face_outside_the_photo_is_no_error(method, street):
    (result,) = method([street], [found([300, 300, 20, 20], [-90, 5, 20, 20])], ["a.png"])
    np.testing.assert_array_equal(result, street)


def test_parameters_out_of_their_range_are_refused():
    for share in (0.0, -0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a blur needs a share"):
            filters.blur(share)
    with pytest.raises(ValueError, match="at least over the face's width, not 0"):
        filters.pixelate(0)
