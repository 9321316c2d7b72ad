"""LFW in its official layout."""

import numpy as np
import pytest

from a3gan_jax.evals.data.lfw import lfw_photos

PEOPLE = {"Ann_Lee": 4, "Bob_Ray": 4, "Cid": 3}
PAIRS = """2\t2
Ann_Lee\t1\t2
Bob_Ray\t1\t3
Ann_Lee\t1\tBob_Ray\t2
Bob_Ray\t3\tCid\t1
Ann_Lee\t3\t4
Cid\t1\t2
Ann_Lee\t4\tCid\t2
Bob_Ray\t1\tCid\t3
"""
USED = "Ann_Lee 1 2 3 4 Bob_Ray 1 2 3 Cid 1 2 3"


@pytest.fixture
def folder(tmp_path, draw):
    for person, count in PEOPLE.items():
        for number in range(1, count + 1):
            draw(tmp_path / "lfw-deepfunneled" / person / f"{person}_{number:04d}.jpg", number + 8 * len(person))
    (tmp_path / "pairs.txt").write_text(PAIRS)
    return tmp_path


def named(photos, positions: np.ndarray) -> list[str]:
    return [photos.files[i].rpartition("/")[2].removesuffix(".jpg") for i in positions]


def test_pairs_are_positions_of_photos_with_kind_and_fold(folder):
    photos = lfw_photos(folder)
    assert named(photos, photos.pairs.first)[:4] == ["Ann_Lee_0001", "Bob_Ray_0001", "Ann_Lee_0001", "Bob_Ray_0003"]
    assert named(photos, photos.pairs.second)[:4] == ["Ann_Lee_0002", "Bob_Ray_0003", "Bob_Ray_0002", "Cid_0001"]
    assert photos.pairs.same.tolist() == [True, True, False, False] * 2
    assert photos.pairs.fold.tolist() == [0] * 4 + [1] * 4
    people = photos.identity[photos.pairs.first] == photos.identity[photos.pairs.second]
    np.testing.assert_array_equal(people, photos.pairs.same)


def test_only_photos_that_a_pair_uses_are_there(folder, draw):
    photos = lfw_photos(folder)
    assert photos.name == "lfw" and len(photos) == len(set(photos.files)) == 10
    assert "lfw-deepfunneled/Bob_Ray/Bob_Ray_0004.jpg" not in photos.files
    first = photos.files.index("lfw-deepfunneled/Cid/Cid_0002.jpg")
    np.testing.assert_array_equal(photos.load(first), draw(folder / "again.png", 2 + 8 * 3))


def test_a_limit_keeps_kinds_and_folds_balanced(folder):
    for limit in (2, 3):
        photos = lfw_photos(folder, limit=limit)
        assert photos.pairs.same.tolist() == [True, False] * 2 and photos.pairs.fold.tolist() == [0, 0, 1, 1]
        assert set(photos.pairs.first) | set(photos.pairs.second) == set(range(len(photos)))
    assert len(lfw_photos(folder, limit=100).pairs.same) == 8
    with pytest.raises(ValueError, match="at least, one of each kind, not 1"):
        lfw_photos(folder, limit=1)


def test_labels_are_empty_where_the_table_has_no_row(folder):
    assert lfw_photos(folder).labels == {}
    (folder / "labels.csv").write_text(
        "file,identity,expression\nlfw-deepfunneled/Cid/Cid_0001.jpg,Cid,happiness\nlfw-deepfunneled/X/X_0001.jpg,X,fear\n"
    )
    photos = lfw_photos(folder)
    expected = tuple("happiness" if file.endswith("Cid_0001.jpg") else "" for file in photos.files)
    assert photos.labels == {"expression": expected}
    (folder / "labels.csv").write_text("file,expression\nCid_0001.jpg,happiness\n")
    with pytest.raises(ValueError, match="labels.csv names none of the photos"):
        lfw_photos(folder)


def test_pairs_of_view_1_have_one_fold(folder):
    (folder / "pairs.txt").write_text("1\nAnn_Lee\t1\t2\nAnn_Lee\t1\tCid\t2\n")
    (folder / "lfw-deepfunneled").rename(folder / "lfw")
    photos = lfw_photos(folder)
    assert photos.pairs.fold.tolist() == [0, 0] and photos.files[0] == "lfw/Ann_Lee/Ann_Lee_0001.jpg"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("2\t2\n", "two\n", "line 1: expected the numbers of folds"),
        ("2\t2\n", "3\t2\n", "line 1 promises 12 pairs, 8 follow"),
        ("Ann_Lee\t1\t2", "Ann_Lee\t1\tCid\t2", "line 2: expected NAME NUMBER NUMBER, found 'Ann_Lee 1 Cid 2'"),
        ("Ann_Lee\t1\tBob_Ray\t2", "Ann_Lee\t1\t3", "line 4: expected NAME NUMBER NAME NUMBER, found"),
        ("Ann_Lee\t1\tBob_Ray\t2", "Ann_Lee\t1\tAnn_Lee\t2", "line 4: not two photos of two people"),
        ("Ann_Lee\t1\t2", "Ann_Lee\t2\t2", "line 2: not two photos of one person"),
        ("Cid\t1\t2", "Cid\t1\t9", r"lacks 1 of 11 photos: lfw-deepfunneled/Cid/Cid_0009.jpg"),
        (PAIRS, "", "line 1: expected the numbers"),
    ],
)
def test_errors_say_what_is_wrong(folder, old, new, complaint):
    (folder / "pairs.txt").write_text(PAIRS.replace(old, new))
    with pytest.raises(ValueError, match=complaint):
        lfw_photos(folder)


def test_what_is_missing_is_named_with_where_to_get_it(folder):
    (folder / "pairs.txt").unlink()
    with pytest.raises(ValueError, match=r"has no pairs.txt\n(.|\n)*Get photos and pairs at http"):
        lfw_photos(folder)
    with pytest.raises(ValueError, match="has none of the folders lfw-deepfunneled, lfw, lfw_funneled"):
        lfw_photos(folder / "absent")


def test_a_photo_that_is_no_image_is_named_when_it_is_read(folder):
    photos = lfw_photos(folder)
    (folder / photos.files[3]).write_text("no image")
    with pytest.raises(ValueError, match="Ann_Lee_0004.jpg: no image format"):
        photos.load(3)
