"""What a source of faces is, and how to open one by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from a3gan_jax.attributes import positions

SPLITS = ("train", "validation", "test")
SOURCES = ("celeba", "csv", "tfds", "procedural", "array_record")


class FaceDataset(Protocol):
    """Faces by position: what the pipeline asks of a source."""

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The A attributes that the source has, in the order of ``attributes``."""

    @property
    def num_people(self) -> int:
        """P, how many numbers for people there are."""

    @property
    def crop(self) -> str:
        """How to cut the aligned crop out of an image: see ``pipeline.crop_box``."""

    def __len__(self) -> int:
        """N, the number of faces."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``name`` str, ``image`` bytes of an image file or uint8 (H, W, 3), ``attributes`` uint8 (A,) in {0, 1}, and
        ``identity`` int: 0..P-1, the same for the same person, or -1 for a person without a number. A ``crop`` of its
        own comes before that of the whole."""


def load_dataset(
    source: str,
    root: str,
    split: str,
    *,
    min_photos: int = 1,
    crop: str = "square",
    size: int = 10_000,
    image_size: int = 64,
    seed: int = 0,
) -> FaceDataset:
    """The faces of one split of a source.

    Args:
      source: "celeba", a folder in CelebA's official format; "csv", a folder with a CSV; "tfds", celeb_a of TensorFlow
        Datasets; "procedural", the built-in drawn faces, which need no file; "array_record", a folder that
        tools/prepare_data.py has made.
      root: where it is: for celeba a folder or several separated by commas, which are joined; for csv the folder or the
        CSV; for tfds its data_dir or "" for the default; for procedural ""; for array_record the folder.
      split: train | validation | test.
      min_photos: people with fewer photos in this split get identity -1; drawn people all have enough.
      crop: for csv: "square" for aligned crops, "celeba" for photos in CelebA's geometry.
      size, seed: for procedural: faces in all splits together (8 : 1 : 1), and the seed.
      image_size: for procedural the side in pixels; for array_record the side that will be asked for, no larger than
        that in the files.

    Raises:
      ValueError: unknown source or split, or what is wrong with the files and where to get them.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: use {', '.join(SPLITS)}")
    if source not in SOURCES:
        raise ValueError(f"unknown data source {source!r}: use {', '.join(SOURCES)}")
    if not root and source in ("celeba", "csv", "array_record"):
        raise ValueError(f"data source {source} needs a folder: set root (--config.data.root=FOLDER)")
    # Only the source that is asked for is imported: TensorFlow Datasets alone takes a second.
    if source == "celeba":
        from a3gan_jax.data.celeba import CelebA

        return CelebA([_path(part) for part in root.split(",")], split, min_photos=min_photos)
    if source == "csv":
        from a3gan_jax.data.csv_folder import CSVFolder

        return CSVFolder(_path(root), split, crop=crop, min_photos=min_photos)
    if source == "tfds":
        from a3gan_jax.data.tfds_source import TFDSCelebA

        return TFDSCelebA(root, split, min_photos=min_photos)
    if source == "array_record":
        from a3gan_jax.data.array_record_source import ArrayRecordFaces

        return ArrayRecordFaces(_path(root), split, min_photos=min_photos, image_size=image_size)
    from a3gan_jax.data.procedural import ProceduralFaces

    ends = {
        "train": (0, size * 8 // 10),
        "validation": (size * 8 // 10, size * 9 // 10),
        "test": (size * 9 // 10, size),
    }
    return Part(ProceduralFaces(size, image_size=image_size, seed=seed), *ends[split])


def _path(text: str) -> Path:
    return Path(text.strip()).expanduser()


class Part:
    """Every ``step``-th face from ``start`` to ``stop`` (not included) of a data set; people keep their numbers."""

    def __init__(self, whole: FaceDataset, start: int, stop: int, step: int = 1):
        self._whole, self._places = whole, range(start, stop, step)
        self.attribute_names, self.num_people, self.crop = whole.attribute_names, whole.num_people, whole.crop

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._whole[self._places[index]]

    def annotation(self, index: int) -> dict[str, Any]:
        """What the whole knows about a face beyond its attributes; see ``ProceduralFaces.annotation``."""
        return self._whole.annotation(self._places[index])


class Joined:
    """Several data sets as one, one after the other; nobody is in two of them.

    ``attribute_names`` are those that all have, in the order of the first. Every face says its own ``crop``.
    """

    def __init__(self, parts: Sequence[FaceDataset]):
        self._parts, self.crop = tuple(parts), parts[0].crop
        self.attribute_names = tuple(
            name for name in parts[0].attribute_names if all(name in part.attribute_names for part in parts)
        )
        self._columns = [positions(self.attribute_names, part.attribute_names) for part in parts]
        self._first_face = np.cumsum([0, *(len(part) for part in parts)])
        self._first_person = np.cumsum([0, *(part.num_people for part in parts)])
        self.num_people = int(self._first_person[-1])

    def __len__(self) -> int:
        return int(self._first_face[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        which = int(np.searchsorted(self._first_face, index, side="right")) - 1
        part = self._parts[which]
        face = part[index - int(self._first_face[which])]
        known = face["identity"] >= 0
        return face | {
            "attributes": np.asarray(face["attributes"])[self._columns[which]],
            "identity": face["identity"] + int(self._first_person[which]) if known else -1,
            "crop": face.get("crop", part.crop),
        }
