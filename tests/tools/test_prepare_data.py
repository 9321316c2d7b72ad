"""The command that prepares data: all or nothing, what was stopped goes on, what is wrong is named."""

import functools
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.data.sources import load_dataset
from tools import prepare_data
from tools.preparation.shards import NEW

ROOT = Path(__file__).parents[2]
COUNT = 12  # photos, eight of them in train


def png(seed: int, width: int = 20, height: int = 20) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder with a CSV: two photos of a person, the last of nobody known."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = ["file,identity,split,Male,Young"]
    for i in range(COUNT):
        (folder / f"{i}.png").write_bytes(png(i))
        split = "train" if i < 8 else ("validation", "test")[i % 2]
        rows.append(f"{i}.png,{'' if i == COUNT - 1 else f'p{i // 2}'},{split},{i % 2},{i // 2 % 2}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture
def run(tmp_path, photos, capsys):
    """Prepares the photos in this process, with further options: (*options) -> (exit code, output and errors)."""

    def call(*options, output=tmp_path / "set"):
        given = ["--source=csv", f"--root={photos}", "--image_size=16", "--shards=4", "--processes=1"]
        return command(*given, f"--output={output}", *options)

    def command(*arguments):
        try:
            code = prepare_data.main([str(argument) for argument in arguments])
        except SystemExit as error:
            code = error.code
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    call.command = command
    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.array_record")}


def description(folder: Path) -> dict:
    return json.loads((folder / "dataset.json").read_text())


def test_a_set_and_what_is_said_of_it(run, tmp_path, photos):
    code, said = run()
    assert code == 0 and "train: 8 faces of 4 people, 4 files" in said
    found = description(tmp_path / "set")
    assert found["complete"] and found["source"] == "csv" and found["root"] == str(photos)
    assert (found["image_size"], found["image_format"], found["attributes"]) == (16, "raw", ["Male", "Young"])
    assert {split: (part["images"], part["people"]) for split, part in found["splits"].items()} == {
        "train": (8, 4),
        "validation": (2, 2),
        "test": (2, 1),
    }
    assert list(found["splits"]["test"]["files"]) == [f"test-0000{k}-of-00002.array_record" for k in (0, 1)]
    for part in found["splits"].values():
        assert sum(facts["records"] for facts in part["files"].values()) == part["images"]
    kept = {name for part in found["splits"].values() for name in part["files"]}
    assert contents(tmp_path / "set").keys() == kept | {"dataset.json"} | {
        f"{split}-identity.npy" for split in found["splits"]
    }


def test_several_processes_write_the_same_bytes(run, tmp_path):
    assert run()[0] == 0
    assert run("--processes=2", output=tmp_path / "other")[0] == 0
    assert contents(tmp_path / "set") == contents(tmp_path / "other")


def test_drawn_faces_keep_their_numbers(run, tmp_path, monkeypatch):
    few = functools.partial(load_dataset, size=240)
    monkeypatch.setattr(prepare_data, "load_dataset", few)
    root = tmp_path / "drawn"
    given = ("--source=procedural", "--image_size=16", f"--output={root}", "--processes=1", "--split=validation,test")
    assert run.command(*given)[0] == 0
    live = few("procedural", "", "test", image_size=16, min_photos=4)
    faces = load_dataset("array_record", str(root), "test", image_size=16, min_photos=4)
    assert faces.num_people == live.num_people == 30
    for index in range(0, 24, 5):
        one, other = live[index], faces[index]
        assert (one["name"], one["identity"]) == (other["name"], other["identity"])
        np.testing.assert_array_equal(one["image"], other["image"])


# ---- stopped and continued


def test_what_is_finished_is_not_made_again(run, tmp_path, monkeypatch):
    assert run(output=tmp_path / "straight")[0] == 0
    folder, make, made = tmp_path / "set", prepare_data.make_shard, []

    def counted(worker, shard, max_corrupt):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(shard.path.name)
        return make(worker, shard, max_corrupt)

    monkeypatch.setattr(prepare_data, "make_shard", counted)
    code, said = run()
    assert code == 130 and "the same command goes on" in said and not description(folder)["complete"]
    first, before = list(made), times(folder)
    (folder / f"train-00003-of-00004.array_record.77{NEW}").write_bytes(b"of a killed process")
    made.clear()
    monkeypatch.setattr(prepare_data, "make_shard", lambda *job: made.append(job[1].path.name) or make(*job))
    code, said = run()
    assert code == 0 and "3 of 8 files are there already" in said
    assert sorted(first + made) == sorted(times(folder)) and len(made) == 5
    assert {name: times(folder)[name] for name in before} == before
    assert contents(folder) == contents(tmp_path / "straight")
    made.clear()
    assert run()[0] == 0 and made == []


def test_a_killed_run_leaves_no_process_and_goes_on(run, tmp_path):
    """A photo that is a pipe holds up one of the workers for as long as it takes to kill the first process."""
    photos, folder = tmp_path / "celeba", tmp_path / "set"
    given = ["--source=celeba", f"--root={write_celeba(photos)}", "--split=train", "--image_size=16", "--shards=4"]
    assert run.command(*given, f"--output={tmp_path / 'straight'}", "--processes=1")[0] == 0
    pipe = photos / "img_align_celeba" / "7.png"
    photo = pipe.read_bytes()
    pipe.unlink()
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "tools.prepare_data", *given, f"--output={folder}", "--processes=2"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        wait_for(lambda: (folder / "dataset.json").exists())
        wait_for(lambda: sum(facts is not None for facts in files(folder).values()) == 3)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)  # ends with the last process that could write to its output
    before = times(folder)
    pipe.unlink()
    pipe.write_bytes(photo)
    code, said = run.command(*given, f"--output={folder}", "--processes=1")
    assert code == 0 and "3 of 4 files are there already" in said
    assert {name: times(folder)[name] for name in before} == before and len(before) == 3
    assert contents(folder) == contents(tmp_path / "straight")


