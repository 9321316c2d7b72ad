"""A trained model as the start of a larger one: more attributes, or twice the image size by one more detail stage.

A stage that is new adds nothing (``generator.DetailStage``), so that a grown model does at first what the smaller one
does, and shows it enlarged: after progressive growing (arXiv 1710.10196), without its fade.
"""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr

from a3gan_jax.networks import ModelConfig
from a3gan_jax.train_state import TrainState

STARTED = ("generator", "ainet", "discriminator")

#: Parameters with a row or column for each attribute: pattern of the path -> how many blocks of K rows its kernel has.
_INPUTS = {r"generator.*style_0.*kernel": 2, r"ainet.*Dense_0.*kernel": 2}
_OUTPUTS = r"ainet.*Dense_2|discriminator.*attributes"


def start_from(
    state: TrainState, config: ModelConfig, trained: Mapping[str, Any], trained_config: ModelConfig
) -> TrainState:
    """A fresh state for ``config`` whose generator, AINet and discriminator are a trained model's, see ``grown``;
    optimisers and identity critic begin anew."""
    variables = grown({name: getattr(state, name) for name in STARTED}, trained, config, trained_config)
    ema = {name: jax.tree.map(jnp.copy, variables[name]) for name in state.ema}
    return state.replace(ema=ema, **variables)


def grown(
    fresh: Mapping[str, Any], trained: Mapping[str, Any], config: ModelConfig, trained_config: ModelConfig
) -> dict[str, Any]:
    """Variables by network for ``config``, made of those of a smaller trained model and, where it has none, fresh ones.

    ``config`` may have attributes that the trained model does not know, which say nothing at first; and it may double
    the image once more than the trained model, by ``details``.

    Args:
        fresh: random variables of ``generator``, ``ainet`` and ``discriminator``, for ``config``.
        trained: the same three, for ``trained_config``.

    Raises:
        ValueError: the trained model does not fit in so; names what does not.
    """
    stages = config.details - trained_config.details
    if stages not in (0, 1) or config.image_size != trained_config.image_size << stages:
        raise ValueError(
            f"a model of {trained_config.image_size} px and {trained_config.details} details grows to twice the size "
            f"with one more, not to {config.image_size} px and {config.details} details"
        )
    if unknown := [name for name in trained_config.attributes if name not in config.attributes]:
        raise ValueError(f"the model to start from has attributes that are not asked for: {', '.join(unknown)}")
    known = {keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(dict(trained))}
    places = np.array([config.attributes.index(name) for name in trained_config.attributes])
    taken, differing = set(), []

    def take(path: tuple, new: Any) -> Any:
        name = keystr(path)
        if stages and re.search(rf"details_{trained_config.details}(?!\d)", name):
            return new
        taken.add(name)
        old = known.get(name)
        if old is not None:
            old = _with_attributes(name, old, places, len(config.attributes))
        if old is None or old.shape != new.shape:
            differing.append(f"{name} {new.shape}")
            return new
        return jnp.asarray(old, new.dtype)

    result = jax.tree_util.tree_map_with_path(take, dict(fresh))
    differing += sorted(known.keys() - taken)
    if differing:
        raise ValueError(
            f"the model to start from has other networks, at {', '.join(differing[:3])} and {len(differing)} places in "
            "all: set config.model as it was trained; to double image_size, with one more of details"
        )
    return result


def _with_attributes(name: str, old: Any, places: np.ndarray, count: int) -> Any:
    """A leaf with rows or columns for ``count`` attributes, the old ones at ``places``; the new ones are zero."""
    for pattern, blocks in _INPUTS.items():
        if re.search(pattern, name):
            split = [old[i * len(places) : (i + 1) * len(places)] for i in range(blocks)]
            wide = [jnp.zeros((count, *old.shape[1:]), old.dtype).at[places].set(part) for part in split]
            return jnp.concatenate([*wide, old[blocks * len(places) :]])
    if re.search(_OUTPUTS, name):
        return jnp.zeros((*old.shape[:-1], count), old.dtype).at[..., places].set(old)
    return old
