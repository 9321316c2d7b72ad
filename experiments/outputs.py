"""What is done with each input and where its output goes, so that no original is lost or mixed with outputs."""

import filecmp
import functools
import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from a3gan_jax.media.containers import WRITERS
from a3gan_jax.media.formats import HEAD, SUFFIXES, WRITTEN_AS, foreign_format, image_format

MARK = "_anonymized"  # behind the name of an output that lies beside its input

Kind = Literal["image", "video", "other"]


class Job(NamedTuple):
    """One file: ``name`` as it is called in what is printed, ``inner`` within its folder, where it lies and goes."""

    name: str
    source: Path
    target: Path
    inner: str
    kind: Kind = "image"


def plan(
    inputs: Sequence[str], output: Path | None, *, in_place: bool = False, others: Sequence[Path] = ()
) -> list[Job]:
    """What is to be done with files, folders and globs; nothing is written.

    With ``output`` the tree of each folder, and each file by its name, goes there; if it is one file, ``output`` may be
    a file too. Without, an output lies beside its input, with MARK behind its name; what a folder or glob holds of such
    names, and what is the output of another input, is of an earlier run and left alone. In place the output takes the
    input's place, through a link too.

    What a file is, is told by its content. An output has the ending of its input where that fits what is written, else
    the fitting one behind it: photo.gif -> photo_anonymized.gif.png.

    Args:
        others: further files that will be written; they may not take the place of an input or of an output either.

    Raises:
        ValueError: an input that is not there, an ending of ``output`` that does not fit, or what ``claim`` says.
        OSError: a folder cannot be read.
    """
    beside = output is None and not in_place
    found = [entry for text in inputs for entry in _found(text, leave_outputs=beside)]
    folders = [folder for _, folder in found if folder is not None]
    single = output is not None and len(found) == 1 and not folders and output.suffix != "" and not output.is_dir()
    if output is not None and output.exists() and not output.is_dir() and not single:
        raise ValueError(f"{output} is not a folder: choose another one for the outputs")
    jobs, seen = [], set()
    for source, folder in found:
        place = source.resolve() if in_place else source.absolute()
        if place in seen:
            continue
        seen.add(place)
        kind, form = look(source)
        if kind == "other" and folder is None:
            kind = "image"  # who names it takes it for one
        inner = source.relative_to(folder) if folder is not None else Path(source.name)
        if in_place:
            target = place
        elif single:
            target = output
            if form is not None and output.suffix.lower() not in SUFFIXES[form]:
                raise ValueError(f"{source} is written as {form}: name it {output.with_suffix(SUFFIXES[form][0])}")
        else:
            name = f"{source.stem}{MARK}{source.suffix}" if beside else source.name
            if form is not None and source.suffix.lower() not in SUFFIXES[form]:
                name += SUFFIXES[form][0]
            target = source.with_name(name) if beside else output / inner.with_name(name)
        jobs.append(Job(source.as_posix(), source, target, inner.as_posix(), kind))
    if beside:
        targets = {job.target.resolve() for job in jobs}
        jobs = [job for job in jobs if job.source.resolve() not in targets]
    if not jobs:
        raise ValueError(f"there is no file in {', '.join(inputs)}")
    made = [job.target for job in jobs if job.kind != "other"]
    claim([] if in_place else made, (job.source for job in jobs), folders if output is not None else [])
    claim(others, [*(job.source for job in jobs), *made], [])
    return jobs


def claim(targets: Iterable[Path], taken: Iterable[Path], folders: Sequence[Path]) -> None:
    """Checks places of files that will be written.

    Raises:
        ValueError: one is ``taken``, or another's as well, or lies among the originals in ``folders``.
    """

    @functools.cache
    def apart(place: Path) -> Path:
        real = place.resolve()
        for folder in folders:
            if any(parent.exists() and parent.samefile(folder) for parent in (real, *real.parents)):
                raise ValueError(
                    f"outputs in {place} would mix with the originals in {folder}: choose a folder beside it"
                )
        return real

    places = {path.resolve() for path in taken}
    for target in targets:
        real = apart(target.parent) / target.name
        if real in places:
            raise ValueError(f"{target} would take the place of an input or of another output")
        places.add(real)


def look(path: Path) -> tuple[Kind, str | None]:
    """What a file is, and as which image format it will be written (None if it is no image that can be read).

    The first bytes decide; the name only where they say nothing. So what is called an image and is none counts as one,
    a broken one. What cannot be opened is known by its name too.
    """
    head, suffix = b"", path.suffix.lower()
    try:
        if path.is_file():  # a pipe would wait for ever
            with path.open("rb") as file:
                head = file.read(HEAD)
    except OSError:
        pass
    if form := image_format(head):
        return "image", WRITTEN_AS[form]
    if foreign_format(head):
        return "image", None
    if head[4:8] == b"ftyp" or head.startswith(b"\x1a\x45\xdf\xa3") or head[:4] + head[8:12] == b"RIFFAVI ":
        return "video", None
    if suffix in WRITERS:
        return "video", None
    return ("image" if any(suffix in endings for endings in SUFFIXES.values()) else "other"), None


def files_in(folder: Path) -> list[Path]:
    """Everything in the tree that is no folder. Links to folders too: nobody follows them, so they must be named."""

    def stop(error: OSError) -> None:
        raise error  # else its files would be missing without a word

    tree = os.walk(folder, onerror=stop)
    found = (Path(root, name) for root, folders, names in tree for name in (*folders, *names))
    return sorted(path for path in found if path.is_symlink() or not path.is_dir())


def obstacle(job: Job, *, overwrite: bool, in_place: bool) -> str | None:
    """Why a job must not be done: "" if its output is there from an earlier run, a reason in words, or None.

    An earlier output is whole, newer than its input and not a copy of it; anything else in its place is not ours.
    """
    if in_place:
        many = job.source.stat().st_nlink > 1
        return "has another name (a hard link) that would keep the original: copy it first" if many else None
    if not os.path.lexists(job.target):
        return None
    if job.target.is_dir():
        return f"there is a folder in the place of its output {job.target}: remove it"
    if overwrite:
        return None
    if not job.target.is_file() or job.target.stat().st_mtime_ns < job.source.stat().st_mtime_ns:
        return f"a file that is older than its input lies at {job.target}: remove it, or add --overwrite"
    if filecmp.cmp(job.target, job.source, shallow=False):
        return f"a copy of the original lies at {job.target}: remove it, or add --overwrite"
    return ""


def _found(text: str, *, leave_outputs: bool) -> list[tuple[Path, Path | None]]:
    """The files that an argument names, each with the folder that was named, if one was."""
    path = Path(text)
    folder = path if path.is_dir() else None
    if folder is not None:
        files = [file for file in files_in(path) if not (file.name.startswith(".") and file.name.endswith(".new"))]
    elif os.path.lexists(path):
        return [(path, None)]
    else:
        files = [file for match in sorted(glob.glob(text, recursive=True)) if not (file := Path(match)).is_dir()]
        if not files:
            raise ValueError(f"{text} is not there: name files, folders or globs")
    if leave_outputs:
        files = [file for file in files if not any(name.endswith(MARK) for name in (file.stem, Path(file.stem).stem))]
    return [(file, folder) for file in files]
