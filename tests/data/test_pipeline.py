"""The Grain pipeline: order, chance, corrupt images, exact resume."""

import itertools
import json
import logging

import numpy as np
import pytest

from a3gan_jax.data.celeba import CelebA
from a3gan_jax.data.pipeline import corrupt_images, face_batches

NAMES = ("Male", "Bald", "Young")
SETTINGS = dict(names=("Male", "Young"), image_size=4, batch_size=3, seed=5, train=True, threads=2)


class Faces:
    """Tiny crops: face i is i everywhere, with a brighter left half; some are not images."""

    attribute_names = NAMES
    num_people = 2
    crop = "square"

    def __init__(self, size: int, corrupt: tuple[int, ...] = ()):
        self.size, self.corrupt = size, corrupt

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict:
        image = np.full((4, 4, 3), index, np.uint8)
        image[:, :2] += 100
        return {
            "name": f"face{index}",
            "image": b"not an image" if index in self.corrupt else image,
            "attributes": np.array([index & 1, index >> 1 & 1, index >> 2 & 1], np.uint8),
            "identity": index % 3 - 1,
        }


def take(batches, count: int) -> list[dict]:
    return list(itertools.islice(batches, count))


def assert_same(batches: list[dict], others: list[dict]) -> None:
    assert len(batches) == len(others) > 0
    for one, other in zip(batches, others, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


# ---- batches


def test_a_batch():
    batch = next(face_batches(Faces(9), **SETTINGS | {"train": False, "names": ("Young", "Male")}))
    assert {key: (value.shape, value.dtype.name) for key, value in batch.items()} == {
        "image": ((3, 4, 4, 3), "uint8"),
        "attributes": ((3, 2), "uint8"),
        "identity": ((3,), "int32"),
        "index": ((3,), "int32"),
    }
    np.testing.assert_array_equal(batch["attributes"], [[0, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(batch["identity"], [-1, 0, 1])
    np.testing.assert_array_equal(batch["image"][:, 0, 0, 0], [100, 101, 102])


def test_evaluation_is_one_pass_in_order_with_a_short_last_batch():
    batches = list(face_batches(Faces(8), **SETTINGS | {"train": False}))
    assert [batch["index"].tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert all((batch["image"][:, :, 0] >= 100).all() for batch in batches)  # never flipped


def test_training_sees_every_face_once_an_epoch_in_ever_new_order():
    stream = face_batches(Faces(30), **SETTINGS)
    epochs = [np.concatenate([batch["index"] for batch in take(stream, 10)]) for _ in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(30))
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_flips_half_of_the_faces_by_chance():
    batches = take(face_batches(Faces(30), **SETTINGS), 100)
    flipped = np.concatenate([batch["image"][:, 0, 0, 0] < 100 for batch in batches])
    index = np.concatenate([batch["index"] for batch in batches])
    assert 0.4 < flipped.mean() < 0.6
    assert {(i, f) for i, f in zip(index, flipped, strict=True)} == {(i, f) for i in range(30) for f in (False, True)}


class Coloured(Faces):
    """Every face the same ramp of colour, darker from left to right."""

    def __getitem__(self, index: int) -> dict:
        ramp = np.stack([np.full((4, 4), v) * np.linspace(1, 0.1, 4) for v in (240, 160, 80)], axis=-1)
        return super().__getitem__(index) | {"image": ramp.astype(np.uint8)}


def test_light_changes_half_of_the_faces_within_bounds_and_greys_some():
    plain = np.concatenate([batch["image"] for batch in take(face_batches(Coloured(30), **SETTINGS), 200)])
    lit = np.concatenate([batch["image"] for batch in take(face_batches(Coloured(30), light=0.5, **SETTINGS), 200)])
    changed = (plain != lit).any((1, 2, 3))
    assert 0.4 < changed.mean() < 0.6
    grey = np.ptp(lit, axis=-1).max((1, 2)) < np.ptp(plain[0], axis=-1).max() / 3
    assert 0.05 < grey[changed].mean() < 0.2
    ordered = np.sort(lit[..., 0], axis=2)  # a curve never turns dark and bright around, mirrored or not
    assert ((lit[..., 0] == ordered) | (lit[..., 0] == ordered[:, :, ::-1])).all()
    mean = lit[changed].mean((1, 2, 3))
    assert 0.6 * plain[0].mean() < np.quantile(mean, 0.05) and np.quantile(mean, 0.95) < 1.5 * plain[0].mean()
    evaluated = SETTINGS | {"train": False}
    assert_same(list(face_batches(Coloured(8), light=0.5, **evaluated)), list(face_batches(Coloured(8), **evaluated)))


@pytest.mark.parametrize("light", [0.0, 1.0])
def test_the_seed_decides_and_the_threads_do_not(light):
    batches = take(face_batches(Faces(30), light=light, **SETTINGS), 15)
    for threads in (0, 1, 4):
        assert_same(take(face_batches(Faces(30), light=light, **SETTINGS | {"threads": threads}), 15), batches)
    other = take(face_batches(Faces(30), light=light, **SETTINGS | {"seed": 6}), 15)
    assert any((a["index"] != b["index"]).any() for a, b in zip(batches, other, strict=True))


def shared(faces: Faces, processes: int) -> list:
    """The streams of processes that share batches of twelve."""
    share = {"batch_size": 12 // processes, "process_count": processes}
    return [face_batches(faces, **SETTINGS | share | {"process_index": i}) for i in range(processes)]


def together(streams: list) -> dict:
    """The next batch of all processes."""
    parts = [next(stream) for stream in streams]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("corrupt", [(), (0, 7, 8)])
def test_a_batch_is_the_same_however_many_processes_share_it(processes, corrupt):
    faces = Faces(30, corrupt)
    straight = take(face_batches(faces, **SETTINGS | {"batch_size": 12}), 6)  # three epochs
    streams = shared(faces, processes)
    assert_same([together(streams) for _ in range(6)], straight)


def test_what_cannot_be_served_is_an_error():
    with pytest.raises(ValueError, match="no labels for Smiling; it has: Male, Bald, Young"):
        face_batches(Faces(9), **SETTINGS | {"names": ("Male", "Smiling")})
    with pytest.raises(ValueError, match="no images"):
        face_batches(Faces(0), **SETTINGS)
    with pytest.raises(ValueError, match="every process reads all of it"):
        face_batches(Faces(9), **SETTINGS | {"train": False, "process_count": 3})


# ---- corrupt images


def test_in_the_place_of_a_corrupt_image_stands_the_next_one_and_it_is_counted_and_logged_once(caplog):
    whole = np.concatenate([batch["index"] for batch in take(face_batches(Faces(10), **SETTINGS), 21)])
    batches = face_batches(Faces(10, corrupt=(2, 7)), **SETTINGS)
    with caplog.at_level(logging.WARNING):
        index = np.concatenate([batch["index"] for batch in take(batches, 20)])  # six epochs of ten places
    for place, (seen, expected) in enumerate(zip(index, whole, strict=False)):
        assert seen == next(i for i in whole[place:] if i not in (2, 7))
        assert expected in (2, 7) or seen == expected
    assert sorted(name.split(":")[0] for name in corrupt_images(batches)) == ["face2", "face7"]
    assert sum("skipping corrupt image face2" in message for message in caplog.messages) == 1


@pytest.mark.parametrize("threads", [0, 3])
def test_one_too_many_is_an_error_that_names_all_at_the_same_place_in_every_run(threads):
    batches = face_batches(
        Faces(20, corrupt=(4, 9, 11)), **SETTINGS | {"train": False, "max_corrupt": 2, "threads": threads}
    )
    assert [batch["index"].tolist() for batch in take(batches, 3)] == [[0, 1, 2], [3, 5, 6], [7, 8, 10]]
    with pytest.raises(RuntimeError, match="(?s)3 of 20 images .* limit is 2.*face4: .*face9: .*face11: "):
        next(batches)


def test_nothing_but_corrupt_images_ends(caplog):
    with pytest.raises(RuntimeError, match="3 of 3 images cannot be decoded"):
        next(face_batches(Faces(3, corrupt=(0, 1, 2)), **SETTINGS))


def test_files_cut_short_and_files_of_the_wrong_shape_are_corrupt(tmp_path, celeba_folder, write_jpeg):
    folder = celeba_folder(tmp_path / "celeba", dict.fromkeys(range(1, 8), 1))
    images = folder / "img_align_celeba"
    whole = (images / "000001.jpg").read_bytes()
    for number, damaged in enumerate((whole[: len(whole) // 2], b"", whole[:20], b"\x89PNG\r\n\x1a\n" + whole), 2):
        (images / f"{number:06d}.jpg").write_bytes(damaged)
    write_jpeg(images / "000006.jpg", 0, 250, 250)
    batches = face_batches(CelebA([folder], "train"), **SETTINGS | {"train": False, "image_size": 16})
    assert np.concatenate([batch["index"] for batch in batches]).tolist() == [0, 6]
    reasons = corrupt_images(batches)
    assert [reason[:17] for reason in reasons] == [f"celeba/{n:06d}.jpg" for n in range(2, 7)]
    assert "truncated" in reasons[0] and "250x250" in reasons[4]


def test_a_file_that_cannot_be_read_is_no_corrupt_image(tmp_path, celeba_folder):
    folder = celeba_folder(tmp_path / "celeba", {1: 1, 2: 1, 3: 1})
    train = CelebA([folder], "train")
    (folder / "img_align_celeba" / "000002.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="000002.jpg"):
        take(face_batches(train, **SETTINGS), 3)


# ---- exact resume


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("threads", [0, 2])
def test_resumes_with_the_very_next_batch_wherever_it_stopped(train, threads):
    """Corrupt images stand before, in and after the batch of each stop; a state is what JSON keeps of it."""
    settings = SETTINGS | {"train": train, "threads": threads}
    faces = Faces(13, corrupt=(0, 1, 5, 12))
    straight = take(face_batches(faces, **settings), 8)  # up to the third epoch
    for stop in range(len(straight)):
        first = face_batches(faces, **settings)
        take(first, stop)
        state = json.loads(json.dumps(first.get_state()))
        first.close()
        second = face_batches(faces, **settings)
        take(second, 2)  # a used iterator is set back as well as a new one
        second.set_state(state)
        assert_same(take(second, 8 - stop), straight[stop:])
        if train:
            assert len(corrupt_images(second)) == 4
        second.close()


def test_the_count_of_corrupt_images_is_resumed_too(caplog):
    faces = Faces(12, corrupt=(1, 8))
    settings = SETTINGS | {"train": False, "max_corrupt": 1}
    first = face_batches(faces, **settings)
    next(first)
    second = face_batches(faces, **settings)
    second.set_state(first.get_state())
    caplog.clear()
    with caplog.at_level(logging.WARNING), pytest.raises(RuntimeError, match="(?s)face1: .*face8: "):
        take(second, 3)
    assert not any("face1:" in message for message in caplog.messages)


def test_a_state_does_not_change_with_the_iterator_it_came_from():
    batches = face_batches(Faces(10, corrupt=(2, 7)), **SETTINGS)
    state = batches.get_state()
    kept = json.dumps(state)
    take(batches, 9)
    assert json.dumps(state) == kept


def test_a_state_of_other_data_is_refused():
    state = face_batches(Faces(10), **SETTINGS).get_state()
    with pytest.raises(ValueError, match="went through 10 images, this data set has 11"):
        face_batches(Faces(11), **SETTINGS).set_state(state)


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 2), (2, 1)])
def test_goes_on_with_other_processes(before, after):
    settings = SETTINGS | {"batch_size": 12}
    faces = Faces(30, corrupt=(3, 8))
    straight = take(face_batches(faces, **settings), 7)
    streams = shared(faces, before)
    assert_same([together(streams) for _ in range(3)], straight[:3])
    states = [stream.get_state() for stream in streams]
    assert {state["position"] for state in states} == {36}
    streams = shared(faces, after)
    for stream in streams:
        stream.set_state(json.loads(json.dumps(states[0])))
    assert_same([together(streams) for _ in range(4)], straight[3:])
