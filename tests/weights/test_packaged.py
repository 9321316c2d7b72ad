"""Weights of the package: what was packed comes back, nearly exact and checked."""

import json

import jax
import numpy as np
import pytest

from a3gan_jax import weights
from a3gan_jax.checkpoint import export_model
from a3gan_jax.networks import ModelConfig
from a3gan_jax.weights import pack, packaged_model, read_model
from tests.random_models import random_model

CONFIG = ModelConfig(64, ("Male", "Smiling"), num_people=2, base=8, levels=2, z_dim=4, style_width=8)


@pytest.fixture(scope="module")
def model():
    return random_model(CONFIG, scale=0.1, step=7)


def test_a_packed_model_comes_back(model, tmp_path):
    pack(model, "small", tmp_path)
    back = packaged_model("small", tmp_path)
    assert (back.config, back.step) == (CONFIG, 7)
    assert jax.tree.structure(back.variables) == jax.tree.structure(model.variables)
    exact = 0
    for ours, theirs in zip(jax.tree.leaves(back.variables), jax.tree.leaves(model.variables), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=2**-11, atol=2**-24)
        exact += np.array_equal(ours, theirs)
    assert 0 < exact < len(jax.tree.leaves(model.variables))


def test_a_changed_file_is_refused(model, tmp_path):
    file = pack(model, "small", tmp_path)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="sha256"):
        packaged_model("small", tmp_path)


def test_an_unknown_name_lists_what_there_is(model, tmp_path):
    pack(model, "small", tmp_path)
    with pytest.raises(FileNotFoundError, match="there are: small"):
        packaged_model("large", tmp_path)


def test_a_model_is_found_by_its_folder_or_its_name_in_the_package(model, tmp_path, monkeypatch):
    pack(model, "small", tmp_path / "package")
    monkeypatch.setattr(weights, "FOLDER", tmp_path / "package")
    monkeypatch.setattr(weights, "DEFAULT", "small")
    export_model(tmp_path / "model", CONFIG, model.variables, 8)
    assert [read_model(name).step for name in (None, "small", tmp_path / "model")] == [7, 7, 8]
    with pytest.raises(FileNotFoundError, match="neither a model nor .*there are: small"):
        read_model("large")


@pytest.mark.parametrize("value", [1e6, np.nan])
def test_what_half_precision_cannot_hold_is_refused(value, model, tmp_path):
    variables = jax.tree.map(np.copy, model.variables)
    largest = max(jax.tree.leaves(variables), key=np.size)
    largest.flat[3] = value
    with pytest.raises(ValueError, match="half precision cannot"):
        pack(model._replace(variables=variables), "small", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_packages_weights_are_small_and_whole():
    files = sorted(weights.FOLDER.glob("*.npz"))
    assert sum(file.stat().st_size for file in files) <= 16 << 20
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            assert all(np.isfinite(arrays[name]).all() for name in arrays.files)
        commands = 1 if file.stem == "face_contour" else 2
        card = (weights.FOLDER / f"{file.stem}.md").read_text()
        assert card.count("python -m") >= commands, "a card gives its commands"
    models = [file for file in files if file.stem != "face_contour"]
    assert [file.stem for file in models] == ["celeba", "fairface"]
    for file in models:
        model = packaged_model(file.stem)
        assert {"generator", "ainet", "discriminator"} == set(model.variables)
        assert json.loads((weights.FOLDER / f"{file.stem}.json").read_text())["step"] == model.step
