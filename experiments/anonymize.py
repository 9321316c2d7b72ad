"""Anonymises photos, videos, and folders of them.

    python -m experiments.anonymize photo.jpg                              writes photo_anonymized.jpg beside it
    python -m experiments.anonymize holiday/ clip.mp4 "scans/*.png" -o OUT --task expression --seed 7
    python -m experiments.anonymize --aligned FACES -o OUT                 a folder of aligned face crops

Every face that is found is replaced by that of a person who does not exist; one with which anything goes wrong is
pixelated. A picture in which no face is found is written too, and named: it may be a miss. Outputs are in the format
and size of their inputs (GIF and BMP become PNG), upright, without metadata. A file whose output is there already is
not done again, so a stopped run continues with the same command. In a video one person keeps one pseudonym; it is
written whole or not at all. Files that are neither images nor videos are named and skipped.

Exit codes: 0 all is done; 3 some files failed and have no output, they are named on stderr; 2 a wrong command line,
nothing is written.
"""

import argparse
import csv
import functools
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flax
import jax
import numpy as np

import a3gan_jax
from a3gan_jax.anonymizer import DETECTOR_SCORE, Anonymizer
from a3gan_jax.attributes import Control, control
from a3gan_jax.faces.detector import Detection, YuNet
from a3gan_jax.faces.identity import references
from a3gan_jax.faces.replacement import MIN_FACE
from a3gan_jax.media.images import read_image, write_whole
from a3gan_jax.video_anonymizer import anonymize_video
from experiments import aligned_faces
from experiments.anonymize_options import check, parse
from experiments.compilation import use_compilation_cache
from experiments.detections import read_detections, written_detections
from experiments.outputs import Job, plan
from experiments.photos import anonymize_files, summary, summary_text
from experiments.videos import video_command

FAILED = 3  # exit code
NOT_FOR_VIDEOS = ("spare", "only", "region", "boxes", "export_detections", "max_res", "keep_metadata")


def main(arguments: Sequence[str] | None = None) -> int:
    parser, given = parse(__doc__, arguments)
    logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax's remarks on reading a checkpoint
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # its remarks on damaged files; they are named anyway
    try:
        check(given)
        use_compilation_cache()
        if given.aligned:
            folder = Path(given.inputs[0])
            jobs = aligned_faces.plan_aligned(folder, given.output, labels=given.attributes, report=given.report)
            anonymizer = Anonymizer.load(given.weights)
        else:
            others = [path for path in (given.report, given.export_detections) if path is not None]
            jobs = plan(given.inputs, given.output, in_place=given.in_place, others=others)
            boxes = read_detections(given.boxes) if given.boxes else None
            score = DETECTOR_SCORE if given.threshold is None else given.threshold
            detector = YuNet(score=score, path=given.detector) if given.boxes is None else None
            anonymizer = Anonymizer.load(given.weights, detector=detector)
        names = anonymizer.model.attribute_names
        roles = dict(task=given.task, keep=given.keep, change=given.change, set=given.set)
        wanted = control(names, **roles, in_photo=not given.aligned)
        if given.aligned:
            labels = aligned_faces.read_labels(given.attributes, names) if given.attributes else None
        else:
            people = {option: persons(anonymizer, f"--{option}", vars(given)[option]) for option in ("spare", "only")}
    except (ValueError, OSError, csv.Error, ModuleNotFoundError) as error:
        parser.error(" ".join(str(error).split()))
    if given.strength < 1:
        what = "outputs ARE the original faces" if given.strength == 0 else "the original faces show through"
        say(f"WARNING: at strength {given.strength:g} {what}; only 1 anonymises")
    if given.aligned:
        return run_aligned(given, jobs, anonymizer, wanted, labels)
    return run_photos(given, jobs, anonymizer, wanted, people, boxes)


def persons(anonymizer: Anonymizer, option: str, paths: Sequence[Path]) -> list[np.ndarray] | None:
    """One embedding a reference photo; ValueError naming the photo that cannot be used."""
    found = []
    for path in paths:
        try:
            found.extend(references([read_image(path).pixels], anonymizer.detector, anonymizer.recognizer))
        except ValueError as error:
            raise ValueError(f"{option} {path}: {error}") from error
    return found or None


