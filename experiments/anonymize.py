"""Anonymises a folder of aligned face crops.

    python -m experiments.anonymize --aligned FOLDER -o OUT --weights DIR [--task expression] [--set Eyeglasses=1] ...

OUT gets the tree of FOLDER, every image made anew from generated pixels alone: no EXIF, colour profile, comment or
thumbnail comes along. Names stay; what is no JPEG, PNG or WebP by its name gets .png behind it. A file that is not an
image is named and not copied, and the others are done.

Exit codes: 0 all files are anonymised; 3 some could not be, they are named on stderr; 2 a wrong command line, nothing
is written.
"""

import argparse
import csv
import functools
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import flax
import jax
import numpy as np
from PIL import Image, UnidentifiedImageError

import a3gan_jax
from a3gan_jax.anonymizer import Anonymizer
from a3gan_jax.attributes import TASKS, control
from a3gan_jax.data.pipeline import aligned_face
from experiments.compilation import use_compilation_cache
from experiments.outputs import Job, encoded, plan, write_whole

FAILED = 3  # exit code
CHUNK = 64  # files in memory at once
LARGEST_FILE = 2**26  # bytes; a face crop is smaller, a video in the folder is not


def read_labels(path: Path, names: Sequence[str]) -> dict[str, list[int]]:
    """File within the folder -> its attributes (K,) in {0, 1}, from a CSV with the columns ``file`` and ``names``.

    Raises:
        ValueError: a missing column, a value other than 1, 0 and -1, or a file that stands there twice.
    """
    with path.open(newline="", encoding="utf-8-sig") as text:
        rows = csv.DictReader(text)
        if missing := [name for name in ("file", *names) if name not in (rows.fieldnames or ())]:
            raise ValueError(
                f"{path} has no column {', '.join(missing)}; without --attributes the model sees for itself"
            )
        labels: dict[str, list[int]] = {}
        for row in rows:
            if wrong := [f"{name}={row[name]}" for name in names if row[name] not in ("1", "0", "-1")]:
                raise ValueError(f"{path}, line {rows.line_num}: attributes are 1, or 0 or -1, not {', '.join(wrong)}")
            if (name := Path(row["file"] or "").as_posix()) in labels:
                raise ValueError(f"{path}, line {rows.line_num}: {name} stands there twice")
            labels[name] = [int(row[attribute] == "1") for attribute in names]
    return labels


def read_face(path: Path, crop: str, size: int) -> np.ndarray:
    """An aligned face (size, size, 3) uint8 from an image file."""
    if not path.is_file():
        raise ValueError("no regular file, or a link to none")
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"larger than {LARGEST_FILE >> 20} MiB, no face crop")
    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return aligned_face(content, crop, size)


def outcomes(generate: Callable, faces: list[np.ndarray], labels: list | None) -> list[tuple | FloatingPointError]:
    """(image, before, after) or an error for each face; one that fails takes no other one with it."""
    try:
        done = generate(np.stack(faces), attributes=labels)
        return list(zip(done.images, done.before.tolist(), done.after.tolist(), strict=True))
    except FloatingPointError:
        if len(faces) == 1:
            return [FloatingPointError("the model's output is not finite")]
        return [outcomes(generate, faces[i : i + 1], labels and labels[i : i + 1])[0] for i in range(len(faces))]


def anonymize(jobs: list[Job], generate: Callable, crop: str, size: int, labels: dict | None) -> Iterator[tuple]:
    """Does the jobs; for each one (job, before, after, None), or (job, None, None, reason) and there is no output."""
    for start in range(0, len(jobs), CHUNK):
        readable, faces = [], []
        for job in jobs[start : start + CHUNK]:
            try:
                if labels is not None and job.name not in labels:
                    raise ValueError("has no row in the file of --attributes")
                faces.append(read_face(job.source, crop, size))
                readable.append(job)
            except UnidentifiedImageError:
                yield job, None, None, "no image format that Pillow knows"
            except Exception as error:  # a broken file may make Pillow raise anything; the others are done
                yield job, None, None, str(error) or type(error).__name__
        given = labels and [labels[job.name] for job in readable]
        for job, outcome in zip(readable, outcomes(generate, faces, given) if faces else [], strict=True):
            try:
                if isinstance(outcome, FloatingPointError):
                    raise outcome
                image, before, after = outcome
                write_whole(job.target, encoded(image, job.target.suffix))
                yield job, before, after, None
            except (OSError, FloatingPointError) as error:
                yield job, None, None, str(error)


