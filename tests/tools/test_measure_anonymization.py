"""The measurement from end to end, with attackers that cost nothing."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from tools import measure_anonymization


class Pixels:
    """Recognises a photo by its pixels."""

    name, threshold = "pixels", 0.99

    def embed(self, images, faces):
        coarse = images[:, ::16, ::16].reshape(len(images), -1).astype(np.float32)
        coarse -= coarse.mean(1, keepdims=True)
        return coarse / np.linalg.norm(coarse, axis=1, keepdims=True)

    @staticmethod
    def similarity(a, b):
        return a @ b.T


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(measure_anonymization, "YuNet", lambda: lambda crop: [])
    monkeypatch.setattr(measure_anonymization, "attackers", lambda: [Pixels()])

    def run(*arguments):
        file = tmp_path / "figures.json"
        common = ["--source=procedural", "--limit=10", "--batch_size=4", f"--json={file}"]
        monkeypatch.setattr(sys, "argv", ["measure_anonymization", *common, *arguments])
        measure_anonymization.main()
        return json.loads(file.read_text()), capsys.readouterr().out

    return run


def test_doing_nothing_hides_nobody(run):
    figures, text = run("--baseline=identity", "--size=64")
    assert figures["photos"] == 10 and figures["split"] == "test" and figures["baseline"] == "identity"
    assert figures["people_with_other_photos"] == 2
    row = figures["rows"]["identity"]
    assert row["pixels"]["matched"] == row["pixels"]["matched_at_far"] == 1.0
    assert row["found"] == 0.0 and row["difference"] == 0.0
    assert "| identity | 0.000 |" in text


def test_pixelating_hides_from_an_attacker_of_pixels(run, tmp_path):
    figures, _ = run("--baseline=pixelate", "--size=64", f"--cache={tmp_path / 'cache'}")
    assert figures["rows"]["pixelate"]["pixels"]["matched"] < 0.5
    assert (tmp_path / "cache" / "test-pixels.npz").exists()


def test_a_folder_without_a_model_is_one_line(run, tmp_path):
    with pytest.raises(SystemExit, match="neither a model"):
        run(f"--model={tmp_path}")


def test_a_baseline_has_no_dial(run, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("--baseline=blur", "--dial")
    assert "only a model has strengths" in capsys.readouterr().err


def test_photos_that_name_nobody_are_refused_before_anything_is_measured(run, tmp_path):
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("file,split\na.png,test\n")
    with pytest.raises(SystemExit, match="these name fewer"):
        run("--baseline=blur", "--source=csv", f"--root={tmp_path}")


def test_enlarging_keeps_the_mean_and_the_size_of_the_view():
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    large = measure_anonymization.enlarge(images)
    assert large.shape == (2, 192, 192, 3)
    np.testing.assert_allclose(large.mean((1, 2)), images.mean((1, 2)), atol=2)
    assert measure_anonymization.enlarge(large) is large
