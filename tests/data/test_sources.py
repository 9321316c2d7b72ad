"""Opening a source by its name."""

import pytest

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.data.celeba import CelebA
from a3gan_jax.data.csv_folder import CSVFolder
from a3gan_jax.data.identities import number_people
from a3gan_jax.data.pipeline import face_batches
from a3gan_jax.data.sources import Joined, Part, load_dataset


def test_celeba_folders_separated_by_commas(tmp_path, celeba_folder):
    one = celeba_folder(tmp_path / "one", {1: 8, 2: 8})
    two = celeba_folder(tmp_path / "two", {3: 8, 4: 9})
    faces = load_dataset("celeba", f"{one}, {two}", "train", min_photos=2)
    assert isinstance(faces, CelebA) and (len(faces), faces.people) == (4, (8,))


def test_a_csv_of_celeba_photos(tmp_path, write_jpeg):
    write_jpeg(tmp_path / "a.jpg", 0, 178, 218)
    (tmp_path / "labels.csv").write_text("file\na.jpg\n")
    faces = load_dataset("csv", str(tmp_path), "train", crop="celeba")
    assert isinstance(faces, CSVFolder) and faces.crop == "celeba"


def test_joined_people_are_others_and_every_face_is_cut_in_its_own_geometry(tmp_path, celeba_folder, write_jpeg):
    celeba = load_dataset("celeba", str(celeba_folder(tmp_path / "celeba", {1: 8, 2: 8, 3: 9})), "train")
    for name in "ab":
        write_jpeg(tmp_path / f"{name}.jpg", 0, 40, 40)
    (tmp_path / "labels.csv").write_text("file,identity,Young,Male\na.jpg,x,0,1\nb.jpg,,1,0\n")
    extra = load_dataset("csv", str(tmp_path), "train")
    faces = Joined([celeba, extra])
    assert (len(faces), faces.num_people) == (5, 3)
    assert faces.attribute_names == ("Male", "Young")
    assert [faces[i]["identity"] for i in range(5)] == [*celeba.identity, 2, -1]
    assert [faces[i]["attributes"].tolist() for i in (3, 4)] == [[1, 0], [0, 1]]
    male, young = (CELEBA_ATTRIBUTES.index(name) for name in ("Male", "Young"))
    assert faces[0]["attributes"].tolist() == celeba[0]["attributes"][[male, young]].tolist()
    assert [faces[i]["crop"] for i in (0, 4)] == ["celeba", "square"]
    (batch,) = face_batches(faces, names=("Young",), image_size=16, batch_size=5, seed=0, train=False)
    assert batch["image"].shape == (5, 16, 16, 3)
    with pytest.raises(IndexError):
        faces[5]


def test_built_in_faces_are_split_by_index():
    from a3gan_jax.data.procedural import ProceduralFaces

    parts = [load_dataset("procedural", "", split, size=40, image_size=16) for split in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [32, 4, 4]
    names = [part[i]["name"] for part in parts for i in range(len(part))]
    assert len(set(names)) == 40
    assert parts[0][0]["image"].shape == (16, 16, 3)
    assert parts[2].annotation(1)["expression"] == ProceduralFaces(40, image_size=16).annotation(37)["expression"]
    with pytest.raises(IndexError):
        parts[1][4]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("celebb", "x", "train"), "unknown data source 'celebb': use celeba, csv, tfds, procedural"),
        (("celeba", "x", "valid"), "unknown split 'valid': use train, validation, test"),
        (("csv", "", "train"), "data source csv needs a folder"),
    ],
)
def test_unknown_names(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        load_dataset(*arguments)


def test_people_are_numbered_by_themselves_not_by_the_order_of_photos():
    identity, people = number_people(["b", None, "a", "b", "c"], min_photos=1)
    assert identity.tolist() == [1, -1, 0, 1, 2] and people == ("a", "b", "c")
    identity, people = number_people(["b", None, "a", "b", "c"], min_photos=2)
    assert identity.tolist() == [0, -1, -1, 0, -1] and people == ("b",)
    assert number_people([None, None])[0].tolist() == [-1, -1]


def test_every_third_face_of_a_part():
    whole = load_dataset("procedural", "", "train", size=80, image_size=16)
    part = Part(whole, 2, 10, 3)
    assert len(part) == 3
    assert [part[i]["name"] for i in range(3)] == [whole[i]["name"] for i in (2, 5, 8)]
