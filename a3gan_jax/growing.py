"""A trained model as the start of a larger one: more attributes, or twice the image size by one more outer stage.

What the smaller model has learned about people lies in the inner stages, which stay as they are; the outer stage is new
and learns to bring their work to the finer pixels (progressive growing, arXiv 1710.10196, without its fade: the new
stage is learned from the first step on).
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

    ``config`` may have attributes that the trained model does not know, which say nothing at first; and it may have
    twice the image size, one level more, and half the ``base`` and ``discriminator_base``, so that the inner stages
    are the trained model's.

    Args:
        fresh: random variables of ``generator``, ``ainet`` and ``discriminator``, for ``config``.
        trained: the same three, for ``trained_config``.

    Raises:
        ValueError: the trained model does not fit in so; names what does not.
    """
    stages = config.levels - trained_config.levels
    if stages not in (0, 1) or config.image_size != trained_config.image_size << stages:
        raise ValueError(
            f"a model of {trained_config.image_size} px with {trained_config.levels} levels grows to twice the size "
            f"with one level more, not to {config.image_size} px with {config.levels}"
        )
    if unknown := [name for name in trained_config.attributes if name not in config.attributes]:
        raise ValueError(f"the model to start from has attributes that are not asked for: {', '.join(unknown)}")
    known = {keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(dict(trained))}
    places = np.array([config.attributes.index(name) for name in trained_config.attributes])
    taken, differing = set(), []

    def take(path: tuple, new: Any) -> Any:
        name = keystr(path)
        source = _inner(name, trained_config.levels) if stages else name
        if source is None:
            return new
        taken.add(source)
        old = known.get(source)
        if old is not None:
            old = _with_attributes(name, old, places, len(config.attributes))
        if old is None or old.shape != new.shape:
            differing.append(f"{name} {new.shape}")
            return new
        return jnp.asarray(old, new.dtype)

    result = jax.tree_util.tree_map_with_path(take, dict(fresh))
    if not stages:
        differing += sorted(known.keys() - taken)
    if differing:
        raise ValueError(
            f"the model to start from has other networks, at {', '.join(differing[:3])} and {len(differing)} places in "
            "all: set config.model as it was trained; to double image_size, one level more and half of base and "
            "discriminator_base"
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


def _inner(name: str, levels: int) -> str | None:
    """Where a parameter of a model with one level more lies in one with ``levels``; None: it is new.

    Encoder and discriminator count from the image inwards, so theirs move by one; SCUs and decoder count from the
    deepest outwards.
    """
    found = re.search(r"\['(Conv|GroupNorm|unit)_(\d+)'\]", name)
    if found is None:
        return name
    kind, number = found[1], int(found[2])
    outward = "decoder" in name or kind == "unit"
    first_new = levels if outward else {"Conv": 2, "GroupNorm": 1}[kind]
    if (number >= first_new) if outward else (number < first_new):
        return None
    return name if outward else name.replace(f"{kind}_{number}", f"{kind}_{number - 1}", 1)
