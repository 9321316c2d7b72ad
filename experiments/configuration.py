"""Configurations by name, with overrides: ``--config=NAME_OR_PATH --config.key=value``."""

import ast
import difflib
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from a3gan_jax import attributes
from a3gan_jax.convert.layouts.yunet import load_yunet
from a3gan_jax.convert.recognizers import load_recognizer
from a3gan_jax.generator_objective import DETECTOR
from a3gan_jax.models.layers import resolve_conv_form
from a3gan_jax.networks import ModelConfig, Networks
from a3gan_jax.train_state import Setup
from a3gan_jax.training_config import LossConfig, OptimizerConfig

CONFIGS = Path(__file__).parent / "configs"


def find_config(name: str) -> Path:
    """The file of a configuration: a path as it stands, or a name (``.py`` may be left out) in experiments/configs/.

    Raises:
        ValueError: there is neither; names the nearest one.
    """
    for path in (Path(name), CONFIGS / name, CONFIGS / f"{name}.py"):
        if path.is_file():
            return path.absolute()
    known = sorted(path.name for path in CONFIGS.glob("[!_]*.py"))
    raise ValueError(f"no configuration {name!r}: {_nearest(name, known)} (or the path of a file of your own)")


def load_config(name: str, overrides: Iterable[str] = ()) -> ConfigDict:
    """Runs ``get_config()`` of the file and applies overrides ``key=value`` or ``group.key=value``, each in the type
    of the value that it replaces.

    Returns a locked ConfigDict: reading or setting an unknown key is an error.

    Raises:
        ValueError: no such file, key or type; the message names the nearest key.
    """
    path = find_config(name)
    spec = importlib.util.spec_from_file_location(f"a3gan_config_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise ValueError(f"{path} has no get_config()")
    config = module.get_config().lock()
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ValueError(f"{override!r} has no value: write --config.{override}=VALUE")
        _set(config, key, text)
    return config


def create_setup(config: ConfigDict, num_people: int) -> tuple[Setup, dict[str, Any]]:
    """What a configuration asks for, and the variables of the frozen networks by name: the recognisers that the
    generator learns to defeat, and the detector whose points it learns to keep.

    Args:
        config: of a run, see configs/default.py.
        num_people: whom the identity critic learns to name.

    Raises:
        ValueError: sizes that do not fit together, an unknown attribute or recogniser, two recognisers of one name.
    """
    names = attributes.vocabulary(config.attributes)
    model = ModelConfig(image_size=config.image_size, attributes=names, num_people=num_people, **config.model)
    recognizers = [load_recognizer(name, conv=model.conv) for name in config.recognizers]
    frozen = {recognizer.name: variables for recognizer, variables in recognizers}
    if len(frozen) < len(recognizers) or DETECTOR in frozen:
        raise ValueError(
            f"two recognisers of {config.recognizers} have one name, or one is {DETECTOR}: rename a folder"
        )
    loss, optimizer = LossConfig(**config.loss), OptimizerConfig(**config.optimizer)
    defeated, detector = tuple(recognizer for recognizer, _ in recognizers), None
    if loss.landmarks:
        detector, frozen[DETECTOR] = load_yunet(resolve_conv_form(model.conv))
    return Setup(Networks.create(model), defeated, loss, optimizer, config.total_steps, detector), frozen


def split_overrides(arguments: Sequence[str]) -> list[str]:
    """``key=value`` out of arguments ``--config.key=value``.

    Raises:
        ValueError: an argument of another form.
    """
    overrides = []
    for argument in arguments:
        if not argument.startswith("--config."):
            raise ValueError(f"unknown argument {argument!r}: settings are given as --config.KEY=VALUE")
        overrides.append(argument.removeprefix("--config."))
    return overrides


def _set(config: ConfigDict, key: str, text: str) -> None:
    *groups, last = key.split(".")
    node, trail = config, ""
    for part in groups:
        node, trail = _look_up(node, part, trail, config)
    old, _ = _look_up(node, last, trail, config)
    if isinstance(old, ConfigDict):
        raise ValueError(f"--config.{key} is a group: set one of {', '.join(f'{key}.{name}' for name in sorted(old))}")
    node[last] = _parse(key, text, old)


def _look_up(node: Any, part: str, trail: str, config: ConfigDict) -> tuple[Any, str]:
    if isinstance(node, ConfigDict) and part in node:
        return node[part], f"{trail}{part}."
    known = sorted(_keys(config))
    raise ValueError(f"no setting {trail + part!r}: {_nearest(trail + part, known)}")


def _keys(config: ConfigDict, prefix: str = "") -> Iterable[str]:
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            yield from _keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def _nearest(name: str, known: Sequence[str]) -> str:
    """The most similar of the known names; of a dotted one its last part counts, too."""

    def likeness(candidate: str) -> float:
        pairs = ((name, candidate), (name.split(".")[-1], candidate.split(".")[-1]))
        return max(difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs)

    return f"did you mean {max(known, key=likeness)!r}?"


def _parse(key: str, text: str, old: Any) -> Any:
    """``text`` as a value of the type of ``old``."""
    if isinstance(old, str):
        return text
    try:
        value = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (SyntaxError, ValueError):
        value = text
    if isinstance(old, float) and type(value) is int:
        value = float(value)
    if isinstance(old, int) and not isinstance(old, bool) and isinstance(value, float) and value.is_integer():
        value = int(value)  # 1e5 steps
    if isinstance(old, tuple) and isinstance(value, list):
        value = tuple(value)
    if old is not None and type(value) is not type(old):
        raise ValueError(f"--config.{key}={text} is not of type {type(old).__name__} (the default is {old!r})")
    return value
