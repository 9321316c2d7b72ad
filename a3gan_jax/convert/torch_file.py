"""Reads PyTorch checkpoints and safetensors files into NumPy arrays, without torch and without executing anything.

Three formats, told apart by their first bytes: the zip archives of ``torch.save`` since PyTorch 1.6, its older format
(five pickles, then the raw storages), and safetensors. The arrays are read-only views of the memory-mapped file:
nothing of a tensor is loaded before it is used. Whatever a file declares (sizes, offsets, strides) is checked against
the file before memory is taken for it.
"""

import functools
import mmap
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from a3gan_jax.convert import restricted_pickle
from a3gan_jax.convert.restricted_pickle import MAX_DEPTH, MAX_PICKLE_BYTES
from a3gan_jax.convert.safetensors_file import read_safetensors
from a3gan_jax.convert.torch_arrays import MAX_NODES, dtype_of, resolve
from a3gan_jax.convert.torch_globals import UnreadableFile, shown

__all__ = ["UnreadableFile", "flatten", "read_checkpoint", "read_tensors"]

LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
# What the standard library and numpy raise on damaged input, beside UnreadableFile. Not what a lack of memory or a disk
# raises: that says nothing of the file.
DAMAGE = (LookupError, NotImplementedError, RecursionError, ValueError, struct.error, zipfile.BadZipFile)


def read_checkpoint(path: str | Path) -> Any:
    """Reads a .pth or .pt file of ``torch.save``, or a .safetensors file.

    Returns:
        what was saved, in plain containers (dict, list, tuple, set) with read-only numpy arrays for tensors, parameters
        and storages; numbers, strings, bytes and None stay; a torch.dtype is a numpy dtype, a torch.device a string.
        Shared tensors share memory. bfloat16 and the float8 kinds are the types of ``ml_dtypes``.

    Raises:
        UnreadableFile: for every file that this cannot read or will not, and for none at all; one line.
        MemoryError: what it holds is more than there is.
    """
    path = Path(path)
    try:
        return _read(path)
    except UnreadableFile as error:
        raise UnreadableFile(f"{path}: {error}") from None
    except OSError as error:
        raise UnreadableFile(
            f"{path}: it cannot be read: {error.strerror}; check its permissions and the disk"
        ) from error
    except DAMAGE as error:
        cause = " ".join(str(error).split())[:120]
        raise UnreadableFile(
            f"{path}: it is damaged or no weight file ({type(error).__name__}: {cause}); get it again"
        ) from error


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a file under their joined names: ``flatten(read_checkpoint(path))``."""
    tree = read_checkpoint(path)
    try:
        return flatten(tree)
    except UnreadableFile as error:
        raise UnreadableFile(f"{path}: {error}") from None


def flatten(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a tree under the keys of their path, joined by "."; what is no array is left out.

    Elements of lists and tuples are numbered from 0. A tree that is one array has the name "".

    Raises:
        UnreadableFile: two arrays have the same joined name, or the tree is too deep or too large.
    """
    arrays: dict[str, np.ndarray] = {}
    visited = 0

    def visit(node: Any, path: tuple[str, ...]) -> None:
        nonlocal visited
        visited += 1
        if len(path) > MAX_DEPTH or visited > MAX_NODES:
            raise UnreadableFile(f"it is nested deeper than {MAX_DEPTH} or has more than {MAX_NODES} parts")
        if isinstance(node, np.ndarray):
            name = ".".join(path)
            if name in arrays:
                raise UnreadableFile(f"two tensors have the joined name {shown(name)}; rename one before saving")
            arrays[name] = node
        elif isinstance(node, Mapping):
            for key, value in node.items():
                visit(value, (*path, str(key)))
        elif isinstance(node, (list, tuple)):
            for index, value in enumerate(node):
                visit(value, (*path, str(index)))

    visit(tree, ())
    return arrays


