"""The command line on whole photos: what is written where, what is not, and what is said about it.

The model is a stand-in that finds red squares and paints them green; tests/test_anonymizer.py has the real one.
"""

import inspect
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import ExifTags, Image

from a3gan_jax.anonymizer import AnonymizedPhoto, Anonymizer, FaceOutcome
from a3gan_jax.faces.detector import Detection
from experiments import anonymize, photos

ROOT = Path(__file__).parent.parent.parent
NAMES = ("Bald", "Eyeglasses", "Male", "Smiling")
RED, GREEN = (250, 0, 0), (0, 250, 0)
POINTS = np.array([[2.0, 3], [6, 3], [4, 5], [2, 7], [6, 7]])


def red_squares(image: np.ndarray) -> list[Detection]:
    """Each side 8, wherever its upper left corner is."""
    red = (image.astype(int)[..., 0] > 180) & (image[..., 1] < 70)
    corner = red.copy()
    corner[1:] &= ~red[:-1]
    corner[:, 1:] &= ~red[:, :-1]
    return [Detection(np.array([x, y, 8.0, 8.0]), POINTS + [x, y], 0.9) for y, x in np.argwhere(corner)]


class StandIn:
    """Takes what ``Anonymizer`` takes; notes the options."""

    model = SimpleNamespace(attribute_names=NAMES, image_size=64, step=3)

    def __init__(self, detector=None):
        self.detector, self.calls = detector or red_squares, []

    def recognizer(self, faces: np.ndarray) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[: len(faces)]

    def anonymize_photos(self, images, **options) -> list[AnonymizedPhoto]:
        inspect.signature(Anonymizer.anonymize_photos).bind(self, images, **options)
        self.calls.append(options)
        results = []
        for image, found in zip(images, options["detections"], strict=True):
            if (image == 123).all():
                raise FloatingPointError("not finite")
            image, faces = image.copy(), []
            for face in found:
                left, top, width, height = face.box.astype(int)
                image[top : top + height, left : left + width] = GREEN
                attributes = dict.fromkeys(NAMES, 1)
                told = "anonymised", "", 7, attributes, attributes, 0.1
                faces.append(FaceOutcome(face.box, face.landmarks, face.score, *told))
            if len(faces) == 3:  # the third is covered
                faces[2] = FaceOutcome(*list(vars(faces[2]).values())[:3], "covered", "too small", 7, None, None, None)
            results.append(AnonymizedPhoto(image, tuple(faces)))
        return results


@pytest.fixture
def model(monkeypatch) -> StandIn:
    stand_in = StandIn()

    def load(weights, *, detector=None):
        if weights is not None and not Path(weights).exists():
            raise FileNotFoundError(f"{weights} is neither a model nor a workdir")
        return stand_in

    monkeypatch.setattr(anonymize.Anonymizer, "load", load)
    monkeypatch.setattr(anonymize, "YuNet", lambda **options: stand_in.__dict__.update(yunet=options))
    monkeypatch.setattr(anonymize, "use_compilation_cache", lambda: None)
    return stand_in


@pytest.fixture
def run(model, capsys):
    """Calls the command in this process: (arguments) -> (exit code, what it said)."""

    def call(*arguments) -> tuple[int, str]:
        try:
            code = anonymize.main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = stopped.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out + captured.err

    return call


def picture(seed: int = 0, faces: int = 1, width: int = 64, height: int = 48) -> Image.Image:
    """Dark noise with red squares in a row."""
    values = np.random.default_rng(seed).integers(0, 60, (height, width, 3), np.uint8)
    for number in range(faces):
        values[8:16, 8 + 16 * number : 16 + 16 * number] = RED
    return Image.fromarray(values)


def save(path: Path, image: Image.Image, form: str | None = None, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, form, **options)
    return path


@pytest.fixture
def album(tmp_path) -> Path:
    """a.png with one face, b.JPG with two, sub/c.webp with three."""
    save(tmp_path / "album" / "a.png", picture(0))
    save(tmp_path / "album" / "b.JPG", picture(1, 2), "JPEG", quality=90, subsampling=0)
    save(tmp_path / "album" / "sub" / "c.webp", picture(2, 3), lossless=True)
    return tmp_path / "album"


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder)}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def has_red(path: Path) -> bool:
    return bool(red_squares(pixels(path)))


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


