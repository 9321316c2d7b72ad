"""The evaluation as a command, on a small drawn set in LFW's layout."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.data.procedural import ProceduralFaces
from a3gan_jax.evals import report as reports
from a3gan_jax.evals import survey
from a3gan_jax.evals.observers import load_recognizers
from experiments import evaluate
from experiments.evaluation_plan import tasks

PEOPLE, PHOTOS = 40, 2
PNG = "data:image/png;base64,([A-Za-z0-9+/=]+)"


def leave_every_tenth(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """A method with a planted leak: it blackens photos, but leaves every tenth alone."""
    leave_every_tenth.calls += 1
    return image if leave_every_tenth.calls % 10 == 1 else np.zeros_like(image)


leave_every_tenth.calls = 0


@pytest.fixture(scope="module")
def lfw(tmp_path_factory):
    """80 photos of 40 drawn people, and in each of two folds 20 pairs of one person and 20 of two."""
    folder = tmp_path_factory.mktemp("lfw")
    faces = ProceduralFaces(2000, image_size=128, seed=3)
    photos: dict[int, list[np.ndarray]] = {}
    for position in range(2000):
        face = faces[position]
        photos.setdefault(face["identity"], []).append(face["image"])
        if sum(len(images) >= PHOTOS for images in photos.values()) >= PEOPLE:
            break
    names = []
    for images in [images for images in photos.values() if len(images) >= PHOTOS][:PEOPLE]:
        name = f"Person_{len(names):02d}"
        names.append(name)
        (folder / "lfw-deepfunneled" / name).mkdir(parents=True)
        for number, image in enumerate(images[:PHOTOS], start=1):
            Image.fromarray(image).save(folder / "lfw-deepfunneled" / name / f"{name}_{number:04d}.jpg", quality=95)
    lines = [f"2\t{PEOPLE // 2}"]
    for fold in (names[: PEOPLE // 2], names[PEOPLE // 2 :]):
        lines += [f"{name}\t1\t2" for name in fold]
        lines += [f"{a}\t1\t{b}\t2" for a, b in zip(fold, fold[1:] + fold[:1], strict=True)]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(lfw, tmp_path_factory):
    """An evaluation of three methods by one recogniser, and its folder."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "OBSERVERS", ())
        patch.setattr(evaluate, "COMPARERS", ())
        code = evaluate.main(
            arguments(lfw, folder, "identity,blackbox,tests.experiments.test_evaluate:leave_every_tenth")
        )
    assert code == 0
    return folder


def arguments(lfw, folder, methods, *more):
    return [
        f"--method={methods}",
        f"--data.lfw={lfw}",
        f"--report={folder}",
        "--recognizers=sface",
        "--trained_against=",
        *more,
    ]


def test_the_report_says_what_is_known(run):
    report = reports.from_json((run / "report.json").read_text())
    figures = {
        method: {f.name: f for f in row["lfw"]["identification"]}
        for method, row in reports.recompute(report, list(tasks(load_recognizers(["sface"]), ()).values())).items()
    }
    assert figures["identity"]["sface/self/accepted"].value == 1.0
    assert figures["blackbox"]["sface/self/accepted"].value < 0.1
    leak = figures["tests.experiments.test_evaluate:leave_every_tenth"]["sface/self/accepted"]
    assert leak.value == pytest.approx(0.1) and leak.count == 80
    named = {f.file for f in report.failures if "takes it for its original" in f.what and "leave" in f.method}
    assert named == {report_file(report, position) for position in range(0, 80, 10)}


def report_file(report, position):
    return report.tasks["identity"]["lfw"]["identification"]["file"][position]


def test_what_was_not_run_is_named(run):
    report = reports.from_json((run / "report.json").read_text())
    reasons = {note.task: note.reason for note in report.not_run}
    assert "--data.yawdd was not given" in reasons["all tasks on yawdd"]
    assert any("expression" in task for task in reasons) and any("inversion" in task for task in reasons)


def test_nothing_of_what_was_seen_stays_and_no_path_is_told(run, lfw):
    assert sorted(path.name for path in run.iterdir()) == ["report.html", "report.json", "report.md"]
    for path in run.iterdir():
        assert str(lfw.parent) not in path.read_text()
    json.loads((run / "report.json").read_text(), parse_constant=lambda name: pytest.fail(name))


def test_a_stopped_run_goes_on_where_it_stood(lfw, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "OBSERVERS", ())
    monkeypatch.setattr(evaluate, "COMPARERS", ())
    cache = tmp_path / "cache"
    asked = arguments(lfw, tmp_path / "report", "identity", f"--cache={cache}", "--limit=40")
    assert evaluate.main(asked) == 0
    first = (tmp_path / "report" / "report.md").read_text()
    shutil.rmtree(tmp_path / "report")
    monkeypatch.setattr(survey, "look", lambda *_: pytest.fail("a photo was looked at again"))
    assert evaluate.main(asked) == 0
    assert (tmp_path / "report" / "report.md").read_text() == first
    assert "**Only a subset was measured" in first


def test_contact_sheets_show_originals_above_results(lfw, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "OBSERVERS", ())
    monkeypatch.setattr(evaluate, "COMPARERS", ())
    asked = arguments(lfw, tmp_path / "report", "identity,blackbox", "--contact_sheets")
    assert evaluate.main(asked) == 0
    page = (tmp_path / "report" / "report.html").read_text()
    sheets = [np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))) for png in re.findall(PNG, page)]
    (same, above, below) = (sheets[0], *np.split(sheets[1], 2))
    assert len(sheets) == 2 and above.std() > 20
    np.testing.assert_array_equal(*np.split(same, 2))
    assert below.mean() < above.mean() / 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--method=blurr:0.1"], "nearest: blur:SHARE"),
        (["--data.celeba=/nowhere"], "nowhere"),
        (["--recognizers=nobody"], "nobody"),
    ],
)
def test_errors_are_one_line_and_leave_no_report(lfw, tmp_path, capsys, more, message):
    asked = [f"--data.lfw={lfw}", f"--report={tmp_path / 'report'}", "--recognizers=sface", *more]
    assert evaluate.main(asked) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not list((tmp_path / "report").glob("report.*"))


@pytest.mark.parametrize("option", ["averaged", "inversion"])
def test_an_attack_on_a_method_that_is_not_judged_is_refused(tmp_path, capsys, option):
    with pytest.raises(SystemExit):
        evaluate.main([f"--report={tmp_path}", "--data.lfw=x", "--method=a3gan", f"--{option}=a3gan,blur:0.1"])
    assert f"--{option} names blur:0.1, which --method does not" in capsys.readouterr().err


def test_without_data_the_command_says_what_it_wants(tmp_path, capsys):
    with pytest.raises(SystemExit):
        evaluate.main([f"--report={tmp_path}"])
    assert "--data.lfw=FOLDER" in capsys.readouterr().err
