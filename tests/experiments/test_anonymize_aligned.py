"""The command line on aligned faces: what comes out, and above all what does not."""

import csv
import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from a3gan_jax.anonymizer import Anonymizer
from a3gan_jax.checkpoint import export_model
from a3gan_jax.networks import ModelConfig
from experiments import aligned_faces
from tests.experiments.album import contents, files
from tests.random_models import random_model

ROOT = Path(__file__).parent.parent.parent
NAMES = ("Bald", "Eyeglasses", "Male", "Smiling")
CONFIG = ModelConfig(64, NAMES, num_people=2, base=4, levels=2, z_dim=4, style_width=8, discriminator_base=2)
SECRETS = {"comment": b"SECRET-COMMENT", "description": b"SECRET-DESCRIPTION", "xmp": b"SECRET-XMP"}


@pytest.fixture(scope="module")
def variables() -> dict:
    return random_model(CONFIG).variables


@pytest.fixture(scope="module")
def weights(variables, tmp_path_factory) -> Path:
    export_model(tmp_path_factory.mktemp("weights") / "model", CONFIG, variables, step=3)
    return next(tmp_path_factory.getbasetemp().glob("weights*/model"))


@pytest.fixture
def run(weights, command):
    """The command on aligned faces: (folder, out, arguments) -> (exit code, what it said)."""

    def call(folder: Path, out: Path, *arguments, weights: Path = weights) -> tuple[int, str]:
        return command("--aligned", folder, "-o", out, "--weights", weights, *arguments)

    return call


