"""Anonymising a folder of aligned face crops: the way of ``anonymize --aligned``."""

import csv
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from a3gan_jax.data.pipeline import aligned_face
from a3gan_jax.media.images import write_whole
from experiments.outputs import Job, claim, files_in

CHUNK = 64  # files in memory at once
LARGEST_FILE = 2**26  # bytes; a face crop is smaller, a video in the folder is not
FORMATS = {
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".png": {"format": "PNG"},
    ".webp": {"format": "WEBP", "lossless": True},
}


def plan_aligned(folder: Path, out: Path, *, labels: Path | None = None, report: Path | None = None) -> list[Job]:
    """What is to be done with each file of the tree, but for ``labels``; nothing is written.

    An output has the name of its input, and .png behind it where that is of no format in FORMATS.

    Raises:
        ValueError: an output, or the report, would take the place of an input or of another output, or lie among the
            originals.
        OSError: a folder cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: give the folder of the aligned crops")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is not a folder: choose another one for the outputs")
    jobs = []
    for source in files_in(folder):
        name = source.relative_to(folder)
        target = name if name.suffix.lower() in FORMATS else name.with_name(f"{name.name}.png")
        if labels is None or source.resolve() != labels.resolve():
            jobs.append(Job(name.as_posix(), source, out / target, name.as_posix()))
    if not jobs:
        raise ValueError(f"there is no file in {folder}")
    targets = [*(job.target for job in jobs), *([report] if report else [])]
    claim(targets, [*(job.source for job in jobs), *([labels] if labels else [])], [folder])
    return jobs


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


def encoded(image: np.ndarray, suffix: str) -> bytes:
    """An image (H, W, 3) uint8 as a file in the format of ``suffix``: its pixels and nothing else."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, **FORMATS[suffix.lower()])
    return file.getvalue()
