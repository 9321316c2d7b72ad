"""Finding configurations and overriding their values."""

from pathlib import Path

import jax.numpy as jnp
import pytest

from a3gan_jax.attributes import vocabulary
from a3gan_jax.generator_objective import DETECTOR
from a3gan_jax.networks import ModelConfig, Networks
from a3gan_jax.training_config import LossConfig, OptimizerConfig
from experiments.configuration import CONFIGS, create_setup, find_config, load_config, split_overrides


@pytest.fixture
def own(tmp_path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(
        "from ml_collections import ConfigDict\n"
        "def get_config():\n"
        "    return ConfigDict(dict(steps=10, rate=0.5, flip=True, names=('a',), root='', data=dict(threads=2)))\n"
    )
    return path


def test_a_name_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("default.py") == find_config("default") == CONFIGS / "default.py"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("[!_]*.py")), ids=lambda path: path.name)
def test_every_configuration_can_be_built(path):
    config = load_config(str(path))
    assert config.keys() == load_config("default").keys()
    names = vocabulary(config.attributes)
    Networks.create(ModelConfig(config.image_size, names, num_people=1, **config.model))
    LossConfig(**config.loss)
    OptimizerConfig(**config.optimizer)


def test_an_unknown_name_suggests_the_nearest(own):
    with pytest.raises(ValueError, match=r"did you mean 'default\.py'"):
        find_config("defualt")


def test_overrides_take_the_type_of_what_they_replace(own):
    overrides = ["steps=1e3", "rate=2", "flip=false", "names=('b', 'c')", "root=3", "data.threads=0"]
    config = load_config(str(own), overrides)
    assert config.to_dict() == {
        "steps": 1000,
        "rate": 2.0,
        "flip": False,
        "names": ("b", "c"),
        "root": "3",
        "data": {"threads": 0},
    }
    assert isinstance(config.steps, int) and isinstance(config.rate, float)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stpes=3", "no setting 'stpes': did you mean 'steps'"),
        ("data.thread=3", r"no setting 'data\.thread': did you mean 'data\.threads'"),
        ("threads=3", r"did you mean 'data\.threads'"),
        ("steps.more=3", r"no setting 'steps\.more'"),
        ("steps=many", "not of type int"),
        ("steps=1.5", "not of type int"),
        ("flip=1", "not of type bool"),
        ("data=3", r"a group: set one of data\.threads"),
        ("steps", "has no value"),
    ],
)
def test_a_wrong_override_says_what_is_wrong(own, override, message):
    with pytest.raises(ValueError, match=message):
        load_config(str(own), [override])


def test_a_file_without_get_config_is_named(tmp_path):
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ValueError, match=r"empty\.py has no get_config"):
        load_config(str(tmp_path / "empty.py"))


def test_only_settings_may_follow():
    assert split_overrides(["--config.a.b=c=d", "--config.x=1"]) == ["a.b=c=d", "x=1"]
    with pytest.raises(ValueError, match="--wrkdir=x"):
        split_overrides(["--wrkdir=x"])


def test_a_detector_is_there_where_points_shall_be_kept():
    setup, frozen = create_setup(load_config("default.py", ["recognizers=()"]), num_people=3)
    assert setup.detector is None and not frozen
    setup, frozen = create_setup(load_config("default.py", ["recognizers=()", "loss.landmarks=1"]), num_people=3)
    assert list(frozen) == [DETECTOR]
    assert setup.detector.apply(frozen[DETECTOR], jnp.zeros((1, 64, 64, 3))).points.shape == (1, 64 + 16 + 4, 5, 2)