def write_celeba(folder: Path) -> Path:
    """Eight photos of four people in CelebA's layout and geometry."""
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i}.png" for i in range(8)]
    for i, name in enumerate(names):
        (folder / "img_align_celeba" / name).write_bytes(png(i, 89, 109))
    attributes = ["8", " ".join(CELEBA_ATTRIBUTES), *(f"{name} {'1 ' * 40}" for name in names)]
    for file, lines in {
        "list_attr_celeba.txt": attributes,
        "identity_CelebA.txt": [f"{name} {i // 2}" for i, name in enumerate(names)],
        "list_eval_partition.txt": [f"{name} 0" for name in names],
    }.items():
        (folder / file).write_text("\n".join(lines))
    return folder


def files(folder: Path) -> dict:
    return {name: facts for part in description(folder)["splits"].values() for name, facts in part["files"].items()}


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--image_size=24",), "image_size was 16, now 24"),
        (("--format=png",), "image_format was raw, now png"),
        (("--shards=2",), "shards was 4, now 2"),
        (("--split=train",), "validation was 2 images of 2 people, now None"),
    ],
)
def test_other_options_are_refused_and_nothing_is_touched(run, tmp_path, options, complaint):
    assert run()[0] == 0
    before = contents(tmp_path / "set")
    code, said = run(*options)
    assert code == 2 and complaint in said and "choose another folder" in said
    assert contents(tmp_path / "set") == before


def test_a_source_that_has_changed_is_refused(run, photos):
    assert run()[0] == 0
    table = photos / "labels.csv"
    table.write_text(table.read_text().replace("0.png,p0", "0.png,p9"))
    code, said = run()
    assert code == 2 and "train was 8 images of 4 people, now 8 images of 5 people" in said


def test_a_folder_with_something_else_is_refused(run, photos):
    code, said = run(output=photos)
    assert code == 2 and "is not empty and holds no prepared data set" in said
    assert not (photos / "dataset.json").exists()


# ---- corrupt images