def run_photos(
    given: argparse.Namespace,
    jobs: Sequence[Job],
    anonymizer: Anonymizer,
    wanted: Control,
    people: dict[str, list[np.ndarray] | None],
    boxes: dict[str, list[Detection]] | None,
) -> int:
    common = dict(
        control=wanted,
        strength=given.strength,
        seed=given.seed,
        check=not given.no_check,
        min_face=MIN_FACE if given.min_face is None else given.min_face,
    )
    photos = functools.partial(anonymizer.anonymize_photos, region=given.region, **people, **common)
    videos = functools.partial(
        anonymize_video, anonymizer, audio=not given.no_audio, detector=anonymizer.detector, **common
    )
    unfit = {f"--{name.replace('_', '-')}": vars(given)[name] for name in NOT_FOR_VIDEOS}
    results = []
    for result in anonymize_files(
        jobs,
        photos,
        video_command(videos, unfit, in_place=given.in_place),
        anonymizer.detector if boxes is None else boxes,
        max_resolution=given.max_res,
        keep_metadata=given.keep_metadata,
        overwrite=given.overwrite,
        in_place=given.in_place,
    ):
        results.append(result)
        name, target = result.job.name, result.job.target
        if result.status in ("failed", "skipped"):
            say(f"{name}: {result.status}: {result.reason}")
        elif result.status == "no face found":
            say(f"WARNING: {name}: no face found, so {target} shows all that it shows; look whether one was missed")
        elif result.status == "anonymised":
            what = f"{len(result.faces)} faces" if result.video is None else f"{result.video.frames} frames"
            print(f"{name} -> {target}: {what}", flush=True)
        for warning in result.video.warnings if result.video else ():
            say(f"WARNING: {name}: {warning}")
    figures = summary(results)
    bad = "failed" in figures["files"]
    if given.report:
        report = {"files": [result.as_json() for result in results], "summary": figures}
        bad |= not wrote(given.report, "report", as_json(head(given, anonymizer) | report))
    if given.export_detections:
        found = {result.job.name: result.detections for result in results if result.detections is not None}
        bad |= not wrote(given.export_detections, "file of detections", written_detections(found))
    print(summary_text(figures))
    return FAILED if bad else 0


def run_aligned(
    given: argparse.Namespace,
    jobs: list[Job],
    anonymizer: Anonymizer,
    wanted: Control,
    labels: dict[str, list[int]] | None,
) -> int:
    generate = functools.partial(anonymizer.model.anonymize, control=wanted, strength=given.strength, seed=given.seed)
    names, size = anonymizer.model.attribute_names, anonymizer.model.image_size
    done, failed = [], []
    for job, before, after, reason in aligned_faces.anonymize(jobs, generate, given.crop, size, labels):
        if reason is None:
            output = job.target.relative_to(given.output).as_posix()
            shown = (dict(zip(names, values, strict=True)) for values in (before, after))
            done.append({"file": job.name, "output": output} | dict(zip(("before", "after"), shown, strict=True)))
        else:
            failed.append({"file": job.name, "reason": reason})
            say(f"{job.name}: {reason}")
    bad = bool(failed)
    if given.report:
        report = head(given, anonymizer) | {"faces": done, "failed": failed}
        bad |= not wrote(given.report, "report", as_json(report))
    print(f"{len(done)} faces anonymised in {given.output}, {len(failed)} files failed")
    return FAILED if bad else 0


def head(given: argparse.Namespace, anonymizer: Anonymizer) -> dict[str, Any]:
    """What a report says about the run."""
    return {
        "versions": {module.__name__: module.__version__ for module in (a3gan_jax, jax, flax)},
        "model_step": anonymizer.model.step,
        "seed": given.seed,
        "strength": given.strength,
        "check": not given.no_check and given.strength == 1.0 and not given.aligned,
        "control": {"task": given.task, "keep": given.keep, "change": given.change, "set": given.set},
    }


def as_json(report: dict[str, Any]) -> bytes:
    return (json.dumps(report, indent=2) + "\n").encode()


def wrote(path: Path, what: str, content: bytes) -> bool:
    try:
        write_whole(path, content)
    except OSError as error:
        say(f"the {what} could not be written: {error}")
        return False
    return True


def say(text: str) -> None:
    print(f"anonymize.py: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
