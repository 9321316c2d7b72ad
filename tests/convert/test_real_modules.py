"""--verify with the peer's own module: right conversions agree, wrong ones do not, a missing project is no error."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from a3gan_jax.convert.layouts import LAYOUTS, build
from a3gan_jax.convert.reference.real_modules import compare_with_module
from a3gan_jax.convert.torch_file import read_tensors
from tools import convert


@pytest.fixture
def facenet_pytorch(monkeypatch):
    """Importable: its detector alone needs torchvision, which a plain module stands for."""
    monkeypatch.setitem(sys.modules, "torchvision.transforms", SimpleNamespace(functional=None))
    monkeypatch.setitem(sys.modules, "torchvision.ops.boxes", SimpleNamespace(batched_nms=None))


def wheel(name: str) -> Path:
    folder = importlib.util.find_spec("facenet_pytorch").submodule_search_locations[0]
    return Path(folder, "data", f"{name}.pt")


@pytest.mark.parametrize("name", ["pnet", "rnet", "onet"])
def test_the_real_weights_agree_with_the_real_module(facenet_pytorch, name):
    layout, tensors = LAYOUTS[f"mtcnn_{name}"], read_tensors(wheel(name))
    network, _, variables = build(layout, tensors)
    assert compare_with_module(layout, tensors, network, variables) < 1e-5
    wrong = jax.tree.map(np.copy, variables)
    wrong["params"]["conv2"]["kernel"] = wrong["params"]["conv2"]["kernel"][::-1]
    assert compare_with_module(layout, tensors, network, wrong) > 1e-3


def test_tensors_of_another_network_are_refused(facenet_pytorch):
    layout, tensors = LAYOUTS["mtcnn_rnet"], read_tensors(wheel("rnet"))
    network, _, variables = build(layout, tensors)
    missing = {name: tensor for name, tensor in tensors.items() if name != "conv1.bias"}
    with pytest.raises(ValueError, match="RNet of facenet-pytorch does not take the tensors.*conv1.bias"):
        compare_with_module(layout, missing, network, variables)


def test_verify_names_both(facenet_pytorch, tmp_path, capsys):
    assert convert.main([str(wheel("rnet")), "--to", str(tmp_path / "rnet"), "--verify"]) == 0
    said = capsys.readouterr().out
    assert "NumPy reference" in said and "original module" in said


def test_what_is_not_installed_is_left_out(monkeypatch):
    layout, tensors = LAYOUTS["mtcnn_rnet"], read_tensors(wheel("rnet"))
    network, _, variables = build(layout, tensors)
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    assert compare_with_module(layout, tensors, network, variables) is None
