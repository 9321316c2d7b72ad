"""Who holds what: one mesh with two axes, the batch split over both, the state over ``fsdp``.

``data`` copies the model and splits the batch; ``fsdp`` splits the batch and the large parameters too (fully sharded
data parallelism, arXiv 1910.02054). Everything below is a placement only: results do not depend on it, but for the
order of sums.
"""

import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

BATCH = PartitionSpec(("data", "fsdp"))
REPLICATED = PartitionSpec()

#: (last part of the path, rank) -> placement; the optimiser's moments end in the same names as their parameters.
#: What no row matches is replicated, as is an axis that ``fsdp`` does not divide.
STATE_RULES: tuple[tuple[str, int, PartitionSpec], ...] = (
    (r"kernel", 4, PartitionSpec(None, None, None, "fsdp")),  # convolutions (kh, kw, in, out)
    (r"kernel", 2, PartitionSpec(None, "fsdp")),  # dense layers (in, out)
    (r"people", 2, PartitionSpec(None, "fsdp")),  # the identity critic's softmax (width, people)
)


def create_mesh(data: int = -1, fsdp: int = 1, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh of ``data`` x ``fsdp`` of the ``devices``, by default those of all processes; ``data`` -1 takes all that
    ``fsdp`` leaves.

    Raises:
        ValueError: the two do not multiply to the number of devices.
    """
    count = jax.device_count() if devices is None else len(devices)
    if fsdp < 1 or count % fsdp:
        raise ValueError(f"mesh.fsdp {fsdp} does not divide the {count} devices")
    if data == -1:
        data = count // fsdp
    if data * fsdp != count:
        raise ValueError(f"mesh.data {data} x mesh.fsdp {fsdp} is not the {count} devices; set mesh.data to -1")
    axis_types = (AxisType.Auto, AxisType.Auto)
    return jax.make_mesh((data, fsdp), ("data", "fsdp"), axis_types=axis_types, devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(mesh, REPLICATED)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The first axis split over all devices."""
    return NamedSharding(mesh, BATCH)


def state_shardings(mesh: Mesh, abstract_state: Any) -> Any:
    """A NamedSharding for every leaf of a state, or of what ``jax.eval_shape`` returns for it, by ``STATE_RULES``."""

    def place(path: tuple, leaf: Any) -> NamedSharding:
        name = jax.tree_util.keystr(path[-1:], simple=True)
        for pattern, rank, spec in STATE_RULES:
            if leaf.ndim == rank and re.fullmatch(pattern, name):
                axes = zip(leaf.shape, spec, strict=True)
                fits = all(axis is None or size % mesh.shape[axis] == 0 for size, axis in axes)
                return NamedSharding(mesh, spec if fits else REPLICATED)
        return replicated(mesh)

    return jax.tree_util.tree_map_with_path(place, abstract_state)


def per_process_batch_size(batch_size: int, mesh: Mesh) -> int:
    """How many of ``batch_size`` examples each process reads.

    Raises:
        ValueError: the devices do not divide the batch.
    """
    if batch_size % mesh.size:
        raise ValueError(f"batch_size {batch_size} is not a multiple of the {mesh.size} devices of the mesh")
    return batch_size // jax.process_count()


def put_batch(mesh: Mesh, batch: Any) -> Any:
    """Puts this process's part of a batch (a pytree of numpy arrays, examples first) on the mesh.

    Returns a pytree of the same structure whose arrays hold the examples of all processes.
    """
    sharding = batch_sharding(mesh)

    def put(local: np.ndarray) -> Array:
        return jax.make_array_from_process_local_data(sharding, np.asarray(local))

    return jax.tree.map(put, batch)
