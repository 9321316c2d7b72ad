"""Any folder of aligned faces with a CSV file that describes them."""

import csv
import os
from pathlib import Path

import numpy as np

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.data.identities import number_people
from a3gan_jax.data.tables import csv_file

EXPECTED = """\
A CSV of faces is UTF-8 text with commas and a header line; its columns:
  file            an image, relative to the CSV's own folder
  identity        (optional) the person, any text; empty where unknown
  split           (optional) train, validation (or val) or test; without it every face is in train
  CelebA's names  (optional) attributes such as Smiling: 1, or 0 or -1
Other columns are kept as they are."""

_SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}  # how it may be written
_SHOWN = 10  # problems listed before "and N more"


class CSVFolder:
    """Faces of one split of a CSV, with the attributes and people that it knows; a ``FaceDataset``.

    ``people`` holds the texts of the column ``identity`` in the order of their numbers; ``labels`` the columns that are
    nothing to the network (an expression, an age): name -> one text a face.
    """

    def __init__(self, root: str | os.PathLike, split: str, *, crop: str = "square", min_photos: int = 1):
        """Reads the CSV; images only when they are asked for.

        Args:
          root: a CSV file, or a folder with labels.csv or exactly one other CSV in it.
          split: train | validation | test.
          crop: "square" for aligned crops in this package's geometry, "celeba" for photos in CelebA's.
          min_photos: people with fewer photos in this split get identity -1.

        Raises:
          ValueError: once, naming all that is wrong with the file; or no face in ``split``.
        """
        self.crop = crop
        try:
            path = csv_file(Path(root))
        except ValueError as error:
            raise ValueError(f"{error}\n{EXPECTED}") from error
        columns, rows = _read(path)
        problems = _problems(path, columns, rows)
        if problems:
            more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
            listed = "".join(f"\n  * {problem}" for problem in [*problems[:_SHOWN], *more])
            raise ValueError(f"{path} cannot be used:{listed}\n{EXPECTED}")
        rows = [row for row in rows if _SPLITS[row.get("split", "train")] == split]
        if not rows:
            hint = "" if "split" in columns else ": it has no column split, so every face is in train"
            raise ValueError(f"no face of {path} is in the {split} split{hint}")

        self.attribute_names = tuple(name for name in CELEBA_ATTRIBUTES if name in columns)
        self.attributes = np.array([[row[name] == "1" for name in self.attribute_names] for row in rows], np.uint8)
        self.identity, self.people = number_people([row.get("identity") or None for row in rows], min_photos)
        rest = [name for name in columns if name not in ("file", "identity", "split", *self.attribute_names)]
        self.labels = {name: [row[name] for row in rows] for name in rest}
        self._folder, self._files = path.parent, [row["file"] for row in rows]

    @property
    def num_people(self) -> int:
        return len(self.people)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> dict:
        file = self._files[index]
        return {
            "name": file,
            "image": (self._folder / file).read_bytes(),
            "attributes": self.attributes[index],
            "identity": int(self.identity[index]),
        }


def _read(path: Path) -> tuple[list[str], list[dict]]:
    """Names of the columns, and the rows; a row too long has an entry under None, one too short the value None."""
    with path.open(encoding="utf-8-sig", newline="") as file:  # Excel begins its UTF-8 with a mark
        reader = csv.DictReader(file)
        rows = [{name: value.strip() if isinstance(value, str) else value for name, value in r.items()} for r in reader]
        return list(reader.fieldnames or []), rows


def _problems(path: Path, columns: list[str], rows: list[dict]) -> list[str]:
    """All that is wrong, in words."""
    if "file" not in columns:
        return [f"it has no column file, only: {', '.join(columns)[:200]}"]
    if not rows:
        return ["it names no face"]
    right = {name.lower(): name for name in ("file", "identity", "split", *CELEBA_ATTRIBUTES)}
    problems = [
        f"column {name} is written {right[name.lower()]}"
        for name in columns
        if right.get(name.lower(), name) != name  # else it would be ignored without a word
    ]
    problems += [f"column {name} is there twice" for name in sorted(set(columns)) if columns.count(name) > 1]
    attributes = [name for name in columns if name in CELEBA_ATTRIBUTES]
    for number, row in enumerate(rows, 1):
        where = f"face {number} ({row['file']})"
        if None in row or None in row.values():
            problems.append(f"{where} has {'more' if None in row else 'fewer'} fields than there are columns")
            continue
        if row.get("split", "train") not in _SPLITS:
            problems.append(f"{where} has split {row['split']!r}")
        problems += [f"{where} has {n} = {row[n]!r}" for n in attributes if row[n] not in ("1", "0", "-1")]
        if not (path.parent / row["file"]).is_file():
            problems.append(f"{where} is not in {path.parent}")
    return problems