def test_nothing_but_pixels_comes_out_unless_asked_for(run, tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x010E], exif[0x8825] = "Maker", "SECRET", {1: "N", 2: (48.0, 51.0, 29.5)}
    source = save(tmp_path / "a.jpg", picture(), exif=exif.tobytes(), comment=b"SECRET", quality=80)
    assert run(source, "-o", tmp_path / "without")[0] == 0
    assert run(source, "-o", tmp_path / "with", "--keep-metadata")[0] == 0
    for folder, expected in (("without", {}), ("with", {0x010F: "Maker"})):
        content = (tmp_path / folder / "a.jpg").read_bytes()
        assert b"SECRET" not in content and (b"Exif" in content) == bool(expected)
        with Image.open(io.BytesIO(content)) as image, Image.open(source) as original:
            assert dict(image.getexif()) == expected and not image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
            assert image.quantization == original.quantization


def test_pictures_are_upright_before_faces_are_looked_for(run, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "a.png", picture(0, 1), exif=exif.tobytes())
    assert run(tmp_path / "a.png", "--report", tmp_path / "report.json")[0] == 0
    (entry,) = json.loads((tmp_path / "report.json").read_text())["files"]
    assert entry["faces"][0]["box"] == [48 - 16, 8, 8, 8]
    assert pixels(tmp_path / "a_anonymized.png").shape == (64, 48, 3) and not has_red(tmp_path / "a_anonymized.png")


def test_detections_can_be_written_and_brought(run, album, tmp_path, model):
    boxes = tmp_path / "boxes.json"
    assert run(album, "-o", tmp_path / "one", "--export-detections", boxes)[0] == 0
    found = json.loads(boxes.read_text())
    assert {name: len(faces) for name, faces in found.items()} == {
        f"{album}/a.png": 1,
        f"{album}/b.JPG": 2,
        f"{album}/sub/c.webp": 3,
    }
    assert found[f"{album}/a.png"][0] == {"box": [8, 8, 8, 8], "landmarks": (POINTS + 8).tolist(), "score": 0.9}
    model.detector = None  # must not be asked
    assert run(album, "-o", tmp_path / "two", "--boxes", boxes)[0] == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")

    boxes.write_text(json.dumps({"a.png": [{"box": [0, 0, 4, 5]}], "sub/c.webp": []}))
    code, said = run(album, "-o", tmp_path / "three", "--boxes", boxes)
    assert code == 3 and "b.JPG: failed: has no entry in the file of --boxes" in said and "no face found" in said
    assert files(tmp_path / "three") == ["a.png", "sub/c.webp"]
    assert (pixels(tmp_path / "three" / "a.png")[:5, :4] == GREEN).all()
    assert model.calls[-1]["detections"][0][0].landmarks is None


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "[]",
        '{"a.png": 3}',
        '{"a.png": [[1, 2, 3, 4]]}',
        '{"a.png": [{"box": [1, 2, 3]}]}',
        '{"a.png": [{"box": [1, 2, 3, 0]}]}',
        '{"a.png": [{"box": [1, 2, 3, NaN]}]}',
        '{"a.png": [{"box": [1, 2, 3, 4], "landmarks": [[1, 2]]}]}',
        '{"a.png": [{"box": [1, 2, 3, 4], "score": 3}]}',
    ],
)
def test_boxes_of_another_form_are_refused(run, album, tmp_path, content):
    (tmp_path / "boxes.json").write_text(content)
    code, said = run(album, "-o", tmp_path / "out", "--boxes", tmp_path / "boxes.json")
    assert code == 2 and "a JSON object from file names to lists of faces" in said and not (tmp_path / "out").exists()


