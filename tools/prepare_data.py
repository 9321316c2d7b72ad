"""Prepares a data set once: decoded, aligned, cropped and resized faces in ArrayRecord files, fast to train from.

    python -m tools.prepare_data --source=celeba --root=FOLDER[,FOLDER] --image_size=128 --output=DIR
    python -m tools.prepare_data --verify --output=DIR [--source=celeba --root=FOLDER]
    python -m experiments.train --config.data.source=array_record --config.data.root=DIR ...

DIR gets dataset.json and, for each split, files SPLIT-00000-of-00016.array_record and SPLIT-identity.npy; what is in
them stands in a3gan_jax/data/array_record_source.py. Faces lie in the order of the source, so that training meets the
same batches. Treat DIR as you treat the photos.

The same command goes on where a run was stopped: a file that is finished is not made again. Other options are refused.
An image that cannot be decoded is left out and listed in dataset.json; once it is repaired, the same command takes it
in. In the end every file is read back and compared with its SHA-256, and some of its faces with the source.

Exit codes: 0 all is there and right; 1 too many images cannot be decoded, or files are damaged; 2 a wrong command line
or source; 130 stopped by Ctrl-C.
"""

import argparse
import concurrent.futures
import functools
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from a3gan_jax.data.array_record_source import DESCRIPTION, identity_file, read_description
from a3gan_jax.data.sources import SOURCES, SPLITS, FaceDataset, load_dataset
from tools.preparation.description import claim, corrupt_images, describe, save, shards_of, summary
from tools.preparation.shards import NEW, Damaged, Shard, can_be_decoded, check_shard, listed, make_shard
from tools.preparation.workers import Workers

DEFAULTS = {"split": "all", "shards": 16, "format": "raw"}


def prepare(given: argparse.Namespace) -> None:
    """Makes what is missing of the set, and checks all of it.

    Raises:
        ValueError: the source cannot be read, or the folder holds something else.
        Damaged: too many corrupt images, or files that are not as they were written.
    """
    output = given.output
    open_again = functools.partial(open_sources, given.source, given.root, given.split, given.image_size)
    sources = open_again()
    description = claim(output, describe(given, sources))
    for leftover in output.glob(f"*{NEW}"):  # of a run that was killed
        leftover.unlink()
    files = {name: facts for part in description["splits"].values() for name, facts in part["files"].items()}
    todo = [
        shard
        for shard in shards_of(output, description)
        if (facts := files[shard.path.name]) is None
        or not shard.path.is_file()
        or any(can_be_decoded(sources[shard.split], entry["index"], shard.image_size) for entry in facts["corrupt"])
    ]

    def made(shard: Shard, facts: Mapping[str, Any]) -> None:
        description["complete"] = False
        description["splits"][shard.split]["files"][shard.path.name] = facts
        save(output, description)

    if todo and len(todo) < len(files):
        print(f"{len(files) - len(todo)} of {len(files)} files are there already")
    with Workers(sources, open_again, given.processes) as workers:
        workers.run(make_shard, [(shard, given.max_corrupt) for shard in todo], made, "preparing")
        if len(corrupt := corrupt_images(description)) > given.max_corrupt:
            raise Damaged(
                f"{len(corrupt)} images cannot be decoded, the limit is {given.max_corrupt}; repair them, or raise "
                f"--max_corrupt, and run the same command again:\n{listed(corrupt)}"
            )
        found = check(output, description, workers)
    for split, people in found.items():
        temporary = output / f"{split}-identity.npy{NEW}"
        with temporary.open("wb") as file:
            np.save(file, people)
        os.replace(temporary, identity_file(output, split))
    description["complete"] = True
    save(output, description)
    print(summary(output, description))
    if corrupt:
        print(f"{len(corrupt)} images cannot be decoded and were left out:\n{listed(corrupt)}")


def verify(given: argparse.Namespace) -> None:
    """Checks a finished set, with the source if that is given.

    Raises:
        ValueError: there is no finished set, or the source cannot be read or is another one.
        Damaged: files that are not as they were written, or not what the source holds.
    """
    description = read_description(given.output)
    if not description["complete"]:
        raise ValueError(f"{given.output} is not finished: run the command that began it again")
    splits = tuple(description["splits"]) if given.source else ()
    open_again = functools.partial(open_sources, given.source, given.root, splits, description["image_size"])
    sources = open_again()
    for split, faces in sources.items():
        if len(faces) != (images := description["splits"][split]["images"]):
            raise ValueError(f"the set was prepared from {images} images of {split}, this source has {len(faces)}")
    with Workers(sources, open_again, given.processes) as workers:
        found = check(given.output, description, workers)
    for split, people in found.items():
        path = identity_file(given.output, split)
        if not path.is_file() or not np.array_equal(np.load(path), people):
            raise Damaged(f"{path} is missing or not what the files hold: run the command that made the set again")
    print(summary(given.output, description))
    print("every file is as it was written" + (", and holds what the source does" if sources else ""))