def parse(arguments: Sequence[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        prog="anonymize.py",
        description=__doc__,
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

    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="aligned face crops; subfolders too")
    add("--aligned", action="store_true", help="the images are aligned crops (as yet the only choice)")
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="folder of the outputs, outside FOLDER")
    add("--weights", type=Path, required=True, metavar="DIR", help="an exported model, or the workdir of a training")
    add("--crop", choices=("square", "celeba"), default="square", help="celeba: cut aligned CelebA photos (178x218)")
    add("--task", choices=tuple(TASKS), default="none", help="keeps the attributes that a task needs")
    add("--keep", type=names, default=[], metavar="A,B", help="attributes that stay as well")
    add("--change", type=names, metavar="A,B", help="the only attributes that may change; default: all others")
    add("--set", type=values, default={}, metavar="A=1,B=0", help="attributes with a given value")
    add("--strength", type=float, default=1.0, metavar="0..1", help="1 anonymises, below the original shows through")
    add("--seed", type=int, default=0, help="another seed, other pseudonyms")
    add("--attributes", type=Path, metavar="CSV", help="labels: file and attribute columns; default: predicted")
    add("--report", type=Path, metavar="JSON", help="attributes before and after, seed, strength, versions, failures")
    return parser, parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    parser, given = parse(arguments)
    logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax's remarks on reading a checkpoint
    if not given.aligned:
        parser.error(
            "whole photos are not supported yet: cut each face to an aligned square crop (geometry.crop_landmarks says "
            "where eyes, nose and mouth lie) and add --aligned"
        )
    try:
        if not 0.0 <= given.strength <= 1.0 or not 0 <= given.seed < 2**32:
            raise ValueError("--strength is in [0, 1], --seed in 0 <= seed < 2**32")
        jobs = plan(given.folder, given.output, labels=given.attributes, report=given.report)
        if not jobs:
            raise ValueError(f"there is no file in {given.folder}")
        use_compilation_cache()
        anonymizer = Anonymizer.load(given.weights)
        names = anonymizer.attribute_names
        wanted = control(names, task=given.task, keep=given.keep, change=given.change, set=given.set)
        labels = read_labels(given.attributes, names) if given.attributes else None
    except (ValueError, OSError, csv.Error) as error:
        parser.error(str(error))
    if given.strength < 1:
        what = "outputs ARE the original faces" if given.strength == 0 else "the original faces show through"
        print(f"anonymize.py: WARNING: at strength {given.strength:g} {what}; only 1 anonymises", file=sys.stderr)

    generate = functools.partial(anonymizer.anonymize_aligned, control=wanted, strength=given.strength, seed=given.seed)
    done, failed = [], []
    for job, before, after, reason in anonymize(jobs, generate, given.crop, anonymizer.image_size, labels):
        if reason is None:
            output = job.target.relative_to(given.output).as_posix()
            shown = (dict(zip(names, values, strict=True)) for values in (before, after))
            done.append({"file": job.name, "output": output} | dict(zip(("before", "after"), shown, strict=True)))
        else:
            failed.append({"file": job.name, "reason": reason})
            print(f"anonymize.py: {job.name}: {reason}", file=sys.stderr)
    if given.report:
        report = {
            "versions": {module.__name__: module.__version__ for module in (a3gan_jax, jax, flax)},
            "model_step": anonymizer.step,
            "seed": given.seed,
            "strength": given.strength,
            "control": {"task": given.task, "keep": given.keep, "change": given.change, "set": given.set},
            "faces": done,
            "failed": failed,
        }
        try:
            write_whole(given.report, (json.dumps(report, indent=2) + "\n").encode())
        except OSError as error:
            failed.append({"file": str(given.report), "reason": str(error)})
            print(f"anonymize.py: the report could not be written: {error}", file=sys.stderr)
    print(f"{len(done)} faces anonymised in {given.output}, {len(failed)} files failed")
    return FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
