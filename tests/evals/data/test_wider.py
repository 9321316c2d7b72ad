"""Photos with boxes around all their faces."""

import numpy as np
import pytest

from a3gan_jax.evals.data.wider import boxed_photos, wider_photos

ANNOTATIONS = """\
0--Parade/a photo.jpg
3
449 330 122 149 0 0 0 0 0 0 
361 98 263 339 0 0 0 1 0 0 
10 20 0 5 2 0 0 0 2 1 
0--Parade/b.jpg
0
0 0 0 0 0 0 0 0 0 0 
1--Handshaking/c.jpg
2
1 2 3 4 0 0 0 0 0 0 
5 6 7 8 1 0 0 0 0 0 
"""  # noqa: W291 - the official lines end with a blank
CSV = "file,split,x,y,w,h\nboxed/a.jpg,training,1,2.5,30,40\nboxed/b.jpg,,,,,\nboxed/a.jpg,training,5,6,7,8\n"


@pytest.fixture
def wider(tmp_path, draw):
    for number, name in enumerate(("0--Parade/a photo", "0--Parade/b", "1--Handshaking/c")):
        draw(tmp_path / "WIDER_val" / "images" / f"{name}.jpg", number)
    (tmp_path / "wider_face_split").mkdir()
    (tmp_path / "wider_face_split" / "wider_face_val_bbx_gt.txt").write_text(ANNOTATIONS)
    return tmp_path


def test_wider_faces_are_those_that_are_valid_and_have_an_area(wider, draw):
    photos = wider_photos(wider)
    assert photos.files == ("0--Parade/a photo.jpg", "0--Parade/b.jpg", "1--Handshaking/c.jpg")
    assert [boxes.tolist() for boxes in photos.boxes] == [
        [[449, 330, 122, 149]],
        [],
        [[1, 2, 3, 4], [5, 6, 7, 8]],
    ]
    assert [boxes.shape for boxes in photos.boxes] == [(1, 4), (0, 4), (2, 4)]
    assert photos.identity.tolist() == [-1, -1, -1] and photos.attributes.shape == (3, 0)
    np.testing.assert_array_equal(photos.load(2), draw(wider / "again.png", 2))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("\n3\n", "\nthree\n", "line 2: expected the number of faces of '0--Parade/a photo.jpg'"),
        ("\n3\n", "\n2\n", "line 6: expected the number of faces of '10 20 0 5"),
        ("\n3\n", "\n4\n", "line 6: expected ten whole numbers for a face of 0--Parade/a photo.jpg"),
        ("122 149 0", "122 0", "line 3: expected ten whole numbers"),
        ("5 6 7 8 1 0 0 0 0 0 \n", "", "ends within the faces of 1--Handshaking/c.jpg"),
        ("b.jpg", "a photo.jpg", "line 6: 0--Parade/a photo.jpg is there twice"),
        ("b.jpg", "d.jpg", "lacks 1 of 3 photos: 0--Parade/d.jpg"),
        (ANNOTATIONS, "\n", "names no photo"),
    ],
)
def test_errors_of_wider_say_where(wider, old, new, complaint):
    (wider / "wider_face_split" / "wider_face_val_bbx_gt.txt").write_text(ANNOTATIONS.replace(old, new))
    with pytest.raises(ValueError, match=complaint):
        wider_photos(wider)


def test_what_wider_lacks_is_named_with_where_to_get_it(wider):
    with pytest.raises(ValueError, match=r"WIDER_train/images is missing\n(.|\n)*Get them at http"):
        wider_photos(wider, "train")
    (wider / "wider_face_split" / "wider_face_val_bbx_gt.txt").unlink()
    with pytest.raises(ValueError, match="wider_face_val_bbx_gt.txt is missing"):
        wider_photos(wider)


@pytest.fixture
def boxed(tmp_path, draw):
    for number, name in enumerate("ab"):
        draw(tmp_path / "photos" / "boxed" / f"{name}.jpg", number)
    (tmp_path / "photos" / "boxes.csv").write_text(CSV)
    return tmp_path / "photos"


def test_a_csv_of_boxes_is_gathered_by_photo(boxed):
    photos = boxed_photos(boxed)
    assert photos.name == "photos" and photos.files == ("boxed/a.jpg", "boxed/b.jpg")
    assert [boxes.tolist() for boxes in photos.boxes] == [[[1, 2.5, 30, 40], [5, 6, 7, 8]], []]
    assert photos.load(1).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (",h\n", ",height\n", "has no column h"),
        ("2.5", "top", "a box of boxed/a.jpg is '1 top 30 40'; a CSV of boxes has the columns"),
        (",40", ",", "a box of boxed/a.jpg is '1 2.5 30 '"),
        ("30", "0", "must have a width and a height above 0"),
        ("30", "nan", "must have a width and a height above 0"),
        ("boxed/b.jpg", "b.jpg", "lacks 1 of 2 photos: b.jpg"),
    ],
)
def test_errors_of_a_csv_of_boxes(boxed, old, new, complaint):
    (boxed / "boxes.csv").write_text(CSV.replace(old, new))
    with pytest.raises(ValueError, match=complaint):
        boxed_photos(boxed)
