"""The notebook that converts PyTorch weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.experiments.notebooks.notebook import pictures, read, said


@pytest.fixture(scope="module")
def conversion(run_notebook):
    results = {"ours": "ours", "theirs": "theirs", "difference": "difference", "image": "image"}
    return run_notebook("convert_weights", {"STEPS": 40, "MODEL": "model"}, results)


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
