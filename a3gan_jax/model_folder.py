"""A folder that holds one model: ``model.json`` says which, ``variables/`` are its arrays as an Orbax checkpoint.

It appears whole or not at all: what is written lies beside it under a hidden name until it is complete, and has no
``model.json`` until it lies in its place.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

MODEL_FORMAT = 1
_UNFINISHED = "model.json.new"  # nothing reads it: a folder becomes a model in one renaming, the last one
_CONTENT = {"model.json", "variables"}


def write_model_folder(
    directory: str | Path, variables: Any, description: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Writes a model folder.

    Args:
        directory: the folder.
        variables: a tree of arrays.
        description: what ``model.json`` says, plain values.
        overwrite: takes the place of an older model.

    Raises:
        FileExistsError: the folder exists and is not a model and nothing else, or must not be overwritten.
    """
    directory = Path(directory).absolute()
    new, old = (directory.with_name(f".{directory.name}.{kind}") for kind in ("new", "old"))
    if _is_unfinished(directory):  # killed before the last renaming below
        shutil.rmtree(directory)
    if old.exists() and not directory.exists():
        old.rename(directory)
    check_target(directory, overwrite)
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        # Compressing would hold a third copy of all arrays, to make them a sixth smaller.
        handler = ocp.PyTreeCheckpointHandler(use_compression=False, multiprocessing_options=_alone())
        with ocp.Checkpointer(handler, multiprocessing_options=_alone()) as checkpointer:
            checkpointer.save(new / "variables", args=ocp.args.PyTreeSave(variables))
        (new / _UNFINISHED).write_text(json.dumps(description, indent=2) + "\n")
        if directory.exists():
            directory.rename(old)
        new.rename(directory)
        os.replace(directory / _UNFINISHED, directory / "model.json")
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        if _is_unfinished(directory):
            shutil.rmtree(directory, ignore_errors=True)
        if old.exists() and not directory.exists():
            old.rename(directory)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _alone() -> ocp.options.MultiprocessingOptions:
    """Orbax shall not wait for other processes of a run: they write nothing."""
    process = jax.process_index()
    return ocp.options.MultiprocessingOptions(primary_host=process, active_processes={process})


def _is_unfinished(directory: Path) -> bool:
    return directory.is_dir() and {path.name for path in directory.iterdir()} == {_UNFINISHED, "variables"}


def check_target(directory: Path, overwrite: bool) -> None:
    """FileExistsError where ``write_model_folder`` would refuse; a training's workdir is no model alone."""
    if (not directory.exists() and not directory.is_symlink()) or _is_unfinished(directory):
        return
    if not directory.is_dir() or {path.name for path in directory.iterdir()} != _CONTENT:
        raise FileExistsError(f"{directory} exists and is not a model (model.json, variables): choose another folder")
    if not overwrite:
        raise FileExistsError(f"{directory} is a model already: choose another folder, or replace it with --overwrite")


def read_description(directory: Path) -> dict[str, Any]:
    """What ``model.json`` says.

    Raises:
        FileNotFoundError: the folder has none.
        ValueError: it was written in a newer format, or is damaged.
    """
    path = directory / "model.json"
    if not path.exists():
        raise FileNotFoundError(f"{directory} is neither a model nor the workdir of a training (it has no model.json)")
    description = json.loads(path.read_text())
    if not isinstance(description, dict) or not isinstance(description.get("format"), int):
        raise ValueError(f"{path} does not describe a model")
    if description["format"] > MODEL_FORMAT:
        raise ValueError(
            f"{directory} has model format {description['format']} and this version reads up to {MODEL_FORMAT}: "
            "update a3gan-jax"
        )
    return description


def read_arrays(path: Path, select: Callable[[Any], Any] = lambda tree: tree) -> Any:
    """The arrays of an Orbax checkpoint, on the host; of the tree only the part that ``select`` returns is read."""
    handler = ocp.PyTreeCheckpointHandler()
    wanted = select(handler.metadata(path).tree)
    restore_args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
    return handler.restore(
        path, args=ocp.args.PyTreeRestore(item=wanted, restore_args=restore_args, partial_restore=True)
    )


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    os.replace(temporary, path)
