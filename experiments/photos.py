"""The way of files through the command: photos read, searched, anonymised in groups, written; all of them counted."""

import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from a3gan_jax.anonymizer import AnonymizedPhoto, FaceOutcome
from a3gan_jax.faces.detector import Detection
from a3gan_jax.media.formats import SUFFIXES
from a3gan_jax.media.images import Picture, read_image, write_image
from a3gan_jax.video_anonymizer import VideoReport
from experiments.detections import detect
from experiments.outputs import Job, obstacle
from experiments.videos import AnonymizeVideo

GROUP_FILES, GROUP_PIXELS = 32, 2**25  # in memory at once; one photo may be larger

Status = Literal["anonymised", "no face found", "already done", "skipped", "failed"]
Detector = Callable[[np.ndarray], list[Detection]]


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What became of a file. There is an output only for the first three statuses.

    reason: in words, of what is skipped or failed.  detections: None where nobody looked for faces.
    video: of a video that was done; then ``faces`` is empty.
    """

    job: Job
    status: Status
    reason: str = ""
    faces: tuple[FaceOutcome, ...] = ()
    detections: Sequence[Detection] | None = None
    video: VideoReport | None = None

    def as_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"file": self.job.name, "status": self.status}
        if self.status in ("failed", "skipped"):
            return entry | {"reason": self.reason}
        entry["output"] = self.job.target.as_posix()
        if self.video is not None:
            return entry | {"video": dataclasses.asdict(self.video)}
        return entry | {"faces": [_face_as_json(face) for face in self.faces]}


def _face_as_json(face: FaceOutcome) -> dict[str, Any]:
    entry = {"box": [float(number) for number in face.box], "score": face.score, "outcome": face.outcome}
    if face.reason:
        entry["reason"] = face.reason
    if face.outcome == "anonymised":
        entry |= {"seed": face.seed, "before": face.before, "after": face.after, "cosine": face.cosine}
    return entry


def anonymize_files(
    jobs: Sequence[Job],
    anonymize: Callable[..., list[AnonymizedPhoto]],
    anonymize_video: AnonymizeVideo,
    faces: Detector | Mapping[str, list[Detection]],
    *,
    max_resolution: int | None = None,
    keep_metadata: bool = False,
    overwrite: bool = False,
    in_place: bool = False,
) -> Iterator[Result]:
    """Does the jobs that are images or videos; one Result each, images in groups and so later than videos.

    Args:
        anonymize: photos and ``detections`` -> photos; see ``Anonymizer.anonymize_photos``.
        anonymize_video: a job that is a video -> its report; see ``videos.video_command``.
        faces: a detector; or the faces of every file, by its name or its name within its folder.
        max_resolution: see ``detections.detect``.
    """
    group: list[tuple[Job, Picture, list[Detection]]] = []
    for job in jobs:
        if job.kind == "other":
            yield Result(job, "skipped", "no image")
            continue
        try:
            stopped = obstacle(job, overwrite=overwrite, in_place=in_place)
            if stopped is not None:
                yield Result(job, "failed", stopped) if stopped else Result(job, "already done")
                continue
            if job.kind == "video":
                report = anonymize_video(job)
                found_any = report.anonymised or report.covered
                yield Result(job, "anonymised" if found_any else "no face found", video=report)
                continue
            picture = read_image(job.source)
            if job.target.suffix.lower() not in SUFFIXES[picture.format]:
                raise ValueError(f"is written as {picture.format}, but would be named {job.target.name}: rename it")
            if isinstance(faces, Mapping):
                found = _given(faces, job)
            else:
                found = detect(faces, picture.pixels, max_resolution)
        except Exception as error:  # a detector may fail in any way; the other files are done
            yield Result(job, "failed", _words(error))
            continue
        group.append((job, picture, found))
        if len(group) == GROUP_FILES or sum(entry[1].pixels.size for entry in group) >= 3 * GROUP_PIXELS:
            yield from _finish(group, anonymize, keep_metadata)
            group = []
    yield from _finish(group, anonymize, keep_metadata)


def _given(faces: Mapping[str, list[Detection]], job: Job) -> list[Detection]:
    for name in (job.name, job.inner):
        if name in faces:
            return faces[name]
    raise ValueError(f"has no entry in the file of --boxes: add {job.name!r}, with [] if it shows no face")


def _finish(
    group: Sequence[tuple[Job, Picture, list[Detection]]],
    anonymize: Callable[..., list[AnonymizedPhoto]],
    keep_metadata: bool,
) -> Iterator[Result]:
    """Anonymises photos together and writes them; one that fails takes no other one with it, and is not written."""
    if not group:
        return
    try:
        photos = anonymize([picture.pixels for _, picture, _ in group], detections=[found for _, _, found in group])
    except Exception as error:  # whatever it is: no output, and the others are done
        if len(group) == 1:
            yield Result(group[0][0], "failed", _words(error), detections=group[0][2])
            return
        for entry in group:
            yield from _finish([entry], anonymize, keep_metadata)
        return
    for (job, picture, found), photo in zip(group, photos, strict=True):
        try:
            write_image(job.target, picture, photo.image, keep_metadata=keep_metadata)
        except (OSError, ValueError) as error:
            yield Result(job, "failed", _words(error), detections=found)
        else:
            yield Result(job, "anonymised" if photo.faces else "no face found", "", photo.faces, found)


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """How many files came to which end, how many faces, and why some failed or were covered."""
    faces = [face for result in results for face in result.faces]
    videos = [result.video for result in results if result.video is not None]
    in_videos = {
        "frames": sum(video.frames for video in videos),
        "frames without a face": sum(video.frames_without_face for video in videos),
        "faces anonymised": sum(video.anonymised for video in videos),
        "faces covered": sum(video.covered for video in videos),
    }
    return ({"videos": in_videos} if videos else {}) | {
        "files": dict(collections.Counter(result.status for result in results)),
        "faces": {"all": len(faces), **collections.Counter(face.outcome for face in faces)},
        "covered because": dict(collections.Counter(face.reason for face in faces if face.outcome == "covered")),
        "failed because": dict(collections.Counter(result.reason for result in results if result.status == "failed")),
    }


def summary_text(figures: Mapping[str, Any]) -> str:
    """The summary in one or two lines, with what needs attention behind it."""

    def listed(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))

    faces = dict(figures["faces"])
    lines = [f"{sum(figures['files'].values())} files: {listed(figures['files'])}"]
    lines.append(f"{faces.pop('all')} faces" + (f": {listed(faces)}" if faces else ""))
    if "videos" in figures:
        lines.append(f"in videos: {', '.join(f'{count} {what}' for what, count in figures['videos'].items())}")
    for title in ("covered because", "failed because"):
        lines += [f"  {title}: {reason} ({count})" for reason, count in figures[title].items()]
    return "\n".join(lines)
