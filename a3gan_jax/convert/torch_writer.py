"""Writes a state dict as ``torch.save`` does since PyTorch 1.6, without torch: a zip of one pickle and raw storages."""

import io
import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_STORAGES = {np.dtype(np.float32): "FloatStorage", np.dtype(np.uint8): "ByteStorage"}
_ALIGNMENT = 64  # of the storages in the file, as torch has it, so that it can map them


def write_state_dict(path: str | Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes a file that ``torch.load(path, weights_only=True)`` reads; it appears whole or not at all.

    Args:
        path: of the file; an older one is replaced.
        tensors: by name, float32 or uint8.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb") as stream:
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
                _write_part(archive, stream, "data.pkl", _pickle(tensors))
                _write_part(archive, stream, "byteorder", b"little")
                for number, tensor in enumerate(tensors.values()):
                    little = tensor.astype(tensor.dtype.newbyteorder("<"), order="C", copy=False)
                    _write_part(archive, stream, f"data/{number}", little.tobytes())
                _write_part(archive, stream, "version", b"3\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_part(archive: zipfile.ZipFile, stream: io.BufferedIOBase, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(f"archive/{name}")  # always of the same date, so that equal weights make equal files
    start = stream.tell() + 30 + len(info.filename) + 4  # local header, name, the head of an extra field
    padding = -start % _ALIGNMENT
    info.extra = struct.pack("<2sH", b"FB", padding) + bytes(padding)
    archive.writestr(info, content)


def _pickle(tensors: Mapping[str, np.ndarray]) -> bytes:
    """{name: tensor} in the opcodes of protocol 2; storage number k is the part ``data/k``."""
    parts = [b"\x80\x02}("]
    for number, (name, tensor) in enumerate(tensors.items()):
        strides = np.cumprod((1, *tensor.shape[:0:-1]))[::-1] if tensor.ndim else ()
        storage = [_text("storage"), _global("torch", _STORAGES[tensor.dtype]), _text(str(number)), _text("cpu")]
        storage = _tuple([*storage, _integer(tensor.size)]) + b"Q"
        hooks = _global("collections", "OrderedDict") + b")R"
        arguments = [storage, _integer(0), _integers(tensor.shape), _integers(strides), b"\x89", hooks]
        parts.append(_text(name) + _global("torch._utils", "_rebuild_tensor_v2") + _tuple(arguments) + b"R")
    return b"".join((*parts, b"u."))


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _integer(value: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


def _tuple(items: list[bytes]) -> bytes:
    return b"(" + b"".join(items) + b"t"


def _integers(values) -> bytes:
    return _tuple([_integer(int(value)) for value in values])
