"""Faces that ``tools/prepare_data.py`` has decoded, aligned, cropped and resized once, in ArrayRecord files.

A folder holds ``dataset.json``, and for each split SPLIT-00000-of-00016.array_record and so on, read one after another
in the order of the source, and ``SPLIT-identity.npy``, int32 (N,), which has the people in one piece. One record is one
face (numbers are little-endian; A attributes, their names and the image's side S stand in ``dataset.json``):

    int32      the person, 0..P-1 as the source numbers everybody in the split, -1 for nobody knows
    uint16     L, the length of the name
    A/8 bytes  rounded up: the attributes, one bit each, the first one in the highest bit
    L bytes    the name, UTF-8
    the rest   the image: uint8 (S, S, 3) RGB, row by row ("raw"), or a PNG or JPEG file
"""

import io
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource
from PIL import Image

from a3gan_jax.data.identities import number_people

DESCRIPTION = "dataset.json"
FORMAT_VERSION = 1
_HEAD = struct.Struct("<iH")


class ArrayRecordFaces:
    """One split of a prepared data set; a ``FaceDataset``.

    Any number of threads may read it, in any order. Pickled, it takes the people along but no open file: files are
    opened when the first face is asked of them.
    """

    crop = "square"

    def __init__(self, root: Path, split: str, *, min_photos: int = 1, image_size: int = 1):
        """Reads the description and the people; images only when they are asked for.

        Args:
          root: folder of the prepared data set.
          split: train | validation | test.
          min_photos: people with fewer photos in this split get identity -1. What could not be decoded when the set was
            prepared is no photo. Drawn people keep their numbers, as they do in their own source.
          image_size: the side that will be asked for; a smaller one than the stored is resized by the pipeline.

        Raises:
          ValueError: there is no finished set, or one without this split; a file is missing or cut short; the images
            are smaller than ``image_size``.
        """
        description = read_description(root)
        if not description["complete"]:
            raise ValueError(f"{root} is not finished: run the command of tools.prepare_data that began it again")
        if split not in description["splits"]:
            raise ValueError(
                f"{root} was prepared without the {split} split, it has: {', '.join(description['splits'])}; prepare "
                "another folder with --split=all"
            )
        self._size, self._image_format = description["image_size"], description["image_format"]
        if self._size < image_size:
            raise ValueError(
                f"the images in {root} have {self._size} px and {image_size} are wanted: prepare another folder with "
                f"--image_size={image_size}"
            )
        files = description["splits"][split]["files"]
        if problems := [
            f"{name} {problem}" for name, facts in files.items() if (problem := _problem(root, name, facts))
        ]:
            raise ValueError(
                f"{root} is damaged: {'; '.join(problems)}; remove these files and run the command of "
                "tools.prepare_data again, it makes only what is missing"
            )
        self.attribute_names = tuple(description["attributes"])
        identity = np.load(identity_file(root, split))
        if description["source"] == "procedural":
            self.identity, self.num_people = identity, description["splits"][split]["people"]
        else:
            labels = [None if person < 0 else person for person in identity.tolist()]
            self.identity, people = number_people(labels, min_photos)
            self.num_people = len(people)
        # With the numbers of records behind their names, no file is opened here.
        self._records = ArrayRecordDataSource([f"{root / name}[0:{facts['records']}]" for name, facts in files.items()])

    def __len__(self) -> int:
        return len(self.identity)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"face {index} of {len(self)}")
        face = decode_face(self._records[index], len(self.attribute_names), self._size, self._image_format)
        return face | {"identity": int(self.identity[index])}


def _problem(root: Path, name: str, facts: Mapping[str, Any]) -> str:
    path = root / name
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    return "" if size == facts["bytes"] else f"has {size} bytes instead of {facts['bytes']}"


def read_description(root: Path) -> dict[str, Any]:
    """What ``dataset.json`` says; ``complete`` tells whether the set is finished.

    Raises:
      ValueError: there is none; it is damaged, or written in a newer format.
    """
    path = root / DESCRIPTION
    if not path.is_file():
        raise ValueError(f"{root} holds no prepared data set: make one by python -m tools.prepare_data --output={root}")
    try:
        description = json.loads(path.read_text())
        version = description["format_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} does not describe a prepared data set: prepare it anew in another folder") from error
    if version > FORMAT_VERSION:
        raise ValueError(f"{path} has format {version} and this version reads up to {FORMAT_VERSION}: update a3gan-jax")
    return description


def identity_file(root: Path, split: str) -> Path:
    """Where the people of a split are: int32 (N,)."""
    return root / f"{split}-identity.npy"


def encode_face(face: Mapping[str, Any], image_format: str) -> bytes:
    """A record.

    Args:
      face: ``name`` str, ``image`` uint8 (S, S, 3), ``attributes`` uint8 (A,) in {0, 1}, ``identity`` int.
      image_format: "raw" | "png" | "jpeg:QUALITY", 1 to 100; colours of a JPEG have full resolution.
    """
    name = face["name"].encode()
    head = _HEAD.pack(face["identity"], len(name)) + np.packbits(face["attributes"]).tobytes()
    return head + name + _encode_image(face["image"], image_format)


def decode_face(record: bytes, num_attributes: int, size: int, image_format: str) -> dict[str, Any]:
    """The inverse of ``encode_face``; ``image`` is uint8 (size, size, 3) if raw, else the bytes of a file.

    Raises:
      ValueError: the record is too short or too long for these numbers.
    """
    identity, length = _HEAD.unpack_from(record)
    name_at = _HEAD.size + -(-num_attributes // 8)
    image_at = name_at + length
    bits = np.frombuffer(record, np.uint8, name_at - _HEAD.size, _HEAD.size)
    raw = image_format == "raw"
    return {
        "name": record[name_at:image_at].decode(),
        "image": np.frombuffer(record, np.uint8, -1, image_at).reshape(size, size, 3) if raw else record[image_at:],
        "attributes": np.unpackbits(bits, count=num_attributes),
        "identity": identity,
    }


def _encode_image(image: np.ndarray, image_format: str) -> bytes:
    if image_format == "raw":
        return image.tobytes()
    file = io.BytesIO()
    if image_format == "png":
        Image.fromarray(image).save(file, "PNG")
    else:
        Image.fromarray(image).save(file, "JPEG", quality=int(image_format.removeprefix("jpeg:")), subsampling=0)
    return file.getvalue()
