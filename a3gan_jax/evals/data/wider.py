"""Photos with boxes around all their faces: WIDER FACE (Yang et al., CVPR 2016) in its official format, and any CSV."""

import os
from pathlib import Path

import numpy as np

from a3gan_jax.data.tables import csv_file, read_table
from a3gan_jax.evals.data.photo_files import absent, loader
from a3gan_jax.evals.photos import LabelledPhotos

INVALID = 7  # field of a face's line: 1 where nobody can tell whether it is a face
EXPECTED = """\
A folder of WIDER FACE holds, for val or train,
  WIDER_val/images/                          the photos, EVENT/FILE.jpg
  wider_face_split/wider_face_val_bbx_gt.txt for each photo its name, its number of faces, and for each face a line
                                             x y w h blur expression illumination invalid occlusion pose; a photo
                                             without a face has one line of zeros
Get them at http://shuoyang1213.me/WIDERFACE/ (research only)."""

EXPECTED_CSV = "a CSV of boxes has the columns file, x, y, w, h, one row a face; empty numbers for a photo without one"


def wider_photos(root: str | os.PathLike, split: str = "val") -> LabelledPhotos:
    """The photos of one split with the boxes of their faces; what is marked invalid, or has no area, is no face.

    Args:
        root: a folder as ``EXPECTED`` says.
        split: val | train; the boxes of test are not public.

    Raises:
        ValueError: what is missing or wrong, and what is expected.
    """
    images = Path(root) / f"WIDER_{split}" / "images"
    path = Path(root) / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt"
    if lacking := [place for place in (images, path) if not place.exists()]:
        raise ValueError(f"WIDER FACE cannot be read: {lacking[0]} is missing\n{EXPECTED}")
    return _photos("wider", images, _read_annotations(path), EXPECTED)


def boxed_photos(root: str | os.PathLike) -> LabelledPhotos:
    """Photos with boxes from a CSV with the columns ``file``, ``x``, ``y``, ``w`` and ``h`` (left, top, width, height).

    Further columns are not read. A photo without a face has one row with empty numbers.

    Args:
        root: a CSV, or a folder with exactly one in it; files are relative to its folder.

    Raises:
        ValueError: what is wrong with the file, and what is expected.
    """
    path = csv_file(Path(root))
    _, rows = read_table(path, ["file", "x", "y", "w", "h"])
    boxes: dict[str, list[list[float]]] = {}
    for row in rows:
        numbers = [row[name] for name in ("x", "y", "w", "h")]
        found = boxes.setdefault(row["file"], [])
        if any(numbers):
            found.append(_box(numbers, f"{path}: a box of {row['file']}"))
    return _photos(path.parent.absolute().name, path.parent, boxes, EXPECTED_CSV)


def _photos(name: str, folder: Path, boxes: dict[str, list[list[float]]], expected: str) -> LabelledPhotos:
    files = tuple(boxes)
    if problem := absent(folder, files):
        raise ValueError(f"{problem}\n{expected}")
    return LabelledPhotos(
        name=name,
        files=files,
        load=loader(folder, files),
        identity=np.full(len(files), -1, np.int32),
        attributes=np.empty((len(files), 0), np.uint8),
        boxes=tuple(np.array(found, np.float64).reshape(-1, 4) for found in boxes.values()),
    )


def _box(numbers: list[str], where: str) -> list[float]:
    try:
        box = [float(number) for number in numbers]
    except ValueError as error:
        raise ValueError(f"{where} is {' '.join(numbers)!r}; {EXPECTED_CSV}") from error
    if not np.isfinite(box).all() or box[2] <= 0 or box[3] <= 0:
        raise ValueError(f"{where} is {' '.join(numbers)!r}, and must have a width and a height above 0")
    return box


def _read_annotations(path: Path) -> dict[str, list[list[float]]]:
    """Name of a photo -> boxes of its faces (left, top, width, height)."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    boxes: dict[str, list[list[float]]] = {}
    place = 0
    while place < len(lines):
        name = " ".join(lines[place])
        count = lines[place + 1] if place + 1 < len(lines) else []
        if len(count) != 1 or not count[0].isdigit():
            raise ValueError(f"{path}, line {place + 2}: expected the number of faces of {name[:80]!r}\n{EXPECTED}")
        if name in boxes:
            raise ValueError(f"{path}, line {place + 1}: {name} is there twice\n{EXPECTED}")
        start, place = place + 2, place + 2 + max(1, int(count[0]))
        faces = lines[start:place]
        for number, face in enumerate(faces, start + 1):
            if len(face) != 10 or not all(field.removeprefix("-").isdigit() for field in face):
                raise ValueError(f"{path}, line {number}: expected ten whole numbers for a face of {name}\n{EXPECTED}")
        if len(faces) != max(1, int(count[0])):
            raise ValueError(f"{path} ends within the faces of {name}\n{EXPECTED}")
        numbers = [[float(field) for field in face] for face in faces]
        boxes[name] = [face[:4] for face in numbers if face[2] > 0 and face[3] > 0 and face[INVALID] != 1]
    if not boxes:
        raise ValueError(f"{path} names no photo\n{EXPECTED}")
    return boxes
