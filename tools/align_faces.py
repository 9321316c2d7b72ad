"""Cuts aligned faces out of photos, to train on a data set that is not aligned.

    python -m tools.align_faces --root=FOLDER --output=DIR [--size=256] [--attribute=NAME=COLUMN:TEXT[,TEXT...] ...] \
        [--classifier=MODEL]
    python -m experiments.train --config.data.source=csv --config.data.root=DIR ...

FOLDER holds photos and a CSV with a column ``file``. Of each photo the largest face that YuNet finds is cut out as
anonymizing cuts it out; where that is more than the photo shows, its border is repeated. DIR, which must not exist yet,
gets the faces as PNG files, and labels.csv: the table of FOLDER with the new files, and a column for each --attribute,
1 where the named column holds one of the texts, else 0. FairFace, for one, has gender and age:

    --attribute=Male=gender:Male --attribute=Young=age:0-2,3-9,10-19,20-29,30-39

--classifier adds the other attributes that an A3GAN (its folder, or its name in the package) knows, as its classifier
sees them. It errs, and what it learned from limits what such labels may be used for.

Photos that cannot be read, or have no face that can be placed, are named and left out. Treat DIR as you treat the
photos.

Exit codes: 0 DIR is whole; 2 a wrong command line or table, or no face at all.
"""

import argparse
import csv
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from a3gan_jax.attributes import CELEBA_ATTRIBUTES, positions
from a3gan_jax.data.tables import csv_file, read_table
from a3gan_jax.face_model import FaceModel
from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.detector import YuNet
from a3gan_jax.faces.placement import place
from a3gan_jax.media.images import UnreadableImage, read_image
from a3gan_jax.weights import read_model

SIZES = (64, 128, 256, 384)


class NoFace(ValueError):
    """A photo of which no aligned face can be made; the reason, with the file's name."""


def cut_largest_face(path: Path, detector: YuNet, size: int) -> np.ndarray:
    """The largest face of a photo, aligned: (size, size, 3) uint8.

    Raises:
        NoFace: it cannot be read, or there is none that can be placed.
    """
    try:
        image = read_image(path).pixels
    except UnreadableImage as error:
        raise NoFace(f"{path}: {error}") from error
    found = detector(image)
    placed = place(max(found, key=lambda face: face.box[2:].prod())) if found else "no face is found"
    if isinstance(placed, str):
        raise NoFace(f"{path}: {placed}")
    return resample(image, placed.to_crop(size), size, size)


class Attribute:
    """A column to add, as the command line says it: ``NAME=COLUMN:TEXT[,TEXT...]``."""

    def __init__(self, text: str):
        self.name, _, rest = text.partition("=")
        self.column, _, values = rest.partition(":")
        self.values = {value.strip() for value in values.split(",") if value.strip()}
        if not self.values:
            raise argparse.ArgumentTypeError(f"{text!r} is not NAME=COLUMN:TEXT[,TEXT...]")
        try:
            positions([self.name], CELEBA_ATTRIBUTES)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error


def align(
    root: Path, output: Path, size: int, attributes: Sequence[Attribute], classifier: FaceModel | None = None
) -> tuple[int, list[str]]:
    """Makes the folder ``output``, whole or not at all; returns how many faces are in it, and why others are not.

    Raises:
        ValueError: the table cannot be used, ``output`` exists, the faces are too small for the classifier, or there is
            no face.
    """
    if output.exists():
        raise ValueError(f"{output} exists: remove it, or name another folder")
    table = csv_file(root)
    columns, rows = read_table(table, ["file", *(attribute.column for attribute in attributes)])
    given = [attribute.name for attribute in attributes]
    seen = [name for name in classifier.attribute_names if name not in given] if classifier else []
    if taken := [name for name in (*given, *seen) if name in columns]:
        raise ValueError(f"{table} has the column {', '.join(taken)} already")
    for attribute in attributes:
        if unknown := attribute.values - {row[attribute.column] for row in rows}:
            raise ValueError(f"no row of {table} has {', '.join(sorted(unknown))} in the column {attribute.column}")

    output.parent.mkdir(parents=True, exist_ok=True)
    working = output.with_name(f".{output.name}.new")
    shutil.rmtree(working, ignore_errors=True)  # of a run that was killed
    working.mkdir()
    try:
        detector, aligned, left_out = YuNet(), [], []
        for number, row in enumerate(rows):
            try:
                face = cut_largest_face(table.parent / row["file"], detector, size)
            except NoFace as error:
                left_out.append(str(error))
                continue
            name = f"{number:06d}.png"
            Image.fromarray(face).save(working / name)
            shown = {attribute.name: int(row[attribute.column] in attribute.values) for attribute in attributes}
            if classifier:
                found = classifier.predict_attributes(face[None])[0]
                shown |= {n: int(v) for n, v in zip(classifier.attribute_names, found, strict=True) if n in seen}
            aligned.append(row | {"file": name} | shown)
        if not aligned:
            raise ValueError(f"no face of {table} can be aligned: {left_out[0]}")
        with (working / "labels.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*columns, *given, *seen])
            writer.writeheader()
            writer.writerows(aligned)
        working.rename(output)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return len(aligned), left_out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="CSV, or the folder that holds it")
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--size", type=int, choices=SIZES, default=256, help="side of the faces in pixels")
    parser.add_argument("--attribute", type=Attribute, action="append", default=[], help="column to add")
    parser.add_argument("--classifier", metavar="MODEL", help="an A3GAN whose other attributes are added")
    given = parser.parse_args()
    try:
        classifier = FaceModel(read_model(given.classifier)) if given.classifier else None
        count, left_out = align(given.root, given.output, given.size, given.attribute, classifier)
    except (FileNotFoundError, ValueError) as error:  # what a user can do something about
        print(f"align_faces: error: {error}", file=sys.stderr)
        return 2
    for reason in left_out:
        print(f"left out: {reason}")
    print(f"{count} faces of {count + len(left_out)} photos: {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
