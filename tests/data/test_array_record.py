"""A prepared data set read back: the same faces, people and batches as its source gives."""

import concurrent.futures
import itertools
import json
import pickle

import numpy as np
import pytest

from a3gan_jax.data.array_record_source import ArrayRecordFaces, decode_face, encode_face
from a3gan_jax.data.pipeline import aligned_face, face_batches
from a3gan_jax.data.sources import load_dataset
from tools import prepare_data

SIZE = 24
PEOPLE = dict(enumerate([70, 50, 70, 60, 50, 70, 80, 80, 90, 70, 80], 1))
PARTS = {9: 1, 11: 2}  # photo -> partition


@pytest.fixture(scope="module")
def folder(tmp_path_factory, celeba_folder):
    return celeba_folder(tmp_path_factory.mktemp("photos") / "celeba", PEOPLE, PARTS)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, folder):
    """The folder of a set in one of the formats."""
    folders = {}

    def prepare(image_format="raw"):
        if image_format not in folders:
            root = folders[image_format] = tmp_path_factory.mktemp("prepared") / "set"
            given = ["--source=celeba", f"--root={folder}", f"--image_size={SIZE}", f"--output={root}", "--shards=4"]
            assert prepare_data.main([*given, f"--format={image_format}", "--processes=1"]) == 0
        return folders[image_format]

    return prepare


def open_both(folder, root, split="train", min_photos=1):
    live = load_dataset("celeba", str(folder), split, min_photos=min_photos)
    return live, load_dataset("array_record", str(root), split, min_photos=min_photos, image_size=SIZE)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("image_format", ["raw", "png"])
def test_every_face_is_what_the_live_pipeline_makes_of_it(folder, prepared, image_format, split):
    live, faces = open_both(folder, prepared(image_format), split)
    assert (len(faces), faces.num_people) == (len(live), live.num_people)
    assert (faces.crop, faces.attribute_names) == ("square", live.attribute_names)
    for index in range(len(live)):
        one, other = live[index], faces[index]
        expected = aligned_face(one["image"], live.crop, SIZE)
        np.testing.assert_array_equal(aligned_face(other["image"], faces.crop, SIZE), expected)
        np.testing.assert_array_equal(other["attributes"], one["attributes"])
        assert (other["name"], other["identity"]) == (one["name"], one["identity"])
        assert other["attributes"].dtype == np.uint8 and type(other["identity"]) is int
        if image_format == "raw":
            np.testing.assert_array_equal(other["image"], expected)


def test_jpeg_is_close_and_smaller(folder, prepared):
    live, faces = open_both(folder, prepared("jpeg:90"))
    for index in range(len(live)):
        image = faces[index]["image"]
        error = aligned_face(image, "square", SIZE).astype(int) - aligned_face(live[index]["image"], live.crop, SIZE)
        assert 0 < np.abs(error).mean() < 4 and len(image) < SIZE * SIZE * 3


@pytest.mark.parametrize("min_photos", [1, 2, 3, 4, 5])
def test_people_with_few_photos_are_unknown_as_in_the_source(folder, prepared, min_photos):
    live, faces = open_both(folder, prepared(), min_photos=min_photos)
    np.testing.assert_array_equal(faces.identity, live.identity)
    assert faces.num_people == live.num_people
    assert [faces[i]["identity"] for i in range(len(faces))] == live.identity.tolist()


