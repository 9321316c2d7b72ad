"""Where the outputs of a folder go, so that no original is lost or mixed with them, and how they are written."""

import functools
import io
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

FORMATS = {
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".png": {"format": "PNG"},
    ".webp": {"format": "WEBP", "lossless": True},
}


class Job(NamedTuple):
    """One file: ``name`` within the folder, where it lies and where it goes."""

    name: str
    source: Path
    target: Path


def plan(folder: Path, out: Path, *, labels: Path | None = None, report: Path | None = None) -> list[Job]:
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
    for source in _files(folder):
        name = source.relative_to(folder)
        target = name if name.suffix.lower() in FORMATS else name.with_name(f"{name.name}.png")
        if labels is None or source.resolve() != labels.resolve():
            jobs.append(Job(name.as_posix(), source, out / target))

    @functools.cache
    def apart(place: Path) -> Path:
        real = place.resolve()
        if any(parent.exists() and parent.samefile(folder) for parent in (real, *real.parents)):
            raise ValueError(f"outputs in {place} would mix with the originals in {folder}: choose a folder beside it")
        return real

    apart(out)
    taken = {path.resolve() for path in [*(job.source for job in jobs), *([labels] if labels else [])]}
    for target in [*(job.target for job in jobs), *([report] if report else [])]:
        real = apart(target.parent) / target.name
        if real in taken:
            raise ValueError(f"{target} would take the place of an input or of another output")
        taken.add(real)
    return jobs


def _files(folder: Path) -> list[Path]:
    """Everything in the tree that is no folder. Links to folders too: nobody follows them, so they must be named."""

    def stop(error: OSError) -> None:
        raise error  # else its files would be missing without a word

    tree = os.walk(folder, onerror=stop)
    found = (Path(root, name) for root, folders, names in tree for name in (*folders, *names))
    return sorted(path for path in found if path.is_symlink() or not path.is_dir())


def encoded(image: np.ndarray, suffix: str) -> bytes:
    """An image (H, W, 3) uint8 as a file in the format of ``suffix``: its pixels and nothing else."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, **FORMATS[suffix.lower()])
    return file.getvalue()


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:  # x: does not write through a link that stands there
            file.write(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
