"""Any folder of photos with a CSV."""

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.evals.data.csv_photos import csv_photos
from a3gan_jax.evals.data.open import DataSpec, open_photos

TABLE = """\
file,identity,group,Smiling,split,race,Male
a/1.png,Ann,7,1,train,Black,-1
a/2.png,Ann,7,0,val,,0
b/1.png,,8,1,val,East Asian,1
b/2.png,Bob,,-1,val,White,1
"""


@pytest.fixture
def folder(tmp_path, draw):
    for number, name in enumerate(("a/1", "a/2", "b/1", "b/2")):
        draw(tmp_path / "faces" / f"{name}.png", number)
    (tmp_path / "faces" / "labels.csv").write_text(TABLE)
    return tmp_path / "faces"


def test_reads_photos_people_attributes_and_labels(folder, draw):
    photos = csv_photos(folder)
    assert photos.name == "faces" and photos.files == ("a/1.png", "a/2.png", "b/1.png", "b/2.png")
    assert photos.identity.tolist() == [0, 0, -1, 1]
    assert photos.attribute_names == ("Male", "Smiling")  # CelebA's order, not the file's
    np.testing.assert_array_equal(photos.attributes, [[0, 1], [0, 0], [1, 1], [1, 0]])
    assert photos.labels == {
        "group": ("7", "7", "8", ""),
        "split": ("train", "val", "val", "val"),
        "race": ("Black", "", "East Asian", "White"),
    }
    assert photos.pairs is None and photos.boxes is None
    np.testing.assert_array_equal(photos.load(2), draw(folder / "again.png", 2))


def test_what_models_train_on_is_not_held_out(folder):
    photos = csv_photos(folder / "labels.csv", held_out=True)
    assert photos.files == ("a/2.png", "b/1.png", "b/2.png") and photos.labels["group"] == ("7", "8", "")
    assert open_photos(DataSpec("csv", str(folder))).files == photos.files
    (folder / "labels.csv").write_text("file\na/1.png\n")
    assert csv_photos(folder, held_out=True).attributes.shape == (1, 0)
    (folder / "labels.csv").write_text("file,split\na/1.png,train\n")
    with pytest.raises(ValueError, match="all photos of .* are in split 'train'"):
        csv_photos(folder, held_out=True)


def test_photos_are_upright_and_in_colour(folder):
    grey = Image.fromarray(np.repeat(np.arange(40, dtype=np.uint8)[None], 20, axis=0))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    grey.save(folder / "a" / "1.png", exif=exif)
    assert csv_photos(folder).load(0).shape == (40, 20, 3)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("file,", "path,", "has no column file, only: path, identity"),
        ("a/2.png", "a/9.png", "lacks 1 of 4 photos: a/9.png"),
        ("a/2.png", "a/1.png", "a/1.png is there twice"),
        ("Ann,7,1", "Ann,7,yes", "a/1.png has Smiling = 'yes'"),
        ("Smiling", "smiling", "column smiling is written Smiling"),
        ("group", "Group", "column Group is written group"),
        ("race", "Male", "has twice the column Male"),
        ("Black,-1", "Black,-1,7", "line 2: 8 fields under 7 columns"),
        ("White,1", "White", "line 5: 6 fields under 7 columns"),
        (TABLE.split("\n", 1)[1], "", "has no row below its header"),
        ("Black", '"Bla', "cannot be read: .*it must be UTF-8 text with commas"),
    ],
)
def test_errors_say_what_is_wrong(folder, old, new, complaint):
    (folder / "labels.csv").write_text(TABLE.replace(old, new))
    with pytest.raises(ValueError, match=complaint):
        csv_photos(folder)


def test_a_folder_without_one_csv_is_refused(folder):
    (folder / "labels.csv").rename(folder / "one.csv")
    assert len(csv_photos(folder)) == 4
    (folder / "two.csv").write_text(TABLE)
    with pytest.raises(ValueError, match="found: one.csv, two.csv"):
        csv_photos(folder)
    with pytest.raises(ValueError, match="found: none"):
        csv_photos(folder / "a")