@pytest.mark.parametrize("image_format", ["raw", "png"])
def test_training_meets_the_same_batches(folder, prepared, image_format):
    live, faces = open_both(folder, prepared(image_format), min_photos=2)
    settings = dict(names=("Male", "Bald"), image_size=SIZE, batch_size=3, seed=5, train=True, threads=2)
    streams = [itertools.islice(face_batches(dataset, **settings), 9) for dataset in (live, faces)]
    for one, other in zip(*streams, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def test_threads_read_at_random_and_a_copy_in_another_process_reads_the_same(folder, prepared):
    _, faces = open_both(folder, prepared())
    copy = pickle.loads(pickle.dumps(faces))
    places = np.random.default_rng(0).integers(0, len(faces), 400).tolist()
    expected = [faces[i] for i in range(len(faces))]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for place, face in zip(places, pool.map(copy.__getitem__, places), strict=True):
            assert face["name"] == expected[place]["name"]
            np.testing.assert_array_equal(face["image"], expected[place]["image"])
    assert [face["name"] for face in copy] == [face["name"] for face in expected]  # by iteration: IndexError ends it
    for beyond in (-1, len(faces)):
        with pytest.raises(IndexError, match=f"face {beyond} of 9"):
            faces[beyond]


def test_smaller_images_are_resized_and_larger_ones_refused(prepared):
    faces = load_dataset("array_record", str(prepared()), "train", image_size=8)
    settings = dict(names=("Male",), image_size=8, batch_size=9, seed=0, train=False, threads=0)
    assert next(face_batches(faces, **settings))["image"].shape == (9, 8, 8, 3)
    with pytest.raises(ValueError, match=r"have 24 px and 64 are wanted: .*--image_size=64"):
        load_dataset("array_record", str(prepared()), "train", image_size=64)


@pytest.mark.parametrize("count", [0, 3, 8, 40])
def test_a_record_keeps_a_face_with_any_number_of_attributes(count):
    random = np.random.default_rng(count)
    face = {
        "name": "Zoë/1.jpg",
        "image": random.integers(0, 256, (5, 5, 3), np.uint8),
        "attributes": random.integers(0, 2, count, np.uint8),
        "identity": -1,
    }
    record = encode_face(face, "raw")
    assert len(record) == 6 + -(-count // 8) + len("Zoë/1.jpg".encode()) + 75
    found = decode_face(record, count, 5, "raw")
    assert (found["name"], found["identity"]) == ("Zoë/1.jpg", -1)
    np.testing.assert_array_equal(found["image"], face["image"])
    np.testing.assert_array_equal(found["attributes"], face["attributes"])
    with pytest.raises(ValueError):
        decode_face(record[:-1], count, 5, "raw")


# ---- folders that cannot be read


@pytest.fixture
def copied(tmp_path, prepared):
    """A copy to damage."""
    for path in prepared().iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def redescribe(root, **changes):
    path = root / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_missing_file_and_one_cut_short_are_named_at_once(copied):
    (copied / "train-00001-of-00004.array_record").unlink()
    short = copied / "train-00003-of-00004.array_record"
    short.write_bytes(short.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"00001-of-00004\S* is missing; \S*00003-of-00004\S* has \d+ bytes instead"):
        ArrayRecordFaces(copied, "train")


def test_a_damaged_record_is_an_error_and_no_corrupt_image(copied):
    path = copied / "train-00000-of-00004.array_record"
    content = bytearray(path.read_bytes())
    content[content.index(b"celeba/000001.jpg") + 200] ^= 1
    path.write_bytes(content)
    faces = ArrayRecordFaces(copied, "train")
    with pytest.raises(Exception, match="hash mismatch"):
        next(face_batches(faces, names=(), image_size=SIZE, batch_size=9, seed=0, train=False, threads=0))


def test_what_is_no_finished_set_is_refused(copied, tmp_path):
    with pytest.raises(ValueError, match=r"holds no prepared data set: make one by python -m tools\.prepare_data"):
        ArrayRecordFaces(tmp_path / "nowhere", "train")
    redescribe(copied, complete=False)
    with pytest.raises(ValueError, match="is not finished"):
        ArrayRecordFaces(copied, "train")
    redescribe(copied, format_version=99)
    with pytest.raises(ValueError, match="has format 99 and this version reads up to 1"):
        ArrayRecordFaces(copied, "train")
    (copied / "dataset.json").write_text("{")
    with pytest.raises(ValueError, match="does not describe a prepared data set"):
        ArrayRecordFaces(copied, "train")
    with pytest.raises(ValueError, match="data source array_record needs a folder"):
        load_dataset("array_record", "", "train")


def test_a_split_that_was_not_prepared_is_named(copied):
    description = json.loads((copied / "dataset.json").read_text())
    redescribe(copied, splits={"train": description["splits"]["train"]})
    with pytest.raises(ValueError, match="prepared without the test split, it has: train"):
        ArrayRecordFaces(copied, "test")