def picture(seed: int, width: int = 80, height: int = 80) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three faces: a.png, b.JPG and sub/c.webp."""
    (tmp_path / "faces" / "sub").mkdir(parents=True)
    for seed, (name, form) in enumerate([("a.png", "PNG"), ("b.JPG", "JPEG"), ("sub/c.webp", "WEBP")]):
        picture(seed).save(tmp_path / "faces" / name, form)
    return tmp_path / "faces"


def exif_with_thumbnail() -> tuple[bytes, bytes]:
    """EXIF with a GPS position, a description, and a thumbnail in its second directory; and the thumbnail."""
    exif = Image.Exif()
    exif[0x010E] = SECRETS["description"].decode()
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.5), 3: "E", 4: (2.0, 17.0, 40.2)}
    head, tiff = exif.tobytes()[:6], bytearray(exif.tobytes()[6:])
    order = {b"II": "<", b"MM": ">"}[bytes(tiff[:2])]
    (first,) = struct.unpack_from(order + "I", tiff, 4)
    (entries,) = struct.unpack_from(order + "H", tiff, first)
    struct.pack_into(order + "I", tiff, first + 2 + 12 * entries, len(tiff))
    file = io.BytesIO()
    picture(99, 16, 16).save(file, "JPEG")
    thumbnail = file.getvalue()
    place = len(tiff) + 2 + 2 * 12 + 4
    tiff += struct.pack(order + "HHHIIHHIII", 2, 0x0201, 4, 1, place, 0x0202, 4, 1, len(thumbnail), 0) + thumbnail
    return head + bytes(tiff), thumbnail


def segments(jpeg: bytes) -> list[int]:
    """The markers of a JPEG up to its pixels."""
    found, at = [], 2
    while not found or found[-1] != 0xDA:
        marker, length = struct.unpack_from(">HH", jpeg, at)
        found.append(marker & 0xFF)
        at += 2 + length
    return found


def chunks(png: bytes) -> set[bytes]:
    found, at = set(), 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        found.add(png[at + 4 : at + 8])
        at += 12 + length
    return found


def test_a_tree_is_mirrored_and_reported(run, folder, tmp_path):
    out, report = tmp_path / "out", tmp_path / "out" / "report.json"
    originals = contents(folder)
    code, said = run(folder, out, "--seed", 5, "--set", "Eyeglasses=1", "--keep", "Male", "--report", report)
    assert code == 0, said
    assert contents(folder) == originals
    assert files(out) == ["a.png", "b.JPG", "report.json", "sub/c.webp"]
    for name in files(folder):
        with Image.open(out / name) as made, Image.open(folder / name) as original:
            assert (made.size, made.mode, made.format) == ((64, 64), "RGB", original.format)
    written = json.loads(report.read_text())
    assert (written["seed"], written["strength"], written["model_step"], written["failed"]) == (5, 1.0, 3, [])
    assert written["versions"].keys() == {"a3gan_jax", "jax", "flax"}
    assert [face["file"] for face in written["faces"]] == files(folder)
    for face in written["faces"]:
        assert face.keys() == {"file", "output", "before", "after"} and face["after"].keys() == set(NAMES)
        assert face["after"]["Eyeglasses"] == 1 and face["after"]["Male"] == face["before"]["Male"]


def test_the_same_pixels_as_from_the_library_whatever_else_is_in_the_folder(run, folder, weights, tmp_path):
    assert run(folder, tmp_path / "one")[0] == 0
    picture(8).save(folder / "0.png")
    assert run(folder, tmp_path / "two")[0] == 0
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert two.pop("0.png") and one == two
    assert run(folder, tmp_path / "three", "--seed", 1)[0] == 0
    assert all(content != one[name] for name, content in contents(tmp_path / "three").items() if name in one)

    face = aligned_faces.read_face(folder / "a.png", "square", 64)
    expected = Anonymizer.load(weights).model.anonymize(face[None]).images[0]
    with Image.open(tmp_path / "one" / "a.png") as made:
        np.testing.assert_array_equal(np.asarray(made), expected)


def test_nothing_but_pixels_comes_out(run, tmp_path):
    folder, out = tmp_path / "faces", tmp_path / "out"
    folder.mkdir()
    exif, thumbnail = exif_with_thumbnail()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    hidden = dict(exif=exif, icc_profile=profile)
    picture(1).save(folder / "a.jpg", comment=SECRETS["comment"], xmp=SECRETS["xmp"], **hidden)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRETS["comment"].decode())
    text.add_itxt("XML:com.adobe.xmp", SECRETS["xmp"].decode())
    picture(2).save(folder / "b.png", pnginfo=text, **hidden)
    picture(3).save(folder / "c.webp", xmp=SECRETS["xmp"], **hidden)

    jpeg = (folder / "a.jpg").read_bytes()
    secret = [*SECRETS.values(), thumbnail[-60:], b"Exif", b"ICC_PROFILE", b"http://ns.adobe.com", profile[40:80]]
    assert all(part in jpeg for part in secret)
    with Image.open(folder / "a.jpg") as image:  # the thumbnail and the position are where a reader finds them
        assert image.getexif().get_ifd(0x8825)[2] == (48.0, 51.0, 29.5)
        assert image.getexif().get_ifd(ExifTags.IFD.IFD1)[0x0202] == len(thumbnail)

    assert run(folder, out)[0] == 0
    for name, content in contents(out).items():
        assert not [part for part in secret if part in content], name
    assert set(segments((out / "a.jpg").read_bytes())) == {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
    assert chunks((out / "b.png").read_bytes()) == {b"IHDR", b"IDAT", b"IEND"}
    assert (out / "c.webp").read_bytes()[12:16] == b"VP8L"  # the simple form, which has no place for metadata


def test_what_is_no_face_is_named_and_not_copied(run, folder, tmp_path):
    out = tmp_path / "out"
    whole = (folder / "b.JPG").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("SECRET")
    (folder / "empty.png").write_bytes(b"")
    (folder / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    picture(4, 80, 60).save(folder / "landscape.png")
    Image.fromarray(np.full((80, 80), 40_000, np.uint16)).save(folder / "deep.png")
    os.mkfifo(folder / "pipe.jpg")
    bad = ["deep.png", "elsewhere", "empty.png", "landscape.png", "lost.png", "notes.txt", "pipe.jpg", "truncated.jpg"]
    code, said = run(folder, out, "--report", tmp_path / "report.json")
    assert code == 3
    assert files(out) == ["a.png", "b.JPG", "sub/c.webp"]
    failed = json.loads((tmp_path / "report.json").read_text())["failed"]
    assert sorted(failure["file"] for failure in failed) == bad
    assert all(f"{name}: " in said for name in bad) and "SECRET" not in said and "object at" not in said


def test_a_broken_model_gives_nothing_away(run, folder, variables, tmp_path):
    broken = jax.tree.map(np.copy, variables)
    broken["generator"]["params"]["constant"][0, 0, 0] = np.nan
    export_model(tmp_path / "broken", CONFIG, broken, step=1)
    code, said = run(folder, tmp_path / "out", weights=tmp_path / "broken")
    assert code == 3 and "a.png: the model's output is not finite" in said
    assert not (tmp_path / "out").exists()


def test_one_face_that_fails_takes_no_other_with_it(weights):
    faces = [np.full((64, 64, 3), value, np.uint8) for value in (10, 20, 30)]
    labels = [[0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]]
    anonymizer = Anonymizer.load(weights)

    def generate(images, *, attributes):
        if (images == 20).all((1, 2, 3)).any():
            raise FloatingPointError
        return anonymizer.model.anonymize(images, attributes=attributes)

    first, second, third = aligned_faces.outcomes(generate, faces, labels)
    assert isinstance(second, FloatingPointError)
    assert (first[1], third[1]) == (labels[0], labels[2])


def test_no_half_file_and_no_temporary_one(run, folder, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def disk_full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", disk_full)
    code, said = run(folder, out)
    assert code == 3 and "No space left" in said
    code, said = run(folder, out, "--report", tmp_path / "report.json")
    assert code == 3 and "the report could not be written" in said and not (tmp_path / "report.json").exists()
    assert files(out) == []


def test_originals_are_out_of_reach(run, folder, tmp_path):
    originals = contents(folder)
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap" / "sub").symlink_to(folder / "sub", target_is_directory=True)
    for out in (folder, folder / "out", tmp_path / "link" / "out", tmp_path / "trap"):
        code, said = run(folder, out)
        assert code == 2 and "would mix with the originals" in said, out
    code, said = run(folder, tmp_path / "out", "--report", folder / "a.png")
    assert code == 2 and "would mix" in said
    code, said = run(folder, tmp_path / "out", "--report", tmp_path / "out" / "a.png")
    assert code == 2 and "would take the place" in said

    (folder / "faces").mkdir()  # OUT above FOLDER: OUT/faces/a.png is an original
    picture(5).save(folder / "faces" / "a.png")
    code, said = run(folder, tmp_path)
    assert code == 2 and "would mix with the originals" in said
    (tmp_path / "other").mkdir()  # an original elsewhere, behind a link
    picture(6).save(tmp_path / "other" / "d.png")
    (folder / "d.png").symlink_to(tmp_path / "other" / "d.png")
    code, said = run(folder, tmp_path / "other")
    assert code == 2 and "would take the place" in said
    assert {name: contents(folder)[name] for name in originals} == originals and not (tmp_path / "out").exists()


def test_two_inputs_with_one_output_are_refused(run, folder, tmp_path):
    picture(1).save(folder / "d.gif")
    assert run(folder, tmp_path / "one")[0] == 0
    assert "d.gif.png" in files(tmp_path / "one")
    picture(2).save(folder / "d.gif.png")
    code, said = run(folder, tmp_path / "two")
    assert code == 2 and "d.gif.png would take the place" in said and not (tmp_path / "two").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keep", "Smilling"], "Smilling (nearest: Smiling)"),
        (["--change", "mael"], "mael (nearest: Male)"),
        (["--set", "Bold=1"], "Bold (nearest: Bald)"),
        (["--set", "Bald=2"], "write NAME=0 or NAME=1"),
        (["--keep", "Male", "--set", "Male=1"], "Male is both kept and set to 1"),
        (["--task", "expression", "--change", "Smiling"], "kept by task expression"),
        (["--strength", "2"], "--strength is in [0, 1]"),
        (["--strength", "nan"], "--strength is in [0, 1]"),
        (["--seed", "-1"], "--seed"),
        (["--attributes", "nowhere.csv"], "nowhere.csv"),
        (["--weights", "nowhere"], "neither a model nor"),
    ],
)
def test_a_wrong_command_writes_nothing(run, folder, tmp_path, arguments, message):
    code, said = run(folder, tmp_path / "out", *arguments)
    assert code == 2 and message in said
    assert not (tmp_path / "out").exists()


def test_options_for_whole_photos_are_refused(run, folder, tmp_path):
    code, said = run(folder, tmp_path / "out", "--in-place", "--region", "0,0,9,9", "--spare", "a.jpg")
    assert code == 2 and "--in-place, --spare, --region is for whole photos, not for --aligned" in said


def test_strength_0_is_warned_of(run, folder, tmp_path):
    code, said = run(folder, tmp_path / "out", "--strength", 0)
    assert code == 0 and "WARNING" in said and "ARE the original faces" in said
    assert "the original faces show through" in run(folder, tmp_path / "half", "--strength", 0.5)[1]
    assert "WARNING" not in run(folder, tmp_path / "full")[1]


def test_celeba_photos_are_cut(run, tmp_path):
    (tmp_path / "faces").mkdir()
    picture(1, 178, 218).save(tmp_path / "faces" / "000001.jpg")
    assert run(tmp_path / "faces", tmp_path / "no")[0] == 3
    assert run(tmp_path / "faces", tmp_path / "out", "--crop", "celeba")[0] == 0
    with Image.open(tmp_path / "out" / "000001.jpg") as made:
        assert made.size == (64, 64)


def test_labels_take_the_place_of_the_prediction(run, folder, tmp_path):
    labels = folder / "labels.csv"  # is no face, so it is not among the failures
    shown = {"a.png": [1, 0, 1, 0], "sub/c.webp": [0, 1, -1, 1]}

    def write(rows, columns=("file", *NAMES, "age")):
        with labels.open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])

    write([[name, *values, 30] for name, values in shown.items()])
    arguments = ("--attributes", labels, "--keep", ",".join(NAMES), "--report", tmp_path / "report.json")
    code, said = run(folder, tmp_path / "out", *arguments)
    assert code == 3 and "b.JPG: has no row" in said and files(tmp_path / "out") == ["a.png", "sub/c.webp"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["failed"]) == 1
    for face in report["faces"]:
        expected = [max(0, value) for value in shown[face["file"]]]
        assert list(face["before"].values()) == list(face["after"].values()) == expected

    for rows, columns, message in [
        ([], ("file", "Bald", "Male"), "no column Eyeglasses, Smiling"),
        ([["a.png", 1, 0, 1, "yes"]], ("file", *NAMES), "line 2: attributes are 1, or 0 or -1, not Smiling=yes"),
        ([["a.png", 1, 0, 1, 0]] * 2, ("file", *NAMES), "line 3: a.png stands there twice"),
    ]:
        write(rows, columns)
        code, said = run(folder, tmp_path / "none", "--attributes", labels)
        assert code == 2 and message in said


def test_from_another_folder(folder, weights, tmp_path):
    """As a user calls it, with relative paths; it has nothing to say but what was done."""
    command = [sys.executable, "-m", "experiments.anonymize", "--aligned", "faces", "-o", "out/new", "--weights"]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
        "JAX_PLATFORMS": "cpu",
    }
    done = subprocess.run([*command, str(weights)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "3 faces anonymised in out/new, 0 files failed" in done.stdout
    assert files(tmp_path / "out" / "new") == files(folder)
