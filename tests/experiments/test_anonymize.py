"""The command line on whole photos: its options, what they ask of the model, and what is said about it.

The model is a stand-in, see album.py; tests/test_anonymizer.py has the real one.
"""

import io
import json

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.experiments.album import (
    GREEN,
    NAMES,
    POINTS,
    contents,
    files,
    has_red,
    picture,
    pixels,
    save,
)


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
    assert options["control"].change.tolist() == [0, 0, 0, 1]  # hair is seen beyond the face
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