def check(output: Path, description: Mapping[str, Any], workers: Workers) -> dict[str, np.ndarray]:
    """Reads all files back; split -> the people (N,) int32.

    Raises:
        Damaged: names every file that is wrong, and how.
    """
    shards = shards_of(output, description)
    results: dict[Path, tuple[str, np.ndarray]] = {}
    jobs = [(shard, description["splits"][shard.split]["files"][shard.path.name]) for shard in shards]
    workers.run(check_shard, jobs, lambda shard, result: results.update({shard.path: result}), "checking")
    if wrong := [f"  * {shard.path.name} {problem}" for shard in shards if (problem := results[shard.path][0])]:
        raise Damaged(
            "\n".join([f"{output} is not right:", *wrong])
            + "\nRemove these files and run the command that made the set again: it makes only what is missing."
        )
    return {
        split: np.concatenate([results[shard.path][1] for shard in shards if shard.split == split])
        for split in description["splits"]
    }


def open_sources(source: str, root: str, splits: Sequence[str], image_size: int) -> dict[str, FaceDataset]:
    """The splits of a source, with everybody's number.

    Raises:
        ValueError: one cannot be read.
    """
    sources = {}
    for split in splits:
        try:
            sources[split] = load_dataset(source, root, split, image_size=image_size)
        except ValueError as error:
            raise ValueError(f"split {split}: {error}") from error
    return sources


# ---- the command


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="prepare_data.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--source", choices=[source for source in SOURCES if source != "array_record"])
    parser.add_argument("--root", default="", help="folder of the photos, for celeba several separated by commas")
    parser.add_argument("--image_size", type=positive, help="side of the faces in pixels, as training will ask for")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--split", help="all (default), or some of train,validation,test")
    parser.add_argument("--shards", type=positive, help=f"files of each split (default {DEFAULTS['shards']})")
    parser.add_argument("--format", type=image_format, help="raw (default: fastest), png (smaller) or jpeg:QUALITY")
    parser.add_argument("--processes", type=positive, default=cores(), help="default: one for each core")
    parser.add_argument("--max_corrupt", type=int, default=10, help="images that may be impossible to decode")
    parser.add_argument(
        "--verify", action="store_true", help="only check a set that is there; with its source if given"
    )
    given = parser.parse_args(arguments)
    chosen = [name for name in ("image_size", *DEFAULTS) if getattr(given, name) is not None]
    if given.verify and chosen:
        parser.error(f"--verify takes these from {DESCRIPTION}: leave out --{', --'.join(chosen)}")
    if not given.verify and not (given.source and given.image_size):
        parser.error("--source and --image_size are needed")
    for name, value in DEFAULTS.items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    given.split = SPLITS if given.split == "all" else tuple(given.split.split(","))
    if unknown := [name for name in given.split if name not in SPLITS]:
        parser.error(f"unknown split {unknown[0]!r}: use all, or some of {','.join(SPLITS)}")
    parts = given.root.split(",") if given.source == "celeba" else [given.root]
    given.root = ",".join(os.path.abspath(os.path.expanduser(part.strip())) for part in parts if part.strip())
    return given


def positive(text: str) -> int:
    if not text.isdecimal() or not (value := int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return value


def image_format(text: str) -> str:
    kind, _, quality = text.partition(":")
    if text in ("raw", "png") or (kind == "jpeg" and quality.isdecimal() and 1 <= int(quality) <= 100):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not raw, png or jpeg:QUALITY with a quality from 1 to 100")


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    try:
        (verify if given.verify else prepare)(given)
    except Damaged as error:
        return fail(str(error), 1)
    except (ModuleNotFoundError, OSError, ValueError) as error:
        return fail(str(error), 2)
    except concurrent.futures.BrokenExecutor:
        return fail("a process died, perhaps for want of memory; the same command goes on", 1)
    except KeyboardInterrupt:
        return fail("stopped; the same command goes on", 130)
    return 0


def fail(reason: str, code: int) -> int:
    print(f"prepare_data.py: error: {reason}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
