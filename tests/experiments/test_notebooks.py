"""The notebooks: what lies in the files, and what comes out of each when it runs from top to bottom, made small."""

import base64
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import nbclient
import nbformat
import numpy as np
import pytest
import torch
from PIL import Image

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.checkpoint import load_model
from a3gan_jax.data.celeba import CelebA
from a3gan_jax.evals.onnx_recognizer import MATCH
from a3gan_jax.faces.identity import DIFFERENT

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "experiments" / "notebooks"
NAMES = ("anonymize_colab", "convert_weights", "train_colab_tpu")
TINY = Path(__file__).parent / "tiny.py"
PIN = re.compile(r"([\w-]+)(?:\[\w+\])?==([\w.]+)")
LARGEST_PICTURE = 150_000  # bytes


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def tagged(notebook: nbformat.NotebookNode, tag: str) -> nbformat.NotebookNode:
    (cell,) = (cell for cell in notebook.cells if tag in cell.metadata.get("tags", ()))
    return cell


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs a notebook in a folder and a kernel of its own: (name, settings, results) -> folder, notebook, results.

    ``settings`` take the place of what the parameters cell says; ``results`` are expressions, by name.
    """
    own = tmp_path_factory.mktemp("jupyter")
    kernels = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        "XDG_CACHE_HOME": str(own / "cache"),
        "IPYTHONDIR": str(own / "ipython"),
        # Networks run for a few steps only; torch hardly moves on two threads where one core is busy.
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        "OMP_NUM_THREADS": "1",
    }

    def finish(name: str, settings: dict, results: dict[str, str]) -> SimpleNamespace:
        folder, notebook = tmp_path_factory.mktemp(name), read(name)
        lines = "\n".join(f"{key} = {value!r}" for key, value in settings.items())
        notebook.cells.insert(
            notebook.cells.index(tagged(notebook, "parameters")) + 1, nbformat.v4.new_code_cell(lines)
        )
        arrays = ", ".join(f"{key}={expression}" for key, expression in results.items())
        notebook.cells.append(nbformat.v4.new_code_cell(f"import numpy as np\nnp.savez('results.npz', {arrays})"))
        client = nbclient.NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        )
        client.execute(env=kernels)
        with np.load(folder / "results.npz") as made:
            return SimpleNamespace(folder=folder, notebook=notebook, results=dict(made))

    with pytest.MonkeyPatch.context() as patch:
        for kind in ("DATA", "CONFIG", "RUNTIME"):  # a user's own kernels and settings are left aside
            patch.setenv(f"JUPYTER_{kind}_DIR", str(own / kind.lower()))
        yield finish


def said(cell: nbformat.NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def pictures(cell: nbformat.NotebookNode) -> list[bytes]:
    found = (output.get("data", {}) for output in cell.outputs)
    return [base64.b64decode(data[kind]) for data in found for kind in ("image/jpeg", "image/png") if kind in data]


# --------------------------------------------------------------------------------------------------- what is committed


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


# --------------------------------------------------------------------------------------------------- what is installed


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


# ------------------------------------------------------------------------------------------------------------- training


@pytest.fixture(scope="module")
def training(run):
    every = [f"--config.{what}_every=2" for what in ("log", "sheet", "validate", "checkpoint")]
    settings = ["--config.total_steps=4", "--config.optimizer.critic_warmup_steps=1", *every]
    small = {"CONFIG": str(TINY), "SETTINGS": settings, "WORKDIR": "run", "KEEP_IN": "kept"}
    figures = {"steps": "list(table)", "losses": "[measured['loss/generator'] for measured in table.values()]"}
    return run("train_colab_tpu", small, figures)


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


# --------------------------------------------------------------------------------------------------------- anonymising


@pytest.fixture(scope="module")
def photos(run):
    settings = {"SEEDS": (3, 4), "STRENGTHS": (0.0, 0.5, 1.0), "KEEP": ["Male"], "SET": {"Bangs": 1}}
    results = {
        "photo": "photo",
        "box": "faces[0].box",
        "anonymised": "[result.image for result in results]",
        "chosen": "chosen.image",
        "attributes": "[list(values.values()) for values in (largest.before, largest.after)]",
        "names": "anonymizer.model.attribute_names",
        "between": "between",
        "strengths": "to_original",
        "weaker": "weaker",
        "outcomes": "[face.outcome for result in [*results, chosen] for face in result.faces]",
    }
    return run("anonymize_colab", settings, results)


def test_a_face_is_another_with_each_seed_and_the_rest_stays(photos):
    made = photos.results
    photo, results = made["photo"].astype(int), made["anonymised"].astype(int)
    assert list(made["outcomes"]) == ["anonymised"] * 3
    left, top, width, height = made["box"].astype(int)
    face = np.s_[top : top + height, left : left + width]
    for one, other in ((photo, results[0]), (photo, results[1]), (results[0], results[1])):
        assert np.abs(one[face] - other[face]).mean() > 3
    far = np.abs(photo - results[0]).max(-1)
    assert far[: max(0, top - height)].sum() + far[top + 2 * height :].sum() == 0
    assert far[:, left + 2 * width :].max() == 0


def test_what_is_kept_stays_and_what_is_set_is_so(photos):
    made = photos.results
    before, after = (dict(zip(made["names"], row, strict=True)) for row in made["attributes"])
    assert after["Male"] == before["Male"] and after["Mouth_Slightly_Open"] == before["Mouth_Slightly_Open"]
    assert after["Bangs"] == 1
    assert np.any(made["chosen"] != made["anonymised"][0])


def test_the_recogniser_finds_whom_less_strength_shows(photos):
    made = photos.results
    np.testing.assert_allclose(np.diag(made["between"]), 1, atol=1e-5)
    assert (made["between"][0, 1:] < DIFFERENT).all(), "the package would not have let them pass"
    zero, half, one = made["strengths"]
    assert zero > MATCH and half > MATCH and one < DIFFERENT
    np.testing.assert_array_equal(made["weaker"][-1], made["anonymised"][0])
    text = said(next(cell for cell in photos.notebook.cells if "to_original" in cell.source))
    assert re.search(r"strength +0\.0: .*the same person", text) and re.search(r"strength +1\.0: .*somebody", text)


def test_photos_are_shown_and_the_last_is_saved(photos):
    assert sum(len(pictures(cell)) for cell in photos.notebook.cells if cell.cell_type == "code") == 4
    with Image.open(photos.folder / "anonymized.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), photos.results["chosen"])


# ----------------------------------------------------------------------------------------------------------- converting


@pytest.fixture(scope="module")
def conversion(run):
    results = {"ours": "ours", "theirs": "theirs", "difference": "difference", "image": "image"}
    return run("convert_weights", {"STEPS": 40, "MODEL": "model"}, results)


def test_pytorch_and_jax_give_one_picture(conversion):
    made = conversion.results
    assert made["difference"] < 2e-5 and made["ours"].shape == (2, 64, 64, 3)
    np.testing.assert_allclose(made["ours"], made["theirs"], atol=2e-5)
    assert np.abs(made["ours"][0] - made["ours"][1]).max() > 0.1, "the attribute changes nothing"
    assert made["ours"].std() > 0.1
    compare = next(cell for cell in conversion.notebook.cells if "ours = " in cell.source)
    assert len(pictures(compare)) == 1 and "largest difference" in said(compare)
    converted = json.loads((conversion.folder / "model" / "model.json").read_text())
    assert converted["network"] == "attgan" and converted["source"]["file"] == "attgan.pth"
    told = next(cell for cell in conversion.notebook.cells if "as convert" in cell.source)
    assert "verified with the NumPy reference" in said(told)


def test_a_file_of_ones_own_is_converted_and_compared(monkeypatch, tmp_path, capsys):
    """As a training on several GPUs leaves it, of another size than the one that is taught."""
    monkeypatch.chdir(tmp_path)
    cells = {cell.id: cell.source for cell in read("convert_weights").cells}
    variables = {"FILE": "mine.pth", "MODEL": "model", "SIDE": 32, "STEPS": None}
    exec(cells["network"], variables)
    torch.manual_seed(1)
    generator = variables["Generator"](num_attributes=5, shortcut=2, inject=3, width=4, layers=5)
    torch.save({f"module.{name}": tensor for name, tensor in generator.state_dict().items()}, "mine.pth")
    for name in ("file", "convert", "compare"):
        exec(cells[name], variables)
    assert variables["arguments"] == dict(num_attributes=5, shortcut=2, inject=3, width=4, layers=5)
    assert variables["ours"].shape == (2, 32, 32, 3) and variables["difference"] < 1e-5
    assert "mine.pth: layout attgan" in capsys.readouterr().out and not Path("attgan.pth").exists()

    (tmp_path / "mine.pth").write_bytes(b"no weights")
    with pytest.raises(RuntimeError, match="was not converted"):
        exec(cells["convert"], variables)
