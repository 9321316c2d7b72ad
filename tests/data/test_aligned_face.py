"""From an encoded image to an aligned face: crop, size, colours."""

import io

import numpy as np
import pytest
from PIL import Image

from a3gan_jax import geometry
from a3gan_jax.data.pipeline import aligned_face, crop_box


def test_the_crop_is_the_box_of_the_geometry():
    photo = np.random.default_rng(0).integers(0, 255, (218, 178, 3), np.uint8)
    crop = aligned_face(photo, "celeba", geometry.CROP_SIDE)
    np.testing.assert_array_equal(crop, photo[38:188, 14:164])


def test_a_smaller_copy_gives_the_same_crop():
    coarse = np.random.default_rng(0).integers(0, 255, (6, 5, 3), np.uint8)
    photo = np.asarray(Image.fromarray(coarse).resize((178, 218), Image.Resampling.BICUBIC))
    half = photo.reshape(109, 2, 89, 2, 3).mean((1, 3)).round().astype(np.uint8)
    assert crop_box("celeba", 89, 109) == (7, 19, 82, 94)
    error = aligned_face(photo, "celeba", 64).astype(int) - aligned_face(half, "celeba", 64)
    assert np.abs(error).max() <= 3


@pytest.mark.parametrize("factor", [2, 3])
def test_shrinking_averages_areas(factor):
    image = np.random.default_rng(1).integers(0, 255, (48, 48, 3), np.uint8)  # noise: aliasing would show at once
    size = 48 // factor
    area = image.reshape(size, factor, size, factor, 3).mean((1, 3))
    error = aligned_face(image, "square", size) - area
    nearest = image[factor // 2 :: factor, factor // 2 :: factor] - area
    assert np.abs(error).mean() < 0.2 * np.abs(nearest).mean() and abs(error.mean()) < 0.5


def test_enlarging_is_smooth_and_every_mode_becomes_rgb():
    gray = Image.fromarray(np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8))
    file = io.BytesIO()
    gray.save(file, "PNG")
    face = aligned_face(file.getvalue(), "square", 32)
    assert face.shape == (32, 32, 3) and face.dtype == np.uint8
    assert len(np.unique(face[..., 0])) > 64


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="250x250 pixels, an aligned CelebA photo 178x218"):
        crop_box("celeba", 250, 250)
    with pytest.raises(ValueError, match="178x218 pixels, an aligned crop is square"):
        crop_box("square", 178, 218)
    with pytest.raises(ValueError, match="unknown crop 'round'"):
        crop_box("round", 8, 8)


def test_more_than_eight_bits_a_channel_is_refused_and_not_clipped():
    buffer = io.BytesIO()
    Image.fromarray(np.full((64, 64), 40_000, np.uint16)).save(buffer, format="PNG")
    with pytest.raises(ValueError, match="convert it to 8 bits"):
        aligned_face(buffer.getvalue(), "square", 64)
