"""Models become their mean, or nothing is written."""

import dataclasses
import re

import jax
import numpy as np
import pytest

from a3gan_jax.checkpoint import export_model, load_model
from a3gan_jax.networks import ModelConfig
from tests.random_models import random_model
from tools import average_models

CONFIG = ModelConfig(
    64, ("Male", "Smiling"), num_people=2, base=4, levels=2, z_dim=4, style_width=8, discriminator_base=2
)


@pytest.fixture
def models(tmp_path):
    """Two models of the same networks and one of narrower ones, each in its folder."""
    narrower = dataclasses.replace(CONFIG, base=2)
    made = random_model(CONFIG, 0.2, step=3), random_model(CONFIG, 0.6, step=9), random_model(narrower)
    for name, model in zip(("first", "second", "narrower"), made, strict=True):
        export_model(tmp_path / name, model.config, model.variables, model.step)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys, models):
    def run(*names: str) -> tuple[int, str]:
        paths = [str(models / name) for name in names]
        monkeypatch.setattr("sys.argv", ["average_models", *paths, f"--to={models / 'mean'}"])
        return average_models.main(), capsys.readouterr().err

    return run


def test_every_array_is_the_mean(run, models):
    assert run("first", "second") == (0, "")
    first, second, mean = (load_model(models / name) for name in ("first", "second", "mean"))
    assert mean.config == CONFIG and mean.step == 9
    expected = jax.tree.map(lambda a, b: (a + b) / 2, first.variables, second.variables)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8), mean.variables, expected)
    assert {array.dtype for array in jax.tree.leaves(mean.variables)} == {np.dtype(np.float32)}


def test_the_mean_of_equal_models_is_that_model(run, models):
    assert run("first", "first", "first") == (0, "")
    jax.tree.map(
        np.testing.assert_array_equal, load_model(models / "mean").variables, load_model(models / "first").variables
    )


@pytest.mark.parametrize(
    "names, cause",
    [
        (("first", "narrower"), r"model 2 has other networks than the first: base \(4, 2\)"),
        (("first",), "name at least two"),
        (("first", "missing"), "missing"),
    ],
)
def test_what_does_not_go_together_is_refused(run, models, names, cause):
    code, said = run(*names)
    assert code == 2
    assert re.search(cause, said)
    assert not (models / "mean").exists()


def test_what_is_there_stays(run, models):
    (models / "narrower").rename(models / "mean")
    code, said = run("first", "second")
    assert code == 2 and "mean exists: choose another folder" in said
    assert load_model(models / "mean").config.base == 2
