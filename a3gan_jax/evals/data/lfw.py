"""Labeled Faces in the Wild (Huang et al., 2007) in its official layout, with the pairs of its protocol."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from a3gan_jax.data.identities import number_people
from a3gan_jax.data.tables import read_table
from a3gan_jax.evals.data.photo_files import absent, loader
from a3gan_jax.evals.data.subset import spread
from a3gan_jax.evals.photos import LabelledPhotos, Pairs

IMAGES = ("lfw-deepfunneled", "lfw", "lfw_funneled")  # folders of photos, the first that is there is taken
PAIRS = "pairs.txt"
EXPECTED = f"""\
A folder of LFW holds
  {" | ".join(IMAGES)}
              the photos, NAME/NAME_0001.jpg
  {PAIRS}   a line with the number of folds and of pairs of each kind in a fold; then for each fold its lines
              NAME NUMBER NUMBER (one person), then as many NAME NUMBER NAME NUMBER (two people)
  labels.csv  (optional) file, and any labels such as expression or gender
Get photos and pairs at http://vis-www.cs.umass.edu/lfw/ (research only)."""


class _Pair(NamedTuple):
    first: tuple[str, int]  # name of the person, number of the photo
    second: tuple[str, int]
    same: bool
    fold: int


def lfw_photos(root: str | os.PathLike, *, limit: int | None = None) -> LabelledPhotos:
    """The photos that some pair uses, sorted by name, and the pairs in the order of the file.

    Args:
        root: a folder as ``EXPECTED`` says.
        limit: at most so many pairs of each fold, half of one person and half of two (rounded down), evenly spread.

    Raises:
        ValueError: what is missing or wrong, and what is expected.
    """
    root = Path(root)
    images = next((name for name in IMAGES if (root / name).is_dir()), None)
    if images is None or not (root / PAIRS).is_file():
        what = f"none of the folders {', '.join(IMAGES)}" if images is None else f"no {PAIRS}"
        raise ValueError(f"LFW cannot be read: {root} has {what}\n{EXPECTED}")
    pairs = _read_pairs(root / PAIRS)
    if limit is not None:
        pairs = _limited(pairs, limit)
    used = sorted({photo for pair in pairs for photo in (pair.first, pair.second)})
    files = tuple(f"{images}/{name}/{name}_{number:04d}.jpg" for name, number in used)
    if problem := absent(root, files):
        raise ValueError(f"LFW cannot be read: {problem}\n{EXPECTED}")
    position = {photo: i for i, photo in enumerate(used)}
    return LabelledPhotos(
        name="lfw",
        files=files,
        load=loader(root, files),
        identity=number_people([name for name, _ in used])[0],
        labels=_labels(root / "labels.csv", files),
        attributes=np.empty((len(files), 0), np.uint8),
        pairs=Pairs(
            first=np.array([position[pair.first] for pair in pairs]),
            second=np.array([position[pair.second] for pair in pairs]),
            same=np.array([pair.same for pair in pairs]),
            fold=np.array([pair.fold for pair in pairs]),
        ),
    )


def _read_pairs(path: Path) -> list[_Pair]:
    lines = path.read_text(encoding="utf-8").splitlines()
    header = lines[0].split() if lines else []
    if len(header) not in (1, 2) or not all(word.isdigit() and int(word) for word in header):
        raise ValueError(f"{path}, line 1: expected the numbers of folds and of pairs of each kind\n{EXPECTED}")
    folds, count = (int(word) for word in ("1", *header)[-2:])  # view 1 has no number of folds: it is one
    rest = [(number, line.split()) for number, line in enumerate(lines[1:], 2) if line.strip()]
    if len(rest) != 2 * folds * count:
        raise ValueError(f"{path}, line 1 promises {2 * folds * count} pairs, {len(rest)} follow\n{EXPECTED}")
    return [_pair(path, *line, place // (2 * count), place % (2 * count) < count) for place, line in enumerate(rest)]


def _pair(path: Path, number: int, fields: list[str], fold: int, same: bool) -> _Pair:
    first, second = (fields[:2], [fields[0], *fields[2:]]) if same else (fields[:2], fields[2:])
    if len(fields) != (3 if same else 4) or not (first[1].isdigit() and second[1].isdigit()):
        form = "NAME NUMBER NUMBER" if same else "NAME NUMBER NAME NUMBER"
        raise ValueError(f"{path}, line {number}: expected {form}, found {' '.join(fields)[:60]!r}\n{EXPECTED}")
    one, other = ((name, int(photo)) for name, photo in (first, second))
    if one == other or same != (one[0] == other[0]):
        raise ValueError(f"{path}, line {number}: not two photos of {'one person' if same else 'two people'}")
    return _Pair(one, other, same, fold)


def _limited(pairs: list[_Pair], limit: int) -> list[_Pair]:
    """At most ``limit`` pairs of each fold, half of each kind."""
    if limit < 2:
        raise ValueError(f"a limit must be 2 pairs of a fold at least, one of each kind, not {limit}")
    kept = []
    for fold in sorted({pair.fold for pair in pairs}):
        for same in (True, False):
            kind = [pair for pair in pairs if (pair.fold, pair.same) == (fold, same)]
            kept += [kind[i] for i in spread(len(kind), limit // 2)]
    return kept


def _labels(path: Path, files: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The columns of labels.csv but ``file`` and ``identity``, empty for photos without a row."""
    if not path.exists():
        return {}
    columns, rows = read_table(path, ["file"])
    by_file = {row["file"]: row for row in rows}
    if not any(file in by_file for file in files):
        raise ValueError(f"{path} names none of the photos: its column file is relative to {path.parent}")
    names = [name for name in columns if name not in ("file", "identity")]
    return {name: tuple(by_file.get(file, {}).get(name, "") for file in files) for name in names}