def test_corrupt_images_are_left_out_and_listed_and_taken_in_once_repaired(run, tmp_path, photos):
    assert run(output=tmp_path / "whole")[0] == 0
    whole = (photos / "2.png").read_bytes()
    (photos / "2.png").write_bytes(whole[: len(whole) // 2])
    (photos / "9.png").write_bytes(b"no image")
    code, said = run()
    assert code == 0 and "2 images cannot be decoded and were left out" in said and "7 faces" in said
    listed = [entry for facts in files(tmp_path / "set").values() for entry in facts["corrupt"]]
    assert [(entry["index"], entry["name"]) for entry in listed] == [(2, "2.png"), (0, "9.png")]
    assert "truncated" in listed[0]["reason"] and listed[1]["reason"] == "no image format that Pillow knows"
    faces = load_dataset("array_record", str(tmp_path / "set"), "train", image_size=16, min_photos=2)
    assert [face["name"] for face in faces] == [f"{i}.png" for i in (0, 1, 3, 4, 5, 6, 7)]
    assert faces.identity.tolist() == [0, 0, -1, 1, 1, 2, 2]  # the person of 2.png has one photo left
    before = times(tmp_path / "set")
    for number in (2, 9):
        (photos / f"{number}.png").write_bytes(png(number))
    code, said = run()
    assert code == 0 and "6 of 8 files are there already" in said
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")
    assert sum(before[name] != now for name, now in times(tmp_path / "set").items()) == 2


def test_a_file_may_be_left_without_any_face(run, tmp_path, photos):
    for number in (0, 1):
        (photos / f"{number}.png").write_bytes(b"no image")
    assert run()[0] == 0
    assert [facts["records"] for facts in files(tmp_path / "set").values()] == [0, 2, 2, 2, 1, 1, 1, 1]
    faces = load_dataset("array_record", str(tmp_path / "set"), "train", image_size=16)
    assert [face["name"] for face in faces] == [f"{i}.png" for i in range(2, 8)]


def test_too_many_corrupt_images_are_an_error_that_names_all(run, tmp_path, photos):
    for number in (1, 4, 10):
        (photos / f"{number}.png").write_bytes(b"no image")
    code, said = run("--max_corrupt=2")
    assert code == 1 and "3 images cannot be decoded, the limit is 2" in said
    assert all(f"{number}.png: no image format" in said for number in (1, 4, 10))
    with pytest.raises(ValueError, match="is not finished"):
        load_dataset("array_record", str(tmp_path / "set"), "train", image_size=16)
    before = times(tmp_path / "set")
    assert run("--max_corrupt=3")[0] == 0 and times(tmp_path / "set") == before


def test_photos_of_another_geometry_end_at_once(run, tmp_path, photos):
    for number in range(COUNT):
        Image.new("RGB", (10, 20)).save(photos / f"{number}.png")
    code, said = run("--max_corrupt=1", "--shards=1")
    assert code == 1 and "not one of the first 6 images of train-00000-of-00001" in said and "10x20 pixels" in said
    assert not list((tmp_path / "set").glob("*.array_record"))


# ---- verification


def test_verify_finds_damaged_and_missing_files_which_are_then_made_again(run, tmp_path):
    assert run()[0] == 0
    folder, verify = tmp_path / "set", ("--verify", f"--output={tmp_path / 'set'}", "--processes=1")
    good = contents(folder)
    code, said = run.command(*verify)
    assert code == 0 and "every file is as it was written" in said
    damaged, missing = (folder / f"train-0000{k}-of-00004.array_record" for k in (1, 2))
    content = bytearray(damaged.read_bytes())
    content[-500] ^= 1
    damaged.write_bytes(content)
    missing.unlink()
    code, said = run.command(*verify)
    assert code == 1 and f"{damaged.name} is damaged" in said and f"{missing.name} is missing" in said
    assert "Remove these files" in said and "00000-of" not in said
    damaged.unlink()
    assert run()[0] == 0 and contents(folder) == good


def test_verify_finds_people_that_do_not_fit(run, tmp_path):
    assert run()[0] == 0
    np.save(tmp_path / "set" / "train-identity.npy", np.zeros(8, np.int32))
    code, said = run.command("--verify", f"--output={tmp_path / 'set'}", "--processes=1")
    assert code == 1 and "train-identity.npy is missing or not what the files hold" in said


def test_verify_compares_with_the_source(run, tmp_path, photos):
    assert run("--format=png")[0] == 0
    verify = ("--verify", f"--output={tmp_path / 'set'}", "--processes=1", "--source=csv", f"--root={photos}")
    code, said = run.command(*verify)
    assert code == 0 and "and holds what the source does" in said
    (photos / "3.png").write_bytes(png(99))
    code, said = run.command(*verify)
    assert code == 1 and "train-00001-of-00004.array_record differs from the source in image of face 1" in said
    (photos / "3.png").write_bytes(b"no image")
    code, said = run.command(*verify)
    assert code == 1 and "cannot be compared, the source has damaged 3.png: no image format" in said


def test_verify_of_an_unfinished_set(run, tmp_path):
    assert run()[0] == 0
    found = description(tmp_path / "set") | {"complete": False}
    (tmp_path / "set" / "dataset.json").write_text(json.dumps(found))
    code, said = run.command("--verify", f"--output={tmp_path / 'set'}")
    assert code == 2 and "is not finished" in said


# ---- the command line


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "--output"),
        (("--output=x",), "--source and --image_size are needed"),
        (("--output=x", "--source=lfw", "--image_size=64"), "invalid choice: 'lfw'"),
        (("--output=x", "--source=csv", "--image_size=0"), "'0' is not a number from 1"),
        (("--output=x", "--source=csv", "--image_size=64", "--format=jpeg"), "not raw, png or jpeg:QUALITY"),
        (("--output=x", "--source=csv", "--image_size=64", "--format=jpeg:101"), "quality from 1 to 100"),
        (("--output=x", "--source=csv", "--image_size=64", "--split=train,dev"), "unknown split 'dev'"),
        (("--output=x", "--source=csv", "--image_size=64"), "needs a folder"),
        (("--output=x", "--verify", "--shards=2"), "leave out --shards"),
        (("--output=x", "--verify"), "holds no prepared data set"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(run, tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.chdir(tmp_path)
    code, said = run.command(*arguments)
    assert code == 2 and complaint in said and not (tmp_path / "x").exists()
