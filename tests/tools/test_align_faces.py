"""Photos become a folder to train from: faces at their places, attributes from the table, all or nothing."""

import csv
import re

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.data.csv_folder import CSVFolder
from a3gan_jax.faces.detector import YuNet
from a3gan_jax.geometry import crop_landmarks
from tests.evals.astronaut import astronaut
from tools import align_faces

TABLE = "file,split,gender,age\na.png,train,Female,40-49\nsub/b.jpg,val,Female,20-29\nc.png,train,Male,3-9\n"
ATTRIBUTES = ("--attribute=Male=gender:Male", "--attribute=Young=age:20-29, 3-9")


@pytest.fixture
def folder(tmp_path):
    """The astronaut, her face alone, and a grey wall."""
    image, face = astronaut()
    left, top, width, height = face.box.astype(int)
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    Image.fromarray(image).save(tmp_path / "photos" / "a.png")
    Image.fromarray(image[top : top + height, left : left + width]).save(tmp_path / "photos" / "sub" / "b.jpg")
    Image.fromarray(np.full((90, 90, 3), 120, np.uint8)).save(tmp_path / "photos" / "c.png")
    (tmp_path / "photos" / "labels.csv").write_text(TABLE)
    return tmp_path / "photos"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, folder):
    def run(*arguments: str) -> tuple[int, str]:
        command = ["align_faces", f"--root={folder}", f"--output={tmp_path / 'aligned'}", "--size=128", *arguments]
        monkeypatch.setattr("sys.argv", command)
        code = align_faces.main()
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def test_faces_lie_where_training_expects_them(run, folder, tmp_path):
    code, said = run(*ATTRIBUTES)
    assert code == 0 and "c.png: no face is found" in said and "2 faces of 3 photos" in said
    faces = CSVFolder(tmp_path / "aligned", "train"), CSVFolder(tmp_path / "aligned", "validation")
    assert [part.attribute_names for part in faces] == [("Male", "Young")] * 2
    assert [part.attributes.tolist() for part in faces] == [[[0, 0]], [[0, 1]]]
    assert faces[0].labels == {"gender": ["Female"], "age": ["40-49"]}
    for name in ("000000.png", "000001.png"):
        with Image.open(tmp_path / "aligned" / name) as image:
            aligned = np.asarray(image)
        assert aligned.shape == (128, 128, 3)
        (found,) = YuNet()(aligned)
        assert np.abs(found.landmarks - crop_landmarks(128)).max() < 6


def test_a_classifier_adds_what_the_table_does_not_say(run, tmp_path, monkeypatch):
    class Bright:
        attribute_names = ("Bald", "Male", "Pale_Skin")

        def predict_attributes(self, images):
            assert images.shape == (1, 128, 128, 3)
            return np.array([[images.mean() > 255, True, images.mean() > 0]])

    monkeypatch.setattr(align_faces, "read_model", lambda name: name)
    monkeypatch.setattr(align_faces, "FaceModel", lambda name: Bright())
    assert run(*ATTRIBUTES, "--classifier=celeba")[0] == 0
    faces = CSVFolder(tmp_path / "aligned", "train")
    assert faces.attribute_names == ("Bald", "Male", "Pale_Skin", "Young")
    assert faces.attributes.tolist() == [[0, 0, 1, 0]]


def test_a_classifier_that_is_not_there_is_told(run, tmp_path):
    code, said = run("--classifier=celebs")
    assert code == 2 and "celebs is neither a model" in said
    assert not (tmp_path / "aligned").exists()


def test_beyond_its_border_a_photo_is_repeated_as_anonymizing_does(folder):
    face = align_faces.cut_largest_face(folder / "sub" / "b.jpg", YuNet(), 128).astype(int)
    assert np.abs(np.diff(face[:12], axis=0)).mean() < 0.5 < np.abs(np.diff(face[60:72], axis=0)).mean()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--attribute=Male=sex:Male",), "no column sex"),
        (("--attribute=Male=gender:male",), "no row of .* has male in the column gender"),
    ],
)
def test_what_the_table_does_not_have_is_refused(run, tmp_path, arguments, complaint):
    code, said = run(*arguments)
    assert code == 2
    assert re.search(complaint, said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


@pytest.mark.parametrize(
    ("text", "hint"), [("Man=gender:Male", "unknown attributes: Man"), ("Male=gender", "is not NAME=")]
)
def test_an_attribute_that_is_none_is_refused(run, capsys, text, hint):
    with pytest.raises(SystemExit) as stopped:
        run(f"--attribute={text}")
    assert stopped.value.code == 2 and hint in capsys.readouterr().err


def test_nothing_is_left_of_a_run_that_fails(run, folder, tmp_path):
    rows = list(csv.DictReader(TABLE.splitlines()))
    (folder / "labels.csv").write_text("file\n" + rows[2]["file"] + "\n")
    code, said = run()
    assert code == 2 and "no face of" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]
    (tmp_path / "aligned").mkdir()
    assert run() == (2, f"align_faces: error: {tmp_path / 'aligned'} exists: remove it, or name another folder\n")
