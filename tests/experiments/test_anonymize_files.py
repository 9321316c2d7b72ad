"""The command line on whole photos: what is written where, what is not, and that no original is lost or let out."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from experiments import anonymize, photos
from tests.experiments.album import GREEN, RED, StandIn, contents, files, has_red, picture, pixels, save

ROOT = Path(__file__).parent.parent.parent


def test_one_photo_goes_beside_its_input(run, album):
    code, said = run(album / "a.png")
    assert code == 0 and f"{album}/a.png -> {album}/a_anonymized.png: 1 faces" in said
    before, after = pixels(album / "a.png"), pixels(album / "a_anonymized.png")
    assert (after[8:16, 8:16] == GREEN).all()
    after = after.copy()
    after[8:16, 8:16] = RED
    np.testing.assert_array_equal(before, after)


def test_a_tree_is_mirrored_with_other_files_beside_it(run, album, tmp_path):
    single, originals = save(tmp_path / "single.tif", picture(3)), contents(album)
    code, said = run(album, single, "-o", tmp_path / "out")
    assert code == 0 and contents(album) == originals
    assert files(tmp_path / "out") == ["a.png", "b.JPG", "single.tif", "sub/c.webp"]
    assert not any(has_red(tmp_path / "out" / name) for name in files(tmp_path / "out"))
    assert "4 files: 4 anonymised" in said and "7 faces: 6 anonymised, 1 covered" in said
    assert "covered because: too small (1)" in said


def test_globs_and_a_single_output_file(run, album, tmp_path):
    assert run(album / "*.png", str(album / "**" / "*.webp"), "-o", tmp_path / "out")[0] == 0
    assert files(tmp_path / "out") == ["a.png", "c.webp"]
    assert run(album / "b.JPG", "-o", tmp_path / "new" / "name.jpeg")[0] == 0
    assert not has_red(tmp_path / "new" / "name.jpeg")
    code, said = run(album / "b.JPG", "-o", tmp_path / "name.png")
    assert code == 2 and f"is written as JPEG: name it {tmp_path}/name.jpg" in said
    code, said = run(album / "*.bmp")
    assert code == 2 and "*.bmp is not there" in said


def test_an_input_that_is_named_twice_is_done_once(run, album, tmp_path):
    (album / "link.png").symlink_to(album / "a.png")
    code, said = run(album, album / "a.png", album / "a.png", "-o", tmp_path / "out")
    assert code == 0 and "4 files: 4 anonymised" in said
    assert files(tmp_path / "out") == ["a.png", "b.JPG", "link.png", "sub/c.webp"]
    assert not (tmp_path / "out" / "link.png").is_symlink() and not has_red(tmp_path / "out" / "link.png")


def test_names_fit_what_is_written(run, tmp_path):
    save(tmp_path / "in" / "a.png", picture(), "JPEG")
    save(tmp_path / "in" / "b.gif", picture().quantize(64))
    save(tmp_path / "in" / "c", picture(), "PNG")
    assert run(tmp_path / "in", "-o", tmp_path / "out")[0] == 0
    assert files(tmp_path / "out") == ["a.png.jpg", "b.gif.png", "c.png"]
    assert run(tmp_path / "in")[0] == 0
    assert files(tmp_path / "in") == [
        *("a.png", "a_anonymized.png.jpg", "b.gif", "b_anonymized.gif.png"),
        "c",
        "c_anonymized.png",
    ]
    for name in files(tmp_path / "out"):
        with Image.open(tmp_path / "out" / name) as image:
            assert image.format == {"jpg": "JPEG", "png": "PNG"}[name.rpartition(".")[2]]


def test_running_again_continues(run, album, tmp_path, model):
    out = tmp_path / "out"
    assert run(album, "-o", out)[0] == 0
    (out / "b.JPG").unlink()
    first = contents(out)
    code, said = run(album, "-o", out)
    assert code == 0 and "2 already done, 1 anonymised" in said
    assert [len(call["detections"]) for call in model.calls] == [3, 1]
    assert {name: content for name, content in contents(out).items() if name in first} == first
    assert "3 anonymised" in run(album, "-o", out, "--overwrite")[1]
    assert run(album)[0] == 0 and "3 already done" in run(album)[1]  # beside: outputs are no inputs
    assert len(files(album)) == 6


def test_outputs_beside_inputs_are_no_inputs(run, tmp_path):
    for name in ("a.png", "2024.01.02.png", "b.gif"):
        save(tmp_path / "in" / name, picture().quantize(64) if name == "b.gif" else picture())
    assert "3 files: 3 anonymised" in run(tmp_path / "in")[1]
    everything = sorted(tmp_path.glob("in/*"))
    assert len(everything) == 6
    for arguments in ([tmp_path / "in"], [tmp_path / "in" / "*"], everything):  # the last is what a shell makes of *
        code, said = run(*arguments)
        assert code == 0 and "3 files: 3 already done" in said, arguments
    assert sorted(tmp_path.glob("in/*")) == everything


def test_what_is_no_output_of_ours_is_not_taken_for_one(run, album, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes((album / "a.png").read_bytes())  # a copy of the original
    save(out / "b.JPG", picture(9), "JPEG")
    os.utime(out / "b.JPG", (1, 1))
    (out / "sub" / "c.webp").mkdir(parents=True)
    code, said = run(album, "-o", out)
    assert code == 3 and "a copy of the original lies at" in said and "older than its input lies at" in said
    assert "there is a folder in the place of its output" in said
    assert run(album, "-o", out, "--overwrite")[0] == 3
    assert not has_red(out / "a.png") and not has_red(out / "b.JPG")


def test_bad_files_are_named_and_the_others_are_done(run, album, tmp_path):
    whole = (album / "b.JPG").read_bytes()
    (album / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (album / "empty.png").write_bytes(b"")
    (album / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
    (album / "notes.txt").write_text("SECRET")
    (album / "lost.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(album / "pipe.jpg")
    save(album / "grey.png", Image.new("RGB", (64, 48), (123, 123, 123)))  # at which the model fails
    code, said = run(album, "-o", tmp_path / "out", "--report", tmp_path / "report.json")
    assert code == 3 and files(tmp_path / "out") == ["a.png", "b.JPG", "sub/c.webp"]
    assert not (tmp_path / "out" / "grey.png").exists() and "SECRET" not in said
    for name, reason in [
        ("truncated.jpg", "failed: truncated or damaged"),
        ("empty.png", "failed: empty, 0 bytes"),
        ("photo.heic", "failed: HEIC is not supported: save it as JPEG or PNG"),
        ("lost.png", "failed: "),
        ("pipe.jpg", "failed: no regular file"),
        ("grey.png", "failed: not finite"),
        ("notes.txt", "skipped: no image"),
    ]:
        assert f"{album}/{name}: {reason}" in said
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["summary"]["files"] == {"anonymised": 3, "failed": 6, "skipped": 1}
    assert report["summary"]["failed because"]["not finite"] == 1

    assert run(album / "notes.txt", "-o", tmp_path / "two")[0] == 3  # who names it takes it for an image
    assert not (tmp_path / "two").exists()


def test_only_skipped_files_are_no_failure(run, album):
    (album / "notes.txt").write_text("words")
    code, said = run(album, "-o", album.parent / "out")
    assert code == 0 and "3 anonymised, 1 skipped" in said


def test_a_detector_that_fails_lets_nothing_out(run, album, tmp_path, model):
    def fails(image):
        raise RuntimeError("no detector")

    model.detector = fails
    code, said = run(album, "-o", tmp_path / "out")
    assert code == 3 and said.count("failed: no detector") == 3 and not (tmp_path / "out").exists()


def test_no_face_found_is_a_warning_and_counted(run, album, tmp_path):
    save(album / "empty.png", picture(5, 0))
    code, said = run(album, "-o", tmp_path / "out", "--report", tmp_path / "report.json")
    assert code == 0 and f"WARNING: {album}/empty.png: no face found" in said and "1 no face found" in said
    np.testing.assert_array_equal(pixels(tmp_path / "out" / "empty.png"), pixels(album / "empty.png"))
    entries = {entry["file"]: entry for entry in json.loads((tmp_path / "report.json").read_text())["files"]}
    assert entries[f"{album}/empty.png"]["status"] == "no face found"


def test_in_place(run, album, tmp_path):
    linked = album / "link.png"
    save(tmp_path / "elsewhere" / "d.png", picture(6))
    linked.symlink_to(tmp_path / "elsewhere" / "d.png")
    assert run(album, "--in-place")[0] == 0
    assert files(album) == ["a.png", "b.JPG", "link.png", "sub/c.webp"] and linked.is_symlink()
    assert not any(has_red(album / name) for name in files(album))

    kept = contents(album)
    save(album / "e.png", picture(), "JPEG")
    save(album / "f.gif", picture().quantize(64))
    os.link(save(album / "g.png", picture()), tmp_path / "second name.png")
    before = contents(album)
    code, said = run(album / "?.*", "--in-place")
    assert code == 3 and "is written as JPEG, but would be named e.png: rename it" in said
    assert "is written as PNG, but would be named f.gif" in said and "a hard link" in said
    after = contents(album)
    assert all(after[name] == before[name] for name in ("e.png", "f.gif", "g.png")) and kept.keys() < after.keys()


def test_inputs_are_never_overwritten_otherwise(run, album, tmp_path):
    originals = contents(album)
    for arguments, message in [
        ((album, "-o", album), "would mix with the originals"),
        ((album, "-o", album / "out"), "would mix with the originals"),
        ((album / "a.png", "-o", album), "would take the place of an input"),
        ((album / "a.png", "-o", album / "a.png"), "would take the place of an input"),
        ((album / "a.png", "--report", album / "a.png"), "would take the place of an input"),
        ((album / "a.png", "--export-detections", album / "a_anonymized.png"), "would take the place"),
        (
            (album, save(tmp_path / "a.png", picture()), "-o", tmp_path / "out"),
            "place of an input or of another",
        ),
        ((album / "a.png", "--in-place", "-o", tmp_path / "out"), "exclude each other"),
        ((album, "-o", album / "a.png"), "is not a folder"),
    ]:
        code, said = run(*arguments)
        assert code == 2 and message in said, arguments
    assert contents(album) == originals and not (tmp_path / "out").exists()


def test_no_half_file_and_no_temporary_one(run, album, tmp_path, monkeypatch):
    def disk_full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", disk_full)
    code, said = run(album, "-o", tmp_path / "out", "--report", tmp_path / "report.json")
    assert code == 3 and said.count("No space left") >= 4 and "the report could not be written" in said
    assert files(tmp_path / "out") == [] and not (tmp_path / "report.json").exists()


def run_slowly(folder: str, out: str) -> None:
    """The command in a process of its own, one photo at a time and slowly; for the test below."""

    class Slow(StandIn):
        def anonymize_photos(self, images, **options):
            time.sleep(0.05)
            return super().anonymize_photos(images, **options)

    photos.GROUP_FILES = 1
    anonymize.Anonymizer.load = lambda *_, **__: Slow()
    anonymize.YuNet = lambda **_: None
    anonymize.use_compilation_cache = lambda: None
    sys.exit(anonymize.main([folder, "-o", out]))


def test_a_killed_run_leaves_whole_outputs_and_continues(run, tmp_path):
    folder, out, count = tmp_path / "many", tmp_path / "out", 60
    for number in range(count):
        save(folder / f"{number:02}.png", picture(number, width=300, height=200))
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('slow', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        f"module.run_slowly({str(folder)!r}, {str(out)!r})\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None and not (out / "04.png").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = [path for path in out.iterdir() if not path.name.endswith(".new")]
    assert 5 <= len(done) < count
    assert not any(has_red(path) for path in done)  # each can be read to its end
    code, said = run(folder, "-o", out)
    assert code == 0 and f"{count - len(done)} anonymised" in said
    assert files(out) == files(folder)
