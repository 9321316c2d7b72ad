"""Contact sheets."""

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.contact_sheet import GAP, LABEL_HEIGHT, contact_sheet, heat_maps, save_png, to_uint8


def test_to_uint8_covers_the_range_and_clips():
    assert to_uint8(np.array([-2.0, -1.0, 0.0, 1.0, 3.0])).tolist() == [0, 0, 128, 255, 255]


def test_heat_maps_grow_brighter_with_the_gate():
    gates = np.linspace(0, 1, 5).reshape(5, 1, 1, 1) * np.ones((5, 4, 4, 3))
    maps = heat_maps(gates, 16)
    assert maps.shape == (5, 16, 16, 3) and maps.dtype == np.uint8
    assert (np.diff(maps.astype(int).sum((1, 2, 3))) > 0).all()
    assert np.ptp(maps, axis=(1, 2)).max() == 0


def test_every_image_lands_in_its_cell_doubled(tmp_path):
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 256, (2, 3, 64, 64, 3), dtype=np.uint8)
    save_png(contact_sheet([("original", left), ("strength 0", right)]), tmp_path / "sheets" / "1.png")
    sheet = np.asarray(Image.open(tmp_path / "sheets" / "1.png"))
    cell = 128 + GAP
    assert sheet.shape == (LABEL_HEIGHT + 3 * cell - GAP, 2 * cell - GAP, 3)
    corner = sheet[LABEL_HEIGHT + 2 * cell :, cell:]
    np.testing.assert_array_equal(corner[::2, ::2], right[2])
    np.testing.assert_array_equal(corner[1::2, 1::2], right[2])
    for column in (0, cell):
        assert sheet[:LABEL_HEIGHT, column : column + 128].min() < 128, "no label"
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["1.png"]


def test_large_images_are_not_enlarged():
    images = np.zeros((1, 128, 128, 3), np.uint8)
    assert contact_sheet([("original", images)]).size == (128, 128 + LABEL_HEIGHT)


def test_columns_of_different_shape_or_type_are_refused():
    images = np.zeros((2, 64, 64, 3), np.uint8)
    for other in (images[:1], images.astype(np.float32)):
        with pytest.raises(ValueError, match="one shape"):
            contact_sheet([("a", images), ("b", other)])
