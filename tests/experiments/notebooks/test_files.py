"""What lies in the notebooks' files, and what their first cell installs."""

import base64
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

from tests.experiments.notebooks.notebook import FOLDER, NAMES, ROOT, read, tagged

PIN = re.compile(r"([\w-]+)(?:\[\w+\])?==([\w.]+)")
LARGEST_PICTURE = 150_000  # bytes


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stripped_but_for_one_picture(name):
    notebook = read(name)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    (output,) = (output for cell in code for output in cell.outputs)
    assert output.output_type == "display_data" and not output.metadata
    ((kind, content),) = output.data.items()
    assert kind in ("image/jpeg", "image/png")
    assert 1_000 < len(base64.b64decode(content)) < LARGEST_PICTURE
    assert all(cell.execution_count is None for cell in code)
    assert all(cell.metadata.keys() <= {"tags"} for cell in notebook.cells)
    assert notebook.metadata.keys() <= {"accelerator", "colab", "kernelspec", "language_info"}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook.metadata.kernelspec == kernel and notebook.metadata.language_info == {"name": "python"}
    assert notebook.metadata.colab == {"provenance": []}


def test_there_are_no_other_notebooks():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_opens_with_what_it_does_and_where(name):
    first = read(name).cells[0]
    title, badge, does = (part for part in first.source.split("\n\n"))
    assert first.cell_type == "markdown" and title.startswith("# ") and len(does) > 150
    (owner,) = re.findall(rf"colab\.research\.google\.com/github/(\S+)/blob/main/experiments/notebooks/{name}\.", badge)
    assert f'REPOSITORY = "https://github.com/{owner}"' in tagged(read(name), "parameters").source


def test_the_pins_are_those_of_the_requirements():
    wanted = dict(PIN.findall((ROOT / "requirements.txt").read_text()))
    del wanted["pytest"]
    tests = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["test"]
    (torch,) = (dict(PIN.findall(entry)) for entry in tests if entry.startswith("torch=="))
    for name in NAMES:
        pinned = PIN.findall(tagged(read(name), "install").source)
        assert dict(pinned) == wanted | (torch if name == "convert_weights" else {}), name
        assert len(set(pinned)) == len(dict(pinned)), "two versions of one package"


@pytest.mark.parametrize(
    ("devices", "command", "jax"),
    [([], None, "jax"), (["accel0"], None, "jax[tpu]"), ([], "/usr/bin/nvidia-smi", "jax[cuda12]")],
)
@pytest.mark.parametrize("name", NAMES)
def test_the_package_is_installed_for_the_device_where_it_is_missing(name, devices, command, jax, monkeypatch):
    ran = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "a3gan_jax" else object())
    monkeypatch.setattr(subprocess, "run", lambda arguments, check: ran.append(arguments))
    monkeypatch.setattr(shutil, "which", lambda name: command)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(devices))
    with pytest.raises(RuntimeError, match="jax, numpy in use: Runtime > Restart session"):
        monkeypatch.delitem(sys.modules, "PIL", raising=False)
        exec(tagged(read(name), "install").source, {"REPOSITORY": "https://example.org/mine"})
    *before, install = ran
    assert f"{jax}==" in " ".join(install) and install[-1] == "git+https://example.org/mine"
    assert not any(part.startswith("tensorflow") and "datasets" not in part for part in install)
    assert [("uninstall" in arguments and "tensorflow" in arguments) for arguments in before] == [True] * len(devices)


@pytest.mark.parametrize("name", NAMES)
def test_a_package_that_is_there_is_left_alone(name, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something is installed"))
    exec(tagged(read(name), "install").source, {})
