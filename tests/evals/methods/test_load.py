"""Methods by name."""

import numpy as np
import pytest

from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.evals.methods import load
from a3gan_jax.evals.methods.load import expand, load_method, method_names
from a3gan_jax.networks import ModelConfig
from tests.random_models import random_model

GALLERY = np.zeros((9, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def model() -> SavedModel:
    config = ModelConfig(64, ("Male", "Young"), 2, base=4, levels=2, z_dim=2, style_width=8, discriminator_base=2)
    return random_model(config)


@pytest.fixture(autouse=True)
def weights(model, monkeypatch):
    monkeypatch.setattr(load, "read_weights", lambda folder: (model, f"weights {folder}"))


def make(text: str, **options):
    return load_method(text, **{"weights": None, "seed": 7, "gallery": GALLERY, **options})


def test_every_name_makes_the_method_of_that_name():
    names = method_names()
    assert len(names) == len(set(names)) == 14
    for name in names:
        assert make(name).name == name


def test_the_description_tells_parameters_weights_and_seed():
    for name in ("a3gan", "a3gan-unchecked", "a3gan-no-scu", "a3gan-no-ainet", "random-edit"):
        description = make(name, weights="runs/a").description
        assert "weights runs/a" in description and "seed 7" in description and "\n" not in description
    assert "0.05 of the face's width" in make("blur:0.05").description
    assert "4 nearest of 9" in make("ksame:4").description


def test_parameters_are_read_and_names_normal():
    names = {"blur:0.20": "blur:0.2", "pixelate:12": "pixelate:12", "ksame:3": "ksame:3", "a3gan:0.50": "a3gan:0.5"}
    names |= {"a3gan:expression": "a3gan:expression", "a3gan:none": "a3gan"}
    for text, name in {**names, "a3gan:1": "a3gan"}.items():
        assert make(text).name == name


def test_folders_and_functions_are_methods(tmp_path):
    assert make(f"folder:{tmp_path}").name == f"folder:{tmp_path}"
    assert make("numpy.linalg:norm").name == "numpy.linalg:norm"


def test_lists_of_names():
    assert expand("identity, blur,pixelate:3,identity") == (
        "identity",
        "blur:0.05",
        "blur:0.1",
        "blur:0.15",
        "pixelate:3",
    )
    assert expand("all") == method_names()
    with pytest.raises(ValueError, match="no method: name some of identity"):
        expand(" , ")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("blackbx", r"unknown method blackbx \(nearest: blackbox\)"),
        ("A3GAN", r"nearest: a3gan\)"),
        ("pixellate:8", r"nearest: pixelate:BLOCKS"),
        ("folder:", r"nearest: folder:PATH"),
        ("identity:3", r"nearest: identity"),
        ("xyzzy", r"there are: identity, .*package.module:function"),
        ("blur", "blur needs a parameter, such as blur:0.05 or"),
        ("blur:strong", "blur:strong has 'strong' where blur needs a number"),
        ("pixelate:2.5", "pixelate:2.5 has '2.5' where pixelate needs a whole number"),
        ("a3gan:", "a3gan: has '' where a3gan needs a number"),
        ("a3gan:2", r"strength in \(0, 1\], not 2"),
        ("ksame:9", "ksame:9 needs 2 <= k"),
    ],
)
def test_what_is_no_method_is_told_with_the_nearest(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        make(text)


def test_ksame_needs_a_gallery():
    with pytest.raises(ValueError, match="ksame:5 needs a gallery"):
        make("ksame:5", gallery=None)
