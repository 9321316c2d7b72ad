"""The command line of experiments/anonymize.py: its options, and which of them go together."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from a3gan_jax.anonymizer import DETECTOR_SCORE
from a3gan_jax.attributes import TASKS
from a3gan_jax.faces.replacement import MIN_FACE


def parse(description: str, arguments: Sequence[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser, for its errors, and what the command line says."""
    parser = argparse.ArgumentParser(
        prog="anonymize.py",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )

    def names(text: str) -> list[str]:
        return [name.strip() for name in text.split(",") if name.strip()]

    def values(text: str) -> dict[str, int]:
        pairs = [name.partition("=") for name in names(text)]
        if wrong := [name for name, _, value in pairs if value not in ("0", "1")]:
            raise argparse.ArgumentTypeError(f"write NAME=0 or NAME=1, not {', '.join(wrong)}")
        return {name.strip(): int(value) for name, _, value in pairs}

    def region(text: str) -> tuple[float, ...]:
        try:
            numbers = tuple(float(number) for number in text.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != 4 or not np.isfinite(numbers).all() or min(numbers[2:]) <= 0:
            raise argparse.ArgumentTypeError("write X,Y,W,H in pixels, W and H above 0")
        return numbers

    add = parser.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="image files, folders with their subfolders, globs")
    add("-o", "--output", type=Path, metavar="OUT", help="folder, or file for one file; default: beside each input")
    add("--in-place", action="store_true", help="overwrite the inputs; a second run does them again")
    add("--overwrite", action="store_true", help="make outputs anew that are there already")
    add("--weights", type=Path, metavar="DIR", help="a model, the workdir of a training, or a name in the package")
    add = parser.add_argument_group("who they become").add_argument
    add("--task", choices=tuple(TASKS), default="none", help="keeps the attributes that a task needs")
    add("--keep", type=names, default=[], metavar="A,B", help="attributes that stay as well")
    add(
        "--change",
        type=names,
        metavar="A,B",
        help="the only attributes that may change; default: all others that the face alone shows",
    )
    add("--set", type=values, default={}, metavar="A=1,B=0", help="attributes with a given value")
    add("--strength", type=float, default=1.0, metavar="0..1", help="1 anonymises, below the original shows through")
    add("--seed", type=int, default=0, help="another seed, other pseudonyms")
    add("--no-check", action="store_true", help="do not have a recogniser say whether the original is gone")
    add = parser.add_argument_group("which faces").add_argument
    add("--threshold", type=float, metavar="0..1", help=f"score that a face needs; default: {DETECTOR_SCORE}")
    add("--min-face", type=float, metavar="PX", help=f"narrower faces are covered; default: {MIN_FACE}")
    add("--max-res", type=int, metavar="PX", help="search faces with the longer side shrunk to it; misses small ones")
    add("--detector", type=Path, metavar="ONNX", help="another YuNet")
    add("--boxes", type=Path, metavar="JSON", help="faces that you found, for every file; the detector is not asked")
    add("--export-detections", type=Path, metavar="JSON", help="writes the faces found, in the form of --boxes")
    add("--spare", type=Path, action="append", default=[], metavar="PHOTO", help="do not touch this person; repeatable")
    add("--only", type=Path, action="append", default=[], metavar="PHOTO", help="touch nobody else; repeatable")
    add("--region", type=region, metavar="X,Y,W,H", help="only faces whose centre lies inside, in pixels")
    add = parser.add_argument_group("what is written").add_argument
    add("--keep-metadata", action="store_true", help="keep date, camera, exposure, author; never place or thumbnail")
    add("--no-audio", action="store_true", help="leave out the sound of videos")
    add("--report", type=Path, metavar="JSON", help="what was done with each file and face, and all settings")
    add = parser.add_argument_group("aligned crops").add_argument
    add("--aligned", action="store_true", help="INPUT is a folder of aligned face crops, outputs have the model's size")
    add("--crop", choices=("square", "celeba"), default="square", help="celeba: cut aligned CelebA photos (178x218)")
    add("--attributes", type=Path, metavar="CSV", help="labels: file and attribute columns; default: predicted")
    return parser, parser.parse_intermixed_args(arguments)  # inputs may stand on both sides of options


def check(given: argparse.Namespace) -> None:
    """Raises ValueError where options are out of range or do not go together."""
    if not 0.0 <= given.strength <= 1.0 or not 0 <= given.seed < 2**32:
        raise ValueError("--strength is in [0, 1], --seed in 0 <= seed < 2**32")
    if given.threshold is not None and not 0.0 <= given.threshold < 1.0:
        raise ValueError("--threshold is in [0, 1)")
    if given.min_face is not None and not given.min_face >= 0:
        raise ValueError("--min-face is 0 or more pixels")
    if given.max_res is not None and given.max_res < 32:
        raise ValueError("--max-res is 32 pixels or more")
    of_photos = {
        "--in-place": given.in_place,
        "--overwrite": given.overwrite,
        "--no-check": given.no_check,
        "--threshold": given.threshold,
        "--min-face": given.min_face,
        "--max-res": given.max_res,
        "--detector": given.detector,
        "--boxes": given.boxes,
        "--export-detections": given.export_detections,
        "--spare": given.spare,
        "--only": given.only,
        "--region": given.region,
        "--keep-metadata": given.keep_metadata,
        "--no-audio": given.no_audio,
    }
    if given.aligned:
        if wrong := [name for name, value in of_photos.items() if value not in (None, False, [])]:
            raise ValueError(f"{', '.join(wrong)} is for whole photos, not for --aligned")
        if len(given.inputs) != 1 or given.output is None:
            raise ValueError("--aligned needs one folder and -o OUT")
    elif given.attributes or given.crop != "square":
        raise ValueError("--attributes and --crop are for --aligned")
    if given.in_place and given.output is not None:
        raise ValueError("--in-place and -o exclude each other")
    if given.boxes and (given.threshold is not None or given.detector or given.max_res):
        raise ValueError("--boxes takes the detector's place: leave out --threshold, --detector and --max-res")
