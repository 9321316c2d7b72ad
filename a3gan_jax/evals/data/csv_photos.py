"""Any folder of photos with a CSV: how FairFace, RAF-DB, CK+, YawDD or a user's own photos come in."""

import os
from pathlib import Path

import numpy as np

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.data.identities import number_people
from a3gan_jax.data.tables import csv_file, read_table
from a3gan_jax.evals.data.photo_files import absent, loader
from a3gan_jax.evals.photos import LabelledPhotos

EXPECTED = """\
A CSV of photos is UTF-8 text with commas and a header line; its columns:
  file            a photo, relative to the CSV's own folder
  identity        (optional) the person, any text; empty where unknown
  CelebA's names  (optional) attributes such as Smiling: 1, or 0 or -1
All others are labels, any text, empty where unknown; of these, group tells which photos are near copies of one another
and must not be parted, and where split says train, a model may have learned from the photo: it is not judged by it."""


def csv_photos(root: str | os.PathLike, *, held_out: bool = False) -> LabelledPhotos:
    """Whole photos with the labels of a CSV; the columns ``group`` and ``split`` are labels too.

    Args:
        root: a CSV, or a folder with labels.csv or exactly one other CSV in it.
        held_out: without the rows that have ``train`` in the column ``split``, from which ``data.csv_folder`` trains.

    Raises:
        ValueError: what is wrong with the file, and what is expected; or no photo is left.
    """
    path = csv_file(Path(root))
    columns, rows = read_table(path, ["file"])
    if held_out:
        rows = [row for row in rows if row.get("split") != "train"]
        if not rows:
            raise ValueError(
                f"all photos of {path} are in split 'train', from which models learn: none is left to judge by"
            )
    files = tuple(row["file"] for row in rows)
    names = tuple(name for name in CELEBA_ATTRIBUTES if name in columns)
    if problem := absent(path.parent, files) or _problem(columns, rows, names):
        raise ValueError(f"{path} cannot be used: {problem}\n{EXPECTED}")
    identity, _ = number_people([row.get("identity") or None for row in rows])
    return LabelledPhotos(
        name=path.parent.absolute().name,
        files=files,
        load=loader(path.parent, files),
        identity=identity,
        labels={name: tuple(row[name] for row in rows) for name in columns if name not in ("file", "identity", *names)},
        attributes=np.array([[row[name] == "1" for name in names] for row in rows], np.uint8),
        attribute_names=names,
    )


def _problem(columns: list[str], rows: list[dict[str, str]], attributes: tuple[str, ...]) -> str:
    """The first thing that is wrong, in words; empty where nothing is."""
    right = {name.lower(): name for name in ("file", "identity", "group", "split", *CELEBA_ATTRIBUTES)}
    for name in columns:
        if right.get(name.lower(), name) != name:  # else it would pass for a label
            return f"column {name} is written {right[name.lower()]}"
    seen: set[str] = set()
    for row in rows:
        if row["file"] in seen:
            return f"{row['file']} is there twice"
        seen.add(row["file"])
        for name in attributes:
            if row[name] not in ("1", "0", "-1"):
                return f"{row['file']} has {name} = {row[name]!r}"
    return ""
