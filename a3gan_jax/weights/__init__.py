"""The weights that come with the package, one ``NAME.npz`` and one ``NAME.json`` each; ``NAME.md`` is the card.

Large arrays are kept in half precision. Of the shipped weights that moved no pixel of 64 CelebA faces by more than one
level of 255 (seen once, when they were packed). They are read without network access, pickles or anything that runs.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util

from a3gan_jax.checkpoint import SavedModel, load_model
from a3gan_jax.networks import ModelConfig

FOLDER = Path(__file__).parent
DEFAULT = "celeba"
#: Arrays of up to so many values (biases, norms, the learned constant) stay in float32: they cost nothing.
SMALL = 4096


def read_model(weights: str | Path | None = None) -> SavedModel:
    """A model by its folder, or the workdir of a training; or one of the package by its name (None: ``DEFAULT``).

    Raises:
        FileNotFoundError: it is none of them, or the workdir has no checkpoint yet.
        ValueError: the model was written in a newer format, or the package's file is damaged.
    """
    if weights is not None and Path(weights).exists():
        return load_model(weights)
    return packaged_model(str(weights or DEFAULT), FOLDER)


def packaged_model(name: str = DEFAULT, folder: Path = FOLDER) -> SavedModel:
    """One of the models that come with the package; arrays are float32.

    Raises:
        FileNotFoundError: there is no model of this name; lists those there are.
        ValueError: the file of weights is not the one that the description was written for.
    """
    description = folder / f"{name}.json"
    if not description.exists():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(
            f"{name} is neither a model nor the workdir of a training, nor weights of this package (there are: {known})"
        )
    facts = json.loads(description.read_text())
    variables = read_variables(folder / f"{name}.npz", facts["sha256"])
    return SavedModel(ModelConfig.from_dict(facts["networks"]), variables, facts["step"])


def read_variables(file: Path, sha256: str) -> dict[str, Any]:
    """Variables of a network, float32, from a file of arrays that are named by their paths.

    Raises:
        ValueError: the file has another sha256.
    """
    content = file.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(f"{file.name} has sha256 {found}, expected {sha256}: it is damaged; install a3gan-jax anew")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        flat = {path: arrays[path].astype(np.float32) for path in arrays.files}
    return traverse_util.unflatten_dict(flat, sep="/")


def pack(model: SavedModel, name: str, folder: Path = FOLDER) -> Path:
    """Writes a model as ``packaged_model`` reads it; returns the file of weights.

    Raises:
        ValueError: a weight does not fit into half precision; names it.
    """
    packed = {}
    for path, leaf in traverse_util.flatten_dict(model.variables, sep="/").items():
        leaf = np.asarray(leaf, np.float32)
        with np.errstate(over="ignore"):
            packed[path] = leaf.astype(np.float16) if leaf.size > SMALL else leaf
        if not np.isfinite(packed[path]).all():
            raise ValueError(f"{path} holds values that half precision cannot, or that are not finite")
    file = folder / f"{name}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **packed)
    file.write_bytes(buffer.getvalue())
    facts = {
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "step": int(model.step),
        "networks": model.config.to_dict(),
    }
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")
    return file
