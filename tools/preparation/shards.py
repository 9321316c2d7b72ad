"""The files of a prepared data set: making one, and checking it."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from PIL import UnidentifiedImageError

from a3gan_jax.data.array_record_source import DESCRIPTION, decode_face, encode_face
from a3gan_jax.data.pipeline import DECODE_ERRORS, aligned_face
from a3gan_jax.data.sources import FaceDataset

WRITER_OPTIONS = "group_size:1,uncompressed"  # each record can be read alone; pixels would shrink by a twentieth only
NEW = ".new"  # behind the name of what is being written
COMPARED = 3  # faces of each file that are compared with the source
HOPELESS = 5  # corrupt images and none that can be decoded, after which the rest need not be tried

Sources = Mapping[str, FaceDataset]  # by split


class Damaged(Exception):
    """Images or files are not as they must be; the message says which, and what to do."""


class CorruptImage(Exception):
    """An image that cannot be decoded, with its name and the reason."""


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file: images ``start`` to ``stop`` (not included) of a split."""

    path: Path
    split: str
    start: int
    stop: int
    image_size: int
    image_format: str
    num_attributes: int


class Stopped(Exception):
    """Ends work whose result nobody waits for any more."""


class Worker(NamedTuple):
    """What a job is called with: the source, and values that all workers share."""

    sources: Sources
    done: Any  # images
    stop: Any

    def advance(self) -> None:
        """One image more is done.

        Raises:
            Stopped: nobody waits for the result.
        """
        with self.done.get_lock():
            self.done.value += 1
        if self.stop.is_set():
            raise Stopped


def make_shard(worker: Worker, shard: Shard, max_corrupt: int) -> dict[str, Any]:
    """Writes a file whole or not at all, and returns what dataset.json says of it.

    Raises:
        Damaged: the first images cannot be decoded, more than ``max_corrupt`` and HOPELESS of them.
        OSError: the source cannot be read, or the file not written.
    """
    faces, records, corrupt = worker.sources[shard.split], 0, []
    temporary = shard.path.with_name(f"{shard.path.name}.{os.getpid()}{NEW}")
    try:
        writer = ArrayRecordWriter(str(temporary), WRITER_OPTIONS)
        for index in range(shard.start, shard.stop):
            try:
                writer.write(encode_face(read_face(faces, index, shard.image_size), shard.image_format))
                records += 1
            except CorruptImage as error:
                name, reason = error.args
                corrupt.append({"index": index, "name": name, "reason": reason})
            if not records and len(corrupt) > max(HOPELESS, max_corrupt):
                raise Damaged(
                    f"not one of the first {len(corrupt)} images of {shard.path.name} can be decoded: is it the right "
                    f"source?\n{listed(corrupt)}"
                )
            worker.advance()
        writer.close()
    except RuntimeError as error:  # what ArrayRecord says to a full disk
        raise OSError(f"{shard.path} cannot be written: {error}") from error
    os.replace(temporary, shard.path)
    size, digest = shard.path.stat().st_size, sha256(shard.path)
    return {"records": records, "bytes": size, "sha256": digest, "corrupt": corrupt}


def check_shard(worker: Worker, shard: Shard, facts: Mapping[str, Any]) -> tuple[str, np.ndarray]:
    """Reads a file back; where the source is there too, compares some of its faces with it.

    Returns:
        What is wrong, "" if nothing is, and the people (N,) int32.
    """
    nobody = np.empty(0, np.int32)
    if not shard.path.is_file():
        return "is missing", nobody
    if (size := shard.path.stat().st_size) != facts["bytes"]:
        return f"has {size} bytes instead of {facts['bytes']}", nobody
    if sha256(shard.path) != facts["sha256"]:
        return f"is damaged: its SHA-256 is not the one in {DESCRIPTION}", nobody
    reader = ArrayRecordReader(str(shard.path))
    if (records := reader.num_records()) != facts["records"]:
        return f"has {records} records instead of {facts['records']}", nobody
    people = np.empty(records, np.int32)
    faces = worker.sources.get(shard.split)
    compared = set(np.linspace(0, records - 1, COMPARED, dtype=int).tolist()) if faces is not None else set()
    corrupt = {entry["index"] for entry in facts["corrupt"]}
    indices = [index for index in range(shard.start, shard.stop) if index not in corrupt]
    for place in range(records):
        record = reader.read()
        people[place] = decode(shard, record)["identity"]
        if place in compared:
            try:
                expected = encode_face(read_face(faces, indices[place], shard.image_size), shard.image_format)
            except CorruptImage as error:
                return f"cannot be compared, the source has damaged {': '.join(error.args)}", nobody
            if difference := differences(shard, record, expected):
                return f"differs from the source in {', '.join(difference)} of face {place}", nobody
        worker.advance()
    return "", people


def read_face(faces: FaceDataset, index: int, size: int) -> dict[str, Any]:
    """A face of the source with its aligned image, uint8 (size, size, 3).

    Raises:
        CorruptImage: it cannot be decoded, for what the pipeline skips an image in training.
    """
    face = faces[index]
    try:
        return face | {"image": aligned_face(face["image"], faces.crop, size)}
    except UnidentifiedImageError as error:  # its own words hold an address, and differ from run to run
        raise CorruptImage(face["name"], "no image format that Pillow knows") from error
    except DECODE_ERRORS as error:
        raise CorruptImage(face["name"], str(error) or type(error).__name__) from error


def decode(shard: Shard, record: bytes) -> dict[str, Any]:
    return decode_face(record, shard.num_attributes, shard.image_size, shard.image_format)


def differences(shard: Shard, record: bytes, expected: bytes) -> list[str]:
    """In what two records differ; images by their pixels, for the same pixels can be compressed in several ways."""
    one, other = (
        face | {"image": aligned_face(face["image"], "square", shard.image_size)}
        for face in (decode(shard, record), decode(shard, expected))
    )
    return [key for key in one if not np.array_equal(one[key], other[key])]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def can_be_decoded(faces: FaceDataset, index: int, size: int) -> bool:
    try:
        read_face(faces, index, size)
    except CorruptImage:
        return False
    return True


def listed(corrupt: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(f"  {entry['name']}: {entry['reason']}" for entry in corrupt)
