"""The official CelebA folder, whole and broken."""

import shutil

import numpy as np
import pytest

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.data.celeba import CelebA

LISTS = ("list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt")


@pytest.fixture
def folder(tmp_path, celeba_folder):
    """Six photos: person 70 three times, 50 twice, 60 once; photo 5 is in the test part."""
    return celeba_folder(tmp_path / "celeba", {1: 70, 2: 50, 3: 70, 4: 60, 5: 50, 6: 70}, {5: 2})


def test_reads_photos_attributes_and_people(folder):
    train = CelebA([folder], "train")
    assert (len(train), train.num_people, train.people) == (5, 3, (50, 60, 70))
    assert train.identity.tolist() == [2, 0, 2, 1, 2]
    face = train[2]
    assert face["name"] == "celeba/000003.jpg" and face["identity"] == 2
    assert face["image"] == (folder / "img_align_celeba" / "000003.jpg").read_bytes()
    expected = [3 >> (k % 8) & 1 for k in range(40)]
    assert face["attributes"].tolist() == expected and face["attributes"].dtype == np.uint8
    test = CelebA([folder], "test")
    assert [test[i]["name"] for i in range(len(test))] == ["celeba/000005.jpg"]


def test_people_with_few_photos_stay_unknown(folder):
    train = CelebA([folder], "train", min_photos=2)  # person 50 has two photos, one of them in train
    assert train.people == (70,) and train.identity.tolist() == [0, -1, 0, -1, 0]


def test_folders_are_joined_by_celebas_person_numbers(folder, tmp_path, celeba_folder):
    other = celeba_folder(tmp_path / "small", {11: 60, 12: 80}, size=(89, 109))
    joined = CelebA([folder, other], "train", min_photos=2)
    assert joined.people == (60, 70)  # 60 has one photo in each folder
    assert joined.identity.tolist() == [1, -1, 1, 0, 1, 0, -1]
    assert joined[5]["name"] == "small/000011.jpg"


def test_a_photo_in_two_folders_is_an_error(folder, tmp_path, celeba_folder):
    other = celeba_folder(tmp_path / "again", {6: 70, 7: 70})
    with pytest.raises(ValueError, match="1 photos are both in .*celeba.* and in .*again.*, first 000006.jpg"):
        CelebA([folder, other], "train")


def test_attributes_are_taken_by_name_not_by_column(folder):
    path = folder / "list_attr_celeba.txt"
    count, header, *rows = path.read_text().splitlines()
    flipped = [" ".join([row.split()[0], *row.split()[:0:-1]]) for row in rows]
    before = CelebA([folder], "train").attributes
    path.write_text("\n".join([count, " ".join(header.split()[::-1]), *flipped]))
    np.testing.assert_array_equal(CelebA([folder], "train").attributes, before)


def test_folders_of_the_official_download(folder):
    for part, name in zip(("Anno", "Anno", "Eval", "Img"), (*LISTS, "img_align_celeba"), strict=True):
        (folder / part).mkdir(exist_ok=True)
        shutil.move(folder / name, folder / part / name)
    assert CelebA([folder], "train")[0]["name"] == "celeba/000001.jpg"


def test_one_error_names_everything_missing_in_every_folder(folder, tmp_path):
    for name in LISTS[1:]:
        (folder / name).unlink()
    with pytest.raises(ValueError) as error:
        CelebA([folder, tmp_path / "nowhere"], "train")
    message = str(error.value)
    for part in (*LISTS[1:], "nowhere is not a folder", "mmlab.ie.cuhk.edu.hk", "178x218", "img_align_celeba/"):
        assert part in message
    assert f"{folder / LISTS[0]} is missing" not in message


def _drop_last_line(path):
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda f: (f / "img_align_celeba" / "000002.jpg").unlink(), "img_align_celeba lacks 1 of 6 photos"),
        (lambda f: _drop_last_line(f / LISTS[1]), "identity_CelebA.txt lacks 1 of 6 photos that the rest names: 0000"),
        (lambda f: _drop_last_line(f / LISTS[0]), "line 1 promises '6' photos, 5 follow"),
        (lambda f: (f / LISTS[2]).write_text("000001.jpg train\n"), "line 1: expected FILE NUMBER"),
        (lambda f: (f / LISTS[0]).write_text("6\nBald Bangs\n"), "names of CelebA's 40 attributes"),
        (lambda f: (f / LISTS[0]).write_text(f"1\n{' '.join(CELEBA_ATTRIBUTES)}\n000001.jpg 1\n"), "line 3: expected"),
        (lambda f: (f / LISTS[1]).write_text(""), "identity_CelebA.txt is empty"),
        (lambda f: (f / LISTS[0]).write_text(""), "names of CelebA's 40 attributes"),
        (
            lambda f: (f / LISTS[2]).write_text((f / LISTS[2]).read_text().replace("000003.jpg 0", "000003.jpg 3")),
            "parts other than 0, 1 and 2, first at 000003.jpg",
        ),
    ],
)
def test_inconsistent_files_are_errors(folder, damage, complaint):
    damage(folder)
    with pytest.raises(ValueError, match="CelebA cannot be read") as error:
        CelebA([folder], "train")
    assert complaint in str(error.value)


def test_an_empty_part_and_an_unknown_split(folder):
    with pytest.raises(ValueError, match="no photo of .* is in the validation part"):
        CelebA([folder], "validation")
    with pytest.raises(ValueError, match="unknown split 'val'"):
        CelebA([folder], "val")
