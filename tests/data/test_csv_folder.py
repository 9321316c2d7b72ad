"""Folders described by a CSV."""

import numpy as np
import pytest

from a3gan_jax.data.csv_folder import CSVFolder

TABLE = """\
file,identity,Smiling,split,age,Male
a/1.jpg,Ann,1,train,30,-1
a/2.jpg,Ann,0,train,31,0
b/1.jpg,,1,train,,1
b/2.jpg,Bob,-1,val,50,1
"""


@pytest.fixture
def folder(tmp_path, write_jpeg):
    for seed, name in enumerate(("a/1", "a/2", "b/1", "b/2")):
        write_jpeg(tmp_path / f"{name}.jpg", seed)
    (tmp_path / "labels.csv").write_text(TABLE)
    return tmp_path


def test_reads_files_people_attributes_and_other_columns(folder):
    train = CSVFolder(folder, "train")
    assert train.attribute_names == ("Male", "Smiling")  # CelebA's order, not the file's
    np.testing.assert_array_equal(train.attributes, [[0, 1], [0, 0], [1, 1]])
    assert train.people == ("Ann",) and train.identity.tolist() == [0, 0, -1]
    assert train.labels == {"age": ["30", "31", ""]}
    face = train[2]
    assert (face["name"], face["identity"]) == ("b/1.jpg", -1)
    assert face["image"] == (folder / "b" / "1.jpg").read_bytes()
    assert len(CSVFolder(folder, "validation")) == 1
    assert CSVFolder(folder / "labels.csv", "train", min_photos=3).people == ()


def test_without_optional_columns_and_with_the_mark_of_excel(folder):
    (folder / "labels.csv").write_text("\ufefffile\na/1.jpg\n", encoding="utf-8")
    faces = CSVFolder(folder, "train")
    assert (len(faces), faces.num_people, faces.attribute_names) == (1, 0, ())
    with pytest.raises(ValueError, match="no column split, so every face is in train"):
        CSVFolder(folder, "test")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("file,", "path,", "no column file, only: path, identity"),
        ("a/2.jpg", "a/9.jpg", r"face 2 \(a/9.jpg\) is not in"),
        ("Ann,1", "Ann,yes", r"face 1 \(a/1.jpg\) has Smiling = 'yes'"),
        ("Smiling", "smiling", "column smiling is written Smiling"),
        ("age", "Male", "column Male is there twice"),
        (",val,", ",dev,", "has split 'dev'"),
        (",30,-1", ",30,-1,7", "face 1 .* has more fields"),
        (",50,1", ",50", "face 4 .* has fewer fields"),
        (TABLE.split("\n", 1)[1], "", "it names no face"),
    ],
)
def test_errors_say_what_is_wrong_and_what_is_expected(folder, old, new, complaint):
    (folder / "labels.csv").write_text(TABLE.replace(old, new))
    with pytest.raises(ValueError, match=complaint) as error:
        CSVFolder(folder, "train")
    assert "relative to the CSV's own folder" in str(error.value)


def test_all_problems_at_once_but_not_without_end(folder):
    rows = "".join(f"x/{i}.jpg,2\n" for i in range(30))
    (folder / "labels.csv").write_text("file,Bald\n" + rows)
    with pytest.raises(ValueError, match="and 50 more"):
        CSVFolder(folder, "train")


def test_which_csv_is_meant(folder):
    (folder / "labels.csv").rename(folder / "one.csv")
    assert len(CSVFolder(folder, "train")) == 3
    (folder / "two.csv").write_text("file\n")
    with pytest.raises(ValueError, match="found: one.csv, two.csv"):
        CSVFolder(folder, "train")
    with pytest.raises(ValueError, match="found: none"):
        CSVFolder(folder / "a", "train")
