"""CelebA in its official format: one folder, or several joined into one data set."""

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.data.identities import number_people

IMAGES = "img_align_celeba"
ATTRIBUTES = "list_attr_celeba.txt"
IDENTITIES = "identity_CelebA.txt"
PARTITION = "list_eval_partition.txt"
SPLITS = {"train": 0, "validation": 1, "test": 2}  # the official partition numbers

EXPECTED = f"""\
A CelebA folder holds, directly or in the folders Img, Anno and Eval of the official download:
  {IMAGES}/          the aligned photos, 178x218 pixels, NNNNNN.jpg (unzip img_align_celeba.zip)
  {ATTRIBUTES}       number of photos, names of the 40 attributes, then FILE and forty times 1 or -1
  {IDENTITIES}       FILE PERSON
  {PARTITION}    FILE 0 (train), 1 (validation) or 2 (test)
All three lists name exactly the photos in {IMAGES}/.
Get them at https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html (non-commercial research only)."""


class CelebA:
    """Photos, 40 attributes and people of one split of CelebA; a ``FaceDataset``.

    People of several folders are joined by CelebA's own person numbers, so one person in two folders is one person.
    ``people`` holds those numbers in the order of ``identity``.
    """

    attribute_names = CELEBA_ATTRIBUTES
    crop = "celeba"

    def __init__(self, roots: Sequence[str | os.PathLike], split: str, *, min_photos: int = 1):
        """Reads the lists of all ``roots``; photos only when they are asked for.

        Args:
          roots: folders in the official format.
          split: train | validation | test.
          min_photos: people with fewer photos in this split, over all folders, get identity -1.

        Raises:
          ValueError: once, naming everything that is missing or inconsistent in any of the folders.
        """
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}: CelebA has {', '.join(SPLITS)}")
        problems: list[str] = []
        folders = [_read_folder(Path(root).absolute(), problems) for root in roots]
        for (one, photos), (other, others) in itertools.combinations(folders, 2):
            if twice := sorted(photos.keys() & others.keys()):  # CelebA's file names are numbers of photos
                problems.append(f"{len(twice)} photos are both in {one} and in {other}, first {twice[0]}")
        if problems:
            raise ValueError("\n".join(["CelebA cannot be read:", *(f"  * {p}" for p in problems), EXPECTED]))

        self._paths: list[Path] = []
        attributes, people = [], []
        for images, table in folders:
            for name, (present, person, part) in table.items():
                if part == SPLITS[split]:
                    self._paths.append(images / name)
                    attributes.append(present)
                    people.append(person)
        if not self._paths:
            raise ValueError(f"no photo of {', '.join(map(str, roots))} is in the {split} part of {PARTITION}")
        self.attributes = np.stack(attributes)  # (N, 40) uint8
        self.identity, self.people = number_people(people, min_photos)  # (N,) int32

    @property
    def num_people(self) -> int:
        return len(self.people)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> dict:
        path = self._paths[index]
        return {
            "name": f"{_folder_name(path)}/{path.name}",
            "image": path.read_bytes(),
            "attributes": self.attributes[index],
            "identity": int(self.identity[index]),
        }


def _folder_name(photo: Path) -> str:
    """The name of the CelebA folder that a photo lies in."""
    parent = photo.parent.parent
    return parent.parent.name if parent.name == "Img" else parent.name


def _read_folder(root: Path, problems: list[str]) -> tuple[Path, Mapping[str, tuple[np.ndarray, int, int]]]:
    """The image folder and FILE -> (attributes, person, part), sorted by file; what is wrong is added to problems."""
    if not root.is_dir():
        problems.append(f"{root} is not a folder")
        return root, {}
    places = {name: _find(root, name, problems) for name in (IMAGES, ATTRIBUTES, IDENTITIES, PARTITION)}
    readers: dict[str, Callable] = {ATTRIBUTES: _read_attributes, IDENTITIES: _read_numbers, PARTITION: _read_numbers}
    lists = {name: read(places[name], problems) for name, read in readers.items() if places[name] is not None}
    if places[IMAGES] is not None:
        with os.scandir(places[IMAGES]) as entries:
            lists[IMAGES] = {e.name: None for e in entries if e.name.lower().endswith((".jpg", ".jpeg", ".png"))}

    known = set().union(*lists.values())
    for place, table in lists.items():
        absent = sorted(known - table.keys())
        if absent and table:  # an unreadable list has been reported already
            some = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
            problems.append(f"{places[place]} lacks {len(absent)} of {len(known)} photos that the rest names: {some}")
        elif not table and place == IMAGES:
            problems.append(f"{places[place]} has no photo in it")
    wrong = sorted(name for name, part in lists.get(PARTITION, {}).items() if part not in SPLITS.values())
    if wrong:
        problems.append(f"{places[PARTITION]} has parts other than 0, 1 and 2, first at {wrong[0]}")
    if problems:
        return root, {}
    rows = {name: (lists[ATTRIBUTES][name], lists[IDENTITIES][name], lists[PARTITION][name]) for name in sorted(known)}
    return places[IMAGES], rows


def _find(root: Path, name: str, problems: list[str]) -> Path | None:
    for folder in (root, root / "Img", root / "Anno", root / "Eval"):
        if (folder / name).exists():
            return folder / name
    problems.append(f"{root / name} is missing")
    return None


def _read_numbers(path: Path, problems: list[str]) -> dict[str, int]:
    """FILE -> NUMBER, from lines of these two."""
    table = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or not fields[1].isdigit():
            problems.append(f"{path}, line {number}: expected FILE NUMBER, found {line.strip()[:60]!r}")
            return {}
        table[fields[0]] = int(fields[1])
    if not table:
        problems.append(f"{path} is empty")
    return table


def _read_attributes(path: Path, problems: list[str]) -> dict[str, np.ndarray]:
    """FILE -> attributes (40,) uint8 in {0, 1}, in the order of CELEBA_ATTRIBUTES whatever the order in the file."""
    lines = path.read_text().splitlines()
    header = lines[1].split() if len(lines) > 1 else []
    if sorted(header) != sorted(CELEBA_ATTRIBUTES):
        problems.append(f"{path}, line 2: expected the names of CelebA's 40 attributes")
        return {}
    order = [header.index(name) for name in CELEBA_ATTRIBUTES]
    table = {}
    for number, line in enumerate(lines[2:], 3):
        name, *values = line.split() or [""]
        if not name:
            continue
        if len(values) != len(header) or not set(values) <= {"1", "-1"}:
            problems.append(f"{path}, line {number}: expected FILE and forty times 1 or -1, found {line[:60]!r}")
            return {}
        table[name] = np.array([values[i] == "1" for i in order], np.uint8)
    if lines[0].strip() != str(len(table)):
        problems.append(f"{path}, line 1 promises {lines[0].strip()[:20]!r} photos, {len(table)} follow")
    return table
