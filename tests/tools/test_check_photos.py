"""The command on folders: good and bad photos, boxes, what it prints, writes and returns."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from a3gan_jax.anonymizer import AnonymizedPhoto
from a3gan_jax.evals.onnx_recognizer import OnnxSFace
from a3gan_jax.evals.photo_acceptance import judge
from a3gan_jax.faces.covering import cover
from a3gan_jax.faces.detector import YuNet
from tests.evals.judged import FOUND, look, replaced, street, told
from tools import check_photos


class StandIn:
    """Replaces all faces, but for those of photos it leaves alone or fails on."""

    def __init__(self, leaves=lambda image: False):
        self.leaves = leaves

    def anonymize_photos(self, images, *, seed=0):
        if any((image == 0).all() for image in images):
            raise FloatingPointError("not finite")
        left = AnonymizedPhoto(street(), tuple(map(told, FOUND)))
        return [left if self.leaves(image) else replaced(image) for image in images]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    (folder / "more").mkdir(parents=True)
    for name in ("a.png", "more/b.png"):
        Image.fromarray(street()).save(folder / name)
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments, anonymizer=None) -> tuple[int, str]:
        monkeypatch.setattr(check_photos, "use_compilation_cache", lambda: None)
        monkeypatch.setattr(check_photos.Anonymizer, "load", lambda weights: anonymizer or StandIn())
        monkeypatch.setattr(check_photos, "YuNet", lambda score: lambda image: FOUND if image.any() else [])
        monkeypatch.setattr(check_photos, "OnnxSFace", lambda: look)
        code = check_photos.main([str(argument) for argument in arguments])
        return code, capsys.readouterr().out

    return run


def test_a_good_folder_is_accepted(run, album, tmp_path):
    left, top, width, height = FOUND[1].box
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(f"file,x,y,w,h\nalbum/a.png,{left},{top},{width},{height}\nelsewhere.png,1,1,9,9\n")
    code, out = run(album, "--boxes", boxes, "--json", tmp_path / "figures.json", "--sheet", tmp_path / "sheet")
    assert code == 0 and "violations: none" in out and "boxes found: 1" in out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["summary"]["outcomes"] == {"anonymised": 4}
    assert figures["summary"]["boxes of photos that are not in these folders"] == 1
    assert len(figures["photos"]) == 2 and figures["photos"][0]["boxes"][0]["found"]
    assert {path.name for path in (tmp_path / "sheet").iterdir()} == {"album_a.png.png", "more_b.png.png"}
    with Image.open(tmp_path / "sheet" / "album_a.png.png") as pair:
        assert pair.size == (640, 220)


def test_bad_files_are_named_and_stop_no_other(run, album):
    (album / "c.jpg").write_bytes(b"no photo at all")
    Image.fromarray(np.zeros((60, 60, 3), np.uint8)).save(album / "black.png")  # the model fails on it
    code, out = run(album)
    assert code == 1
    assert f"{album / 'black.png'}: failed: not finite" in out and f"{album / 'c.jpg'}: failed: no image" in out
    assert "photos: 4" in out and "outcomes: 4 anonymised" in out and "violations: 2 failed" in out


def test_an_original_that_comes_through_is_found(run, album):
    code, out = run(album, anonymizer=StandIn(leaves=lambda image: True))
    assert code == 1
    assert out.count(": match: the face at") == out.count(": unchanged: the face at") == 4
    assert not list(album.parent.glob("*.png"))  # no picture of it without --sheet


@pytest.mark.parametrize(
    "text", ["file,x,y\na.png,1,2\n", "file,x,y,w,h\na.png,1,2,0,4\n", "file,x,y,w,h\na,1,2,w,4\n"]
)
def test_boxes_of_another_form_are_refused(run, album, tmp_path, text, capsys):
    (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(SystemExit):
        run(album, "--boxes", tmp_path / "boxes.csv")
    assert "boxes.csv, line 2" in capsys.readouterr().err


def test_a_folder_without_photos_is_refused(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path)
    assert "holds no photo" in capsys.readouterr().err


def test_the_astronaut_is_known_while_she_shows_and_not_when_covered():
    image, detect, recognise = astronaut(), YuNet(score=0.6), OnnxSFace()
    (found, *others) = detect(image)
    left = judge(image, AnonymizedPhoto(image, tuple(map(told, (found, *others)))), detect, recognise)
    assert {"unchanged", "match"} == {violation.kind for violation in left.violations}
    assert left.faces[0].comparison.cosine > 0.999 and left.faces[0].comparison.found_again == 1
    result = image.copy()
    for face in (found, *others):
        cover(result, face.box)
    outcomes = tuple(told(face, "covered", "planted") for face in (found, *others))
    assert judge(image, AnonymizedPhoto(result, outcomes), detect, recognise).violations == ()
