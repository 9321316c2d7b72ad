"""A covered face is a few flat blocks."""

import numpy as np
import pytest

from a3gan_jax.faces.covering import cover
from tests.faces.scenes import photo


@pytest.mark.parametrize("box", [[100, 60, 80, 110], [101.3, 60.7, 55.5, 70.1], [130, 90, 12, 9]])
def test_few_flat_blocks_over_more_than_the_box(box):
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    result, box = image.copy(), np.array(box, float)
    cover(result, box)
    changed = (result != image).any(-1)
    rows, columns = np.nonzero(changed)
    assert columns.min() <= box[0] - 0.1 * box[2] and columns.max() >= box[0] + 1.1 * box[2] - 1
    assert rows.min() <= box[1] - 0.1 * box[3] and rows.max() >= box[1] + 1.1 * box[3] - 1
    inside = result[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    # As many colours as blocks at most: six across (the last one cut) and as many down as the shape asks for.
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= 6 * np.ceil(6 * box[2:].max() / box[2:].min())
    assert (inside % 32 == 16).all()
    np.testing.assert_array_equal(result[~changed], image[~changed])


def test_the_mean_colour_remains():
    image = np.full((60, 60, 3), [200, 100, 50], np.uint8)
    cover(image, np.array([20.0, 20, 20, 20]))
    assert np.abs(image[30, 30].astype(int) - [200, 100, 50]).max() <= 16


@pytest.mark.parametrize(
    "box", [[-30, -30, 50, 50], [90, 70, 500, 500], [-1e6, -1e6, 2e6, 2e6], [500, 500, 10, 10], [0, 3, 9, 1e9]]
)
def test_boxes_beyond_the_border(box):
    image = photo(100, 120)
    before = image.copy()
    cover(image, np.array(box, float))
    left, top, right, bottom = (
        int(value) for value in np.clip([*box[:2], *np.add(box[:2], box[2:])], 0, (120, 100) * 2)
    )
    assert (image[top:bottom, left:right] % 32 == 16).all()
    if left == right:  # out of sight
        np.testing.assert_array_equal(image, before)


def test_what_is_kept_stays():
    image = photo(100, 100)
    result, keep = image.copy(), np.zeros((100, 100), bool)
    keep[:, 50:] = True
    cover(result, np.array([30.0, 30, 40, 40]), keep)
    np.testing.assert_array_equal(result[:, 50:], image[:, 50:])
    assert (result[35:65, 35:50] != image[35:65, 35:50]).any(-1).mean() > 0.9