def _read(path: Path) -> Any:
    if not path.is_file():
        raise UnreadableFile("there is no such file; check the path")
    with path.open("rb") as stream:
        head = stream.read(265)
        if not head:
            raise UnreadableFile("it is empty; get it again")
        if path.suffix == ".safetensors" or head[8:9] == b"{":
            read = read_safetensors
        elif head.startswith(b"PK\3\4"):
            read = _read_zip
        elif head.startswith(b"\x80"):
            read = _read_legacy
        elif head[257:262] == b"ustar":
            raise UnreadableFile("it is a tar archive of PyTorch 0.1; save it again with a newer PyTorch")
        else:
            raise UnreadableFile(
                f"it starts with {head[:8]!r}, neither a torch.save file nor safetensors; was a web page saved instead?"
            )
        # The mapping lives as long as an array that looks into it.
        return read(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def _read_zip(file: mmap.mmap) -> Any:
    with zipfile.ZipFile(file) as archive:
        entries = _entries(file, archive.infolist())
    roots = [name[: -len("data.pkl")] for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(roots) != 1 or roots[0].count("/") > 1:
        raise UnreadableFile(f"it is a zip archive with {len(roots)} data.pkl, so no torch.save file; get the weights")
    root = roots[0]
    if f"{root}constants.pkl" in entries:
        raise UnreadableFile("it is a TorchScript program; save its weights: torch.save(module.state_dict(), ...)")

    def content(name: str) -> memoryview:
        if root + name not in entries:
            raise UnreadableFile(f"its part {shown(name)} is missing; the file is damaged: get it again")
        info, start = entries[root + name]
        data = memoryview(file)[start : start + info.file_size]
        if zlib.crc32(data) != info.CRC:
            raise UnreadableFile(f"its part {shown(name)} has a wrong checksum; the file is damaged: get it again")
        return data

    if f"{root}byteorder" in entries and bytes(content("byteorder")[:16]) != b"little":
        raise UnreadableFile("it was saved on a big-endian machine; save it again on a little-endian one")
    pickled = content("data.pkl")
    if len(pickled) > MAX_PICKLE_BYTES:
        raise UnreadableFile(f"its pickle is longer than {MAX_PICKLE_BYTES >> 20} MiB; save only the state dict")
    file.seek(entries[f"{root}data.pkl"][1])
    tree, _ = restricted_pickle.load(file)
    if file.tell() != entries[f"{root}data.pkl"][1] + len(pickled):
        raise UnreadableFile("its pickle does not end where its part ends; the file is damaged or forged")

    return resolve(tree, functools.cache(lambda key: content(f"data/{key}")), len(file))


def _entries(file: mmap.mmap, infos: list[zipfile.ZipInfo]) -> dict[str, tuple[zipfile.ZipInfo, int]]:
    """The parts of an archive with the offset of their bytes in the file; what torch never writes is refused."""
    entries: dict[str, tuple[zipfile.ZipInfo, int]] = {}
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        name = info.orig_filename
        if any(part in ("", ".", "..") for part in name.split("/")) or any(sign in name for sign in "\\\0"):
            raise UnreadableFile(f"it has a part named {shown(name)}, which no torch.save writes; the file is forged")
        if name in entries:
            raise UnreadableFile(f"it has two parts named {shown(name)}; the file is damaged or forged")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 0x1:
            raise UnreadableFile(
                f"its part {shown(name)} is compressed or encrypted, which torch.save never does; save it again"
            )
        if info.header_offset < end:
            raise UnreadableFile(f"its part {shown(name)} overlaps another one; the file is damaged or forged")
        signature, *_, name_length, extra_length = struct.unpack_from("<4s5H3L2H", file, info.header_offset)
        start = info.header_offset + 30 + name_length + extra_length
        end = start + info.file_size
        encoded = name.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
        if signature != b"PK\3\4" or end > len(file):
            raise UnreadableFile(
                f"its part {shown(name)} ends after the file; the download is incomplete: get it again"
            )
        if file[info.header_offset + 30 : info.header_offset + 30 + name_length] != encoded:
            raise UnreadableFile(f"its part {shown(name)} has a second name; the file is damaged or forged")
        entries[name] = info, start
    return entries


def _read_legacy(file: mmap.mmap) -> Any:
    if restricted_pickle.load(file)[0] != LEGACY_MAGIC:
        raise UnreadableFile("it is a pickle that torch.save did not write; save the state dict with torch.save")
    if restricted_pickle.load(file)[0] != LEGACY_PROTOCOL:
        raise UnreadableFile(f"its format is not number {LEGACY_PROTOCOL}; save it again with a newer PyTorch")
    system, _ = restricted_pickle.load(file)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise UnreadableFile("it was saved on a big-endian machine; save it again on a little-endian one")
    tree, storages = restricted_pickle.load(file)
    keys, _ = restricted_pickle.load(file)
    if not isinstance(keys, list) or not all(isinstance(key, (str, int)) for key in keys):
        raise UnreadableFile("its list of storages is none; the file is damaged")
    types = {storage.key: storage.dtype for storage in storages}
    if len(types) < len({(storage.key, storage.dtype) for storage in storages}):
        raise UnreadableFile("one of its storages has two data types; the file is damaged or forged")
    parts: dict[str, memoryview] = {}
    position = file.tell()
    for key in map(str, keys):
        if key in parts or key not in types:
            raise UnreadableFile(f"its storage {shown(key)} comes twice or belongs to no tensor; the file is damaged")
        (numel,) = struct.unpack_from("<q", file, position)
        position += 8
        length = numel * dtype_of(types[key]).itemsize
        if numel < 0 or length > len(file) - position:
            raise UnreadableFile(
                f"its storage {shown(key)} ends after the file; the download is incomplete: get it again"
            )
        parts[key] = memoryview(file)[position : position + length]
        position += length
    if position != len(file):
        raise UnreadableFile(f"{len(file) - position} bytes follow its last storage; the file is damaged")
    if parts.keys() != types.keys():
        raise UnreadableFile("one of its storages is missing; the download is incomplete: get it again")
    return resolve(tree, parts.__getitem__, len(file))
