"""Checks that no face in a folder of photos comes through: the product's acceptance test.

    python -m tools.check_photos FOLDER [FOLDER ...] [--boxes boxes.csv] [--weights DIR] [--seed 0] [--json FILE]

Anonymises every photo as experiments/anonymize.py does, in memory and so without loss, and judges the pixels with a
detector and a recogniser of its own (a3gan_jax/evals/photo_acceptance.py says how):

* every face that YuNet finds at 0.6 in the original is replaced or covered, and its pixels have really changed;
* SFace, as published, finds no match between the original and what is there now, by the points of the original and by
  those of faces that are found anew in the result;
* every box of --boxes that the detector finds is covered by changed pixels (a CSV file with the columns file, x, y, w
  and h, file relative to the CSV file);
* outside every mask no pixel has changed.

Prints a line for each violation, then a summary. --sheet FOLDER writes pairs of before and after to look at; THEY SHOW
THE ORIGINAL FACES. Exit codes: 0 no violation; 1 there is one; 2 a wrong command line.
"""

import argparse
import collections
import csv
import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from a3gan_jax.anonymizer import DETECTOR_SCORE, AnonymizedPhoto, Anonymizer
from a3gan_jax.evals.face_comparison import Look
from a3gan_jax.evals.onnx_recognizer import OnnxSFace
from a3gan_jax.evals.photo_acceptance import PhotoVerdict, Violation, judge
from a3gan_jax.evals.photo_report import as_json, summary, violations
from a3gan_jax.faces.detector import Detection, YuNet
from a3gan_jax.media.formats import SUFFIXES
from a3gan_jax.media.images import read_image
from experiments.compilation import use_compilation_cache

GROUP = 8  # photos that are anonymised together
SHEET_SIDE = 1200  # pixels, the longer side of a photo in a pair
ENDINGS = {ending for endings in SUFFIXES.values() for ending in endings} | {".bmp", ".gif"}

#: Photos (H, W, 3) uint8 -> what they become; ``Anonymizer.anonymize_photos``.
Anonymize = Callable[[Sequence[np.ndarray]], list[AnonymizedPhoto]]


def photos_in(folders: Sequence[Path]) -> list[Path]:
    """The files with an image's ending in folder trees.

    Raises:
        ValueError: a folder is none, or has no photo.
    """
    paths = []
    for folder in folders:
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
        if not found:
            raise ValueError(f"{folder} holds no photo: name a folder of photos")
        paths += found
    return paths


def read_boxes(path: Path) -> dict[Path, list[np.ndarray]]:
    """Photo -> boxes (left, top, width, height) drawn by hand.

    Raises:
        ValueError: the file has other columns, or a box that is none.
        OSError: it cannot be read.
    """
    boxes = collections.defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                box = np.array([float(row[name]) for name in "xywh"])
                name = row["file"]
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {number}: needs the columns file, x, y, w and h") from error
            if not np.isfinite(box).all() or (box[2:] <= 0).any():
                raise ValueError(f"{path}, line {number}: {box} is no box")
            boxes[(path.parent / name).resolve()].append(box)
    return dict(boxes)


def check(
    paths: Sequence[Path],
    anonymize: Anonymize,
    detect: Callable[[np.ndarray], list[Detection]],
    look: Look,
    boxes: Mapping[Path, list[np.ndarray]],
    show: Callable[[Path, np.ndarray, np.ndarray], None] | None = None,
) -> Iterator[tuple[Path, PhotoVerdict | Violation]]:
    """Judges photo by photo; a file that cannot be read, anonymised or judged is a violation and stops no other."""
    for start in range(0, len(paths), GROUP):
        originals: dict[Path, np.ndarray] = {}
        for path in paths[start : start + GROUP]:
            try:
                originals[path] = read_image(path).pixels
            except ValueError as error:
                yield path, _failed(error)
        for path, result in _anonymized(originals, anonymize):
            if isinstance(result, Violation):
                yield path, result
                continue
            try:
                verdict = judge(originals[path], result, detect, look, boxes.get(path.resolve(), ()))
                if show is not None:
                    show(path, originals[path], result.image)
            except Exception as error:  # whatever it is, the photo is not accepted, and the others are judged
                verdict = _failed(error)
            yield path, verdict


def _anonymized(
    originals: Mapping[Path, np.ndarray], anonymize: Anonymize
) -> Iterator[tuple[Path, AnonymizedPhoto | Violation]]:
    """Together, and where that fails one by one, as the command does."""
    try:
        yield from zip(originals, anonymize(list(originals.values())) if originals else [], strict=True)
    except Exception as error:
        if len(originals) == 1:
            yield next(iter(originals)), _failed(error)
            return
        for path, original in originals.items():
            yield from _anonymized({path: original}, anonymize)


def _failed(error: Exception) -> Violation:
    return Violation("failed", " ".join(str(error).split()) or type(error).__name__)


def write_pair(folder: Path, path: Path, before: np.ndarray, after: np.ndarray) -> None:
    """Before and after side by side, as a PNG named after the photo and its folder."""
    scale = min(1.0, SHEET_SIDE / max(before.shape))
    size = tuple(max(1, round(side * scale)) for side in before.shape[1::-1])
    pair = [np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)) for image in (before, after)]
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(pair, axis=1)).save(folder / f"{path.parent.name}_{path.name}.png")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--boxes", type=Path, help="boxes drawn by hand, as CSV")
    parser.add_argument("--weights", type=Path, help="an exported model or a training's workdir; else the package's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="all figures, photo by photo, into this file")
    parser.add_argument("--sheet", type=Path, help="pairs of before and after into this folder; shows the originals")
    given = parser.parse_args(arguments)
    use_compilation_cache()
    try:
        paths = photos_in(given.folders)
        boxes = read_boxes(given.boxes) if given.boxes else {}
        anonymizer, look = Anonymizer.load(given.weights), OnnxSFace()
    except (ValueError, OSError, ModuleNotFoundError) as error:
        parser.error(" ".join(str(error).split()))
    verdicts = []
    show = functools.partial(write_pair, given.sheet) if given.sheet else None
    for path, verdict in check(
        paths,
        lambda images: anonymizer.anonymize_photos(images, seed=given.seed),
        YuNet(score=DETECTOR_SCORE),
        look,
        boxes,
        show,
    ):
        verdicts.append((path, verdict))
        for _, violation in violations([(path, verdict)]):
            print(f"{path}: {violation.kind}: {violation.text}", flush=True)
        print(f"{len(verdicts)} of {len(paths)} photos", file=sys.stderr, flush=True)
    figures = summary(verdicts)
    elsewhere = boxes.keys() - {path.resolve() for path in paths}
    figures["boxes of photos that are not in these folders"] = sum(len(boxes[path]) for path in elsewhere)
    for name, value in figures.items():
        print(f"{name}: {_shown(value)}")
    if given.json:
        report = {"summary": figures, "photos": [as_json(*each) for each in verdicts]}
        given.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if figures["violations"] else 0


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_shown(number)} {what}" for what, number in value.items()) or "none"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
