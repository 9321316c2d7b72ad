"""Builds NumPy arrays over the bytes of PyTorch storages, in the tree of containers that a pickle describes.

Whatever a tensor declares (offset, shape, strides) is checked against its storage, and the size of the whole against
the file's, before memory is taken for it.
"""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from a3gan_jax.convert.restricted_pickle import MAX_DEPTH
from a3gan_jax.convert.torch_globals import (
    Builder,
    Dtype,
    NumpyDtype,
    Storage,
    StorageType,
    Tensor,
    UnreadableFile,
    shown,
)

MAX_NODES = 1_000_000  # of the tree, each shared part counted as often as it is reached
MAX_DIMENSIONS = 32
# All tensors together, as if each were copied: tied weights and broadcast views are small beside this, and a file of
# a kilobyte cannot ask whoever converts it for a terabyte.
MAX_EXPANSION, FREE_EXPANSION = 8, 64 << 20


def dtype_of(name: str) -> np.dtype:
    """The numpy type of a storage's type: "float32", "bfloat16", "raw", ..."""
    if name == "raw":
        return np.dtype(np.uint8)
    return np.dtype(getattr(ml_dtypes, name)) if name.startswith(("bfloat", "float8")) else np.dtype(name)


def resolve(tree: Any, part: Callable[[str], memoryview], file_size: int) -> Any:
    """Builds the arrays of a pickle's tree over the storages' bytes, in containers of their own.

    ``part`` gives the bytes of a storage by its key. A shared container is built once. What the tree would hold if
    nothing were shared is counted all the same and bounded, since that is what a walk over it visits, and what copying
    its arrays takes.
    """
    built: dict[int, tuple[Any, int, int]] = {}  # the value, its nodes, the bytes of its arrays
    open_containers: set[int] = set()

    def array(
        storage: Storage, dtype: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> np.ndarray:
        kind, data = dtype_of(dtype), part(storage.key)
        if len(data) != storage.numel * dtype_of(storage.dtype).itemsize:
            raise UnreadableFile(
                f"its storage {shown(storage.key)} has another size than declared; the file is damaged"
            )
        if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
            raise UnreadableFile(
                f"a tensor has {len(shape)} dimensions and {len(strides)} strides; the file is damaged"
            )
        if 0 in shape:
            return np.empty(shape, kind)
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        if (last + 1) * kind.itemsize > len(data):
            raise UnreadableFile(
                f"a tensor reaches beyond its storage {shown(storage.key)}; the file is damaged or forged"
            )
        steps = tuple(
            stride * kind.itemsize if size > 1 else kind.itemsize for size, stride in zip(shape, strides, strict=True)
        )
        return np.ndarray(shape, kind, data, offset * kind.itemsize, steps)

    def leaf(node: Any) -> Any:
        if isinstance(node, Tensor):
            return array(*node)
        if isinstance(node, Storage):
            return array(node, node.dtype, 0, (node.numel,), (1,))
        if isinstance(node, Dtype):
            return dtype_of(node.name)
        if isinstance(node, NumpyDtype):
            return np.dtype(node.code)
        if isinstance(node, (Builder, StorageType)):
            raise UnreadableFile(f"it holds {shown(node.name)} itself as a value; save only the state dict")
        return node

    def visit(node: Any, depth: int) -> tuple[Any, int, int]:
        if id(node) in built:
            return built[id(node)]
        if depth > MAX_DEPTH or id(node) in open_containers:
            raise UnreadableFile(f"it contains itself or is nested deeper than {MAX_DEPTH}; save only the state dict")
        if type(node) in (dict, list, tuple):
            open_containers.add(id(node))
            children = [visit(child, depth + 1) for child in (node.values() if type(node) is dict else node)]
            open_containers.remove(id(node))
            values = [value for value, *_ in children]
            result = dict(zip(node, values, strict=True)) if type(node) is dict else type(node)(values)
            nodes, size = 1 + sum(nodes for _, nodes, _ in children), sum(size for *_, size in children)
        else:
            result, nodes = leaf(node), 1
            size = result.nbytes if isinstance(result, np.ndarray) else 0
        if nodes > MAX_NODES or size > FREE_EXPANSION + MAX_EXPANSION * file_size:
            raise UnreadableFile("it would unpack to many times its size; save only the state dict, contiguous copies")
        built[id(node)] = result, nodes, size
        return built[id(node)]

    return visit(tree, 0)[0]
