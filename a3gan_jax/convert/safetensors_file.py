"""Reads safetensors files: a JSON table of types, shapes and places, then the bytes.

The library of that name reads them to NumPy as well, but lets the last of two equal keys win and copies every tensor;
with the checks it lacks there is little left for it to do.
"""

import json
import math
import mmap
from typing import Any

import ml_dtypes
import numpy as np

from a3gan_jax.convert.torch_globals import UnreadableFile, integers, shown

MAX_HEADER_BYTES = 16 << 20
_DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "I64": np.int64,
    "I32": np.int32, "I16": np.int16, "I8": np.int8, "U64": np.uint64, "U32": np.uint32, "U16": np.uint16,
    "U8": np.uint8, "BOOL": np.bool_, "C64": np.complex64, "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}  # fmt: skip


def read_safetensors(file: mmap.mmap) -> dict[str, np.ndarray]:
    """The tensors of a mapped file, as read-only views of it; its metadata is left out.

    Raises:
        UnreadableFile: the table is damaged or does not describe every byte of the file once.
        ValueError, RecursionError: from ``json``, on a damaged table.
    """
    length = int.from_bytes(file[:8], "little")
    if len(file) < 10 or length > min(len(file) - 8, MAX_HEADER_BYTES):
        raise UnreadableFile("its header is longer than the file or than 16 MiB; the file is damaged: get it again")
    table = json.loads(file[8 : 8 + length].decode("utf-8"), object_pairs_hook=_unique)
    if not isinstance(table, dict):
        raise UnreadableFile("its header is no table of tensors; the file is damaged: get it again")
    table.pop("__metadata__", None)
    data = memoryview(file)[8 + length :]
    arrays = {}
    places = [(0, 0)]
    for name, entry in table.items():
        kind, shape, begin, end = _entry(name, entry)
        if end > len(data) or begin + math.prod(shape) * kind.itemsize != end:
            raise UnreadableFile(f"its tensor {shown(name)} does not fit its place in the file; get it again")
        arrays[name] = np.ndarray(shape, kind, data, begin) if begin < end else np.empty(shape, kind)
        places.append((begin, end))
    places.sort()
    if any(end != begin for (_, end), (begin, _) in zip(places, [*places[1:], (len(data), 0)], strict=True)):
        raise UnreadableFile("its tensors overlap or leave bytes over; the file is damaged or forged: get it again")
    return arrays


def _entry(name: str, entry: Any) -> tuple[np.dtype, tuple[int, ...], int, int]:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise UnreadableFile(
            f"its tensor {shown(name)} lacks a type, shape or place; the file is damaged: get it again"
        )
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in _DTYPES:
        raise UnreadableFile(f"its tensor {shown(name)} is of the type {shown(entry['dtype'])}; save it as F32 or F16")
    shape, place = integers(entry["shape"]), integers(entry["data_offsets"])
    if len(place) != 2:
        raise UnreadableFile(f"its tensor {shown(name)} has no begin and end; the file is damaged: get it again")
    return np.dtype(_DTYPES[entry["dtype"]]), shape, *place


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise UnreadableFile("a key comes twice in its header; the file is damaged or forged")
    return unique
