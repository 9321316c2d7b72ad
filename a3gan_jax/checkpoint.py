"""What a run leaves on disk: its configuration, its checkpoints, and a model that can be used without the run.

A workdir holds ``config.json``, ``model.json`` and ``checkpoints/STEP/``; a model folder holds ``model.json`` and
``variables/``. Each appears whole or not at all: a process that is killed while it writes leaves at most a
temporary file or folder behind.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import grain
import jax
import orbax.checkpoint as ocp

from a3gan_jax.model_folder import MODEL_FORMAT, read_arrays, read_description, write_model_folder, write_text
from a3gan_jax.networks import ModelConfig

#: Settings that a run may change where it goes on: its results do not depend on them.
FREE = ("mesh.", "data.threads")


class WorkdirMismatch(ValueError):
    """A workdir belongs to a run with another configuration."""


class Checkpoints:
    """The newest few checkpoints of a run: the whole training state and the position in the data, together.

    Saving copies the state and returns; the writing goes on beside the training. Use as a context manager, so that
    the last write is finished before the process ends.
    """

    def __init__(self, workdir: str | Path, keep: int = 2):
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            enable_async_checkpointing=True,
            cleanup_tmp_directories=True,  # what a killed process left half written
        )
        self._manager = ocp.CheckpointManager(_checkpoint_folder(workdir), options=options)

    def latest_step(self) -> int | None:
        """The step of the newest checkpoint, None if there is none."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any, iterator: grain.DatasetIterator) -> None:
        """Starts writing a checkpoint; does nothing if this step already has one.

        Of the iterator the first process's state is kept: that of ``data.pipeline.face_batches`` is the same in all.
        """
        if step == self.latest_step():
            return
        items = ocp.args.Composite(state=ocp.args.StandardSave(state), data=ocp.args.JsonSave(iterator.get_state()))
        self._manager.save(step, args=items)

    def restore(self, abstract_state: Any, shardings: Any, iterator: grain.DatasetIterator) -> tuple[int, Any]:
        """Reads the newest checkpoint.

        Args:
            abstract_state: what ``jax.eval_shape`` returns for the state.
            shardings: a sharding for each of its leaves; the run that saved may have used others, and other processes.
            iterator: is set to the position that was saved.

        Returns:
            The step and the state.
        """
        step = self.latest_step()
        target = jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
            abstract_state,
            shardings,
        )
        items = ocp.args.Composite(state=ocp.args.StandardRestore(target), data=ocp.args.JsonRestore())
        restored = self._manager.restore(step, args=items)
        iterator.set_state(restored.data)
        return step, restored.state

    def wait(self) -> None:
        """Returns when everything saved is on disk."""
        self._manager.wait_until_finished()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._manager.close()


def _checkpoint_folder(workdir: str | Path) -> Path:
    return Path(workdir).absolute() / "checkpoints"


def _steps(workdir: str | Path) -> list[int]:
    """Of the finished checkpoints."""
    folder = _checkpoint_folder(workdir)
    return ocp.utils.checkpoint_steps(folder) if folder.exists() else []


def claim_workdir(workdir: str | Path, config: Mapping[str, Any]) -> None:
    """Makes the workdir and keeps the configuration in it; once there is a checkpoint, checks that it is the same, but
    for what is ``FREE``.

    Raises:
        WorkdirMismatch: the workdir belongs to a run with another configuration; names every differing key.
    """
    path = Path(workdir) / "config.json"
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    if not path.exists() or not _steps(workdir):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        return
    kept, given = _flatten(json.loads(path.read_text())), _flatten(json.loads(text))
    differing = [
        f"  {key}: {kept.get(key, 'absent')!r} in the workdir, {given.get(key, 'absent')!r} now"
        for key in sorted(kept.keys() | given.keys())
        if not key.startswith(FREE) and (key not in kept or key not in given or kept[key] != given[key])
    ]
    if differing:
        raise WorkdirMismatch(
            f"{path.parent} belongs to a run with another configuration:\n"
            + "\n".join(differing)
            + f"\nTake another --workdir, or the old values; if the change is meant for this run, edit {path}."
        )


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


class SavedModel(NamedTuple):
    """A trained model as it lies on disk.

    ``config`` builds its networks (``Networks.create``) and has the names of its attributes. ``variables`` are the Flax
    variables by network, as numpy arrays: ``generator`` and ``ainet`` (averages over the last steps), and
    ``discriminator`` for its attribute classifier. ``step``: after which step of the training.
    """

    config: ModelConfig
    variables: dict[str, Any]
    step: int


def model_variables(state: Any) -> dict[str, Any]:
    """What of a training state (or of a tree of the same names) a model keeps."""
    state = state if isinstance(state, Mapping) else vars(state)
    return {**{name: state["ema"][name] for name in ("generator", "ainet")}, "discriminator": state["discriminator"]}


def describe_model(directory: str | Path, config: ModelConfig, step: int | None = None) -> None:
    """Writes ``model.json``; in a workdir (without ``step``) it makes the checkpoints readable by ``load_model``."""
    write_text(Path(directory) / "model.json", json.dumps(model_description(config, step), indent=2) + "\n")


def model_description(config: ModelConfig, step: int | None) -> dict[str, Any]:
    """What ``model.json`` says of an A3GAN."""
    return {"format": MODEL_FORMAT, "step": step, "networks": config.to_dict()}


def export_model(directory: str | Path, config: ModelConfig, variables: Any, step: int) -> None:
    """Writes a model folder; takes the place of an older model there.

    Args:
        directory: the model folder.
        config: of the networks.
        variables: by network, see ``SavedModel``.
        step: after which step of the training.

    Raises:
        FileExistsError: the folder exists and is not a model.
    """
    write_model_folder(directory, variables, model_description(config, step), overwrite=True)


def load_model(directory: str | Path) -> SavedModel:
    """Reads a model folder, or the newest checkpoint of a workdir.

    Raises:
        FileNotFoundError: the folder is neither, or the workdir has no checkpoint yet.
        ValueError: the model was written in a newer format, or is no A3GAN.
    """
    directory = Path(directory).absolute()
    description = read_description(directory)
    if "networks" not in description:
        raise ValueError(f"{directory} is a converted {description['network']}, not an A3GAN: a3gan_jax.load reads it")
    if (directory / "variables").exists():
        step, variables = description["step"], read_arrays(directory / "variables")
    else:
        step = _newest_step(directory)
        state = read_arrays(_checkpoint_folder(directory) / str(step) / "state", _model_part)
        variables = model_variables(state)
    return SavedModel(ModelConfig.from_dict(description["networks"]), variables, step)


def _model_part(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {"ema": tree["ema"], "discriminator": tree["discriminator"]}


def _newest_step(workdir: Path) -> int:
    steps = _steps(workdir)
    if not steps:
        raise FileNotFoundError(f"{workdir} has no finished checkpoint yet")
    return max(steps)
