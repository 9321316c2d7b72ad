"""CelebA as whole photos."""

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.evals.data.celeba_photos import celeba_photos


def test_one_split_with_attributes_and_people(celeba_folder, tmp_path):
    one = celeba_folder(tmp_path / "one", {1: 20, 2: 20, 3: 30}, {2: 2, 3: 2})
    two = celeba_folder(tmp_path / "two", {9: 20}, {9: 2})
    photos = celeba_photos([one, two])
    assert photos.name == "celeba" and photos.files == ("000002.jpg", "000003.jpg", "000009.jpg")
    assert photos.identity.tolist() == [0, 1, 0]
    assert photos.attribute_names == CELEBA_ATTRIBUTES and photos.attributes.shape == (3, 40)
    np.testing.assert_array_equal(photos.attributes[0, :8], [0, 1, 0, 0, 0, 0, 0, 0])
    with Image.open(two / "img_align_celeba" / "000009.jpg") as image:
        np.testing.assert_array_equal(photos.load(2), np.asarray(image))
    assert len(celeba_photos([one], "train")) == 1


def test_errors_name_what_is_missing_and_a_photo_that_is_none(celeba_folder, tmp_path):
    root = celeba_folder(tmp_path / "one", {1: 20}, {1: 2})
    photos = celeba_photos([root])
    (root / "img_align_celeba" / "000001.jpg").write_text("no image")
    with pytest.raises(ValueError, match="000001.jpg: no image format"):
        photos.load(0)
    (root / "identity_CelebA.txt").unlink()
    with pytest.raises(ValueError, match=r"identity_CelebA.txt is missing\n(.|\n)*Get them at https"):
        celeba_photos([root])