def test_options_reach_the_model(run, album, tmp_path, model):
    reference = save(tmp_path / "friend.png", picture(4))
    arguments = "--seed 5 --set Eyeglasses=1 --keep Male --strength 1 --no-check --min-face 9 --region 1,2,30,40"
    code, said = run(album / "a.png", *arguments.split(), "--spare", reference, "--threshold", 0.4)
    assert code == 0, said
    (options,) = model.calls
    assert (options["seed"], options["check"], options["min_face"], options["region"]) == (5, False, 9, (1, 2, 30, 40))
    assert options["control"].forced.tolist() == [False, True, False, False]
    assert options["control"].change.tolist() == [1, 0, 0, 1]
    assert [person.tolist() for person in options["spare"]] == [[1, 0, 0, 0]] and options["only"] is None
    assert model.yunet == {"score": 0.4, "path": None}
    run(album / "b.JPG", "--only", reference)
    options = model.calls[-1]
    assert options["spare"] is None and len(options["only"]) == 1 and options["check"] and options["min_face"] == 16
    assert model.yunet["score"] == 0.6


def test_faces_are_searched_at_a_lower_resolution(run, tmp_path, model):
    large = Image.fromarray(np.asarray(picture()).repeat(4, 0).repeat(4, 1))
    save(tmp_path / "a.png", large)
    assert run(tmp_path / "a.png", "--max-res", 64)[0] == 0
    (face,) = model.calls[0]["detections"][0]
    assert face.box.tolist() == [32, 32, 32, 32] and face.landmarks.tolist() == ((POINTS + 8) * 4).tolist()
    assert pixels(tmp_path / "a_anonymized.png").shape == (192, 256, 3)


def test_the_report(run, album, tmp_path):
    report = tmp_path / "report.json"
    assert run(album, "-o", tmp_path / "out", "--seed", 5, "--task", "expression", "--report", report)[0] == 0
    written = json.loads(report.read_text())
    assert (written["seed"], written["strength"], written["check"], written["model_step"]) == (5, 1.0, True, 3)
    assert written["versions"].keys() == {"a3gan_jax", "jax", "flax"} and written["control"]["task"] == "expression"
    assert written["summary"]["faces"] == {"all": 6, "anonymised": 5, "covered": 1}
    last = written["files"][-1]
    assert (last["status"], last["output"]) == ("anonymised", f"{tmp_path}/out/sub/c.webp")
    first, _, third = last["faces"]
    assert first.keys() == {"box", "score", "outcome", "seed", "before", "after", "cosine"}
    assert first["after"].keys() == set(NAMES)
    assert third == {"box": [40, 8, 8, 8], "score": 0.9, "outcome": "covered", "reason": "too small"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keep", "Smilling"], "Smilling (nearest: Smiling)"),
        (["--set", "Bold=1"], "Bold (nearest: Bald)"),
        (["--strength", "2"], "--strength is in [0, 1]"),
        (["--threshold", "1"], "--threshold is in [0, 1)"),
        (["--min-face", "-1"], "--min-face"),
        (["--max-res", "8"], "--max-res"),
        (["--region", "1,2,3"], "write X,Y,W,H"),
        (["--region", "1,2,3,0"], "write X,Y,W,H"),
        (["--spare", "nowhere.jpg"], "--spare nowhere.jpg: cannot be opened"),
        (["--boxes", "nowhere.json"], "nowhere.json"),
        (["--weights", "nowhere"], "neither a model nor"),
        (["--attributes", "a.csv"], "are for --aligned"),
        (["--crop", "celeba"], "are for --aligned"),
        (["nowhere.jpg"], "nowhere.jpg is not there"),
    ],
)
def test_a_wrong_command_writes_nothing(run, album, tmp_path, arguments, message):
    code, said = run(album, "-o", tmp_path / "out", *arguments)
    assert code == 2 and message in said and not (tmp_path / "out").exists()


def test_boxes_exclude_the_detectors_options(run, album, tmp_path):
    (tmp_path / "boxes.json").write_text("{}")
    code, said = run(album, "--boxes", tmp_path / "boxes.json", "--threshold", 0.5)
    assert code == 2 and "takes the detector's place" in said


def test_a_reference_without_a_face_is_named(run, album, tmp_path):
    nobody = save(tmp_path / "nobody.png", picture(0, 0))
    code, said = run(album / "a.png", "--spare", nobody)
    assert code == 2 and f"--spare {nobody}: no face is found" in said


def test_low_strength_is_warned_of(run, album):
    assert "ARE the original faces" in run(album / "a.png", "--strength", 0)[1]
    assert "WARNING" not in run(album / "b.JPG")[1]


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
