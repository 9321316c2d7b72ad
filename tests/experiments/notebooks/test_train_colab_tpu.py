"""The notebook that trains."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.checkpoint import load_model
from a3gan_jax.data.celeba import CelebA
from tests.experiments.notebooks.notebook import ROOT, pictures, read, said, tagged

TINY = ROOT / "tests" / "experiments" / "tiny.py"


@pytest.fixture(scope="module")
def training(run_notebook):
    every = [f"--config.{what}_every=2" for what in ("log", "sheet", "validate", "checkpoint")]
    settings = ["--config.total_steps=4", "--config.optimizer.critic_warmup_steps=1", *every]
    small = {"CONFIG": str(TINY), "SETTINGS": settings, "WORKDIR": "run", "KEEP_IN": "kept"}
    figures = {"steps": "list(table)", "losses": "[measured['loss/generator'] for measured in table.values()]"}
    return run_notebook("train_colab_tpu", small, figures)


def test_training_leaves_a_model_and_its_archive(training):
    model = load_model(training.folder / "run" / "model")
    assert model.step == 4 and model.config.attributes == ("Male", "Smiling")
    with zipfile.ZipFile(training.folder / "kept" / "a3gan_model.zip") as archive:
        archive.extractall(training.folder / "unpacked")
    again = load_model(training.folder / "unpacked" / "model")
    assert again.config == model.config
    kernel = ("ainet", "params", "Dense_0", "kernel")
    first, second = model.variables, again.variables
    for part in kernel:
        first, second = first[part], second[part]
    np.testing.assert_array_equal(first, second)


def test_training_shows_its_sheets_its_figures_and_its_end(training):
    cell = tagged(training.notebook, "train")
    (sheet,) = pictures(cell)
    assert sheet.startswith(b"\xff\xd8") and "finished" in said(cell)
    sheets = [path.name for path in sorted((training.folder / "run" / "sheets").iterdir())]
    assert sheets == ["0000002.png", "0000004.png"]
    assert training.results["steps"].tolist() == [2, 4]
    first, second = training.results["losses"]
    text = "\n".join(said(cell) for cell in training.notebook.cells if cell.cell_type == "code")
    assert re.search(rf"^ +2 +{first:.4g} .*\n +4 +{second:.4g} ", text, re.M), "the table of figures"
    assert "on 1 x cpu" in text


def test_training_again_goes_on_and_finds_nothing_left_to_do(training):
    resume = next(cell for cell in training.notebook.cells if cell.source == "train()")
    shown = [output.data["text/plain"] for output in resume.outputs if output.output_type == "display_data"]
    assert any("this run is finished" in text for text in shown)
    assert (training.folder / "run" / "metrics.jsonl").read_text().count('{"step": 4,') == 2, "trained twice"


def test_celebas_archive_is_unpacked_once(tmp_path, monkeypatch):
    official = tmp_path / "drive" / "celeba"
    names = ["000001.jpg", "000002.jpg"]
    for folder, file in {"Anno": "identity_CelebA.txt", "Eval": "list_eval_partition.txt"}.items():
        (official / folder).mkdir(parents=True)
        (official / folder / file).write_text("".join(f"{name} 0\n" for name in names))
    rows = [f"{name} {'1 -1 ' * 20}" for name in names]
    (official / "Anno" / "list_attr_celeba.txt").write_text("\n".join(["2", " ".join(CELEBA_ATTRIBUTES), *rows]))
    (official / "Img").mkdir()
    with zipfile.ZipFile(official / "Img" / "img_align_celeba.zip", "w") as archive:
        for name in names:
            archive.writestr(f"img_align_celeba/{name}", name)
    monkeypatch.chdir(tmp_path)
    cell = tagged(read("train_colab_tpu"), "data").source
    settings = {"DATA": "celeba", "DATA_ROOT": str(official), "WORKDIR": "", "KEEP_IN": ""}
    variables = settings | {"Path": Path, "shutil": shutil}
    exec(cell, variables)
    faces = CelebA([variables["root"]], "train")
    assert [face["image"].decode() for face in faces] == names and variables["root"] == Path("celeba")
    (official / "Img" / "img_align_celeba.zip").write_bytes(b"not read again")
    exec(cell, variables)
    assert variables["root"] == Path("celeba")
    variables["DATA_ROOT"] = "celeba"  # without an archive
    exec(cell, variables)
    assert variables["root"] == Path("celeba")


#: Says a line, and waits for the signal that the notebook sends.
OBEDIENT = """
import signal, sys, time
def end(*_):
    print("saved")
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
print("step 1", flush=True)
time.sleep(60)
"""


def run_train_cell(program: str, update, monkeypatch, folder: Path):
    """The training's cell with another program; ``update`` is called whenever something is shown."""
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: SimpleNamespace(update=update))
    command = [sys.executable, "-c", program]
    exec(
        tagged(read("train_colab_tpu"), "train").source,
        {"Path": Path, "subprocess": subprocess, "WORKDIR": folder, "command": command},
    )


def test_the_stop_button_lets_the_training_save(monkeypatch, tmp_path, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    run_train_cell(OBEDIENT, interrupt, monkeypatch, tmp_path)
    assert "stopped and saved" in capsys.readouterr().out


def test_a_training_that_fails_is_heard(monkeypatch, tmp_path):
    with pytest.raises(RuntimeError, match=r"ended with code 1:\n(.*\n)*ValueError: no such data"):
        run_train_cell("raise ValueError('no such data')", lambda _: None, monkeypatch, tmp_path)
