"""A video of people who do not exist: read, faces found, followed, replaced, written, all at the same time."""

import contextlib
import dataclasses
import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np

from a3gan_jax.anonymizer import Anonymizer
from a3gan_jax.attributes import Control
from a3gan_jax.faces.detector import Detection, YuNet
from a3gan_jax.faces.replacement import MIN_FACE
from a3gan_jax.faces.tracking import TrackedFace, Tracker
from a3gan_jax.media.scene_cuts import is_cut
from a3gan_jax.media.stages import ahead
from a3gan_jax.media.video import VideoReader
from a3gan_jax.media.video_writer import VideoWriter, pixels, with_pixels
from a3gan_jax.track_pseudonyms import TrackPseudonyms, TrackReport

CHUNK = 8  # frames that are anonymised together: with one face each they fill a batch
QUEUE = 4  # results between two stages
FOLLOWING = 3  # frames that must differ from the one before a cut
THUMBNAIL = (32, 24)  # width, height of what cuts are told from


@dataclasses.dataclass(frozen=True, eq=False)
class Sighting:
    """A frame and what the detector found in it; ``thumbnail`` (24, 32) uint8 is grey."""

    frame: av.VideoFrame
    detections: list[Detection]
    thumbnail: np.ndarray


@dataclasses.dataclass(frozen=True)
class VideoReport:
    """What became of a video.

    frames: written.  frames_without_face: those of them in which nothing was changed.
    anonymised, covered: faces, counted in every frame.
    tracks: in the order in which they were first seen.
    warnings: one line each.
    """

    frames: int
    frames_without_face: int
    anonymised: int
    covered: int
    tracks: tuple[TrackReport, ...]
    warnings: tuple[str, ...]


def anonymize_video(
    anonymizer: Anonymizer,
    source: Path,
    target: Path,
    *,
    control: Control | None = None,
    strength: float = 1.0,
    seed: int = 0,
    check: bool = True,
    audio: bool = True,
    threshold: float = 0.6,
    min_face: float = MIN_FACE,
    carry: int = 20,
    lookahead: int = 20,
    quality: int | None = None,
    detect_side: int = 1920,
    detector: Callable[[np.ndarray], list[Detection]] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> VideoReport:
    """Writes a video in which every face is that of somebody else, or covered. All or nothing: see ``VideoWriter``.

    Stages run in threads of their own and hand few frames on: memory does not depend on how long the video is.

    Args:
        control, strength, seed, min_face: as for ``Anonymizer.anonymize_photos``.
        check: a recogniser compares faces with their originals, as ``track_pseudonyms`` says.
        audio: False leaves it out.
        threshold: score from which on the detector counts something as a face; not for a ``detector`` of one's own.
        carry, lookahead: frames for which a face is also replaced after and before it is seen (``faces.tracking``).
        quality: as for ``VideoWriter``.
        detect_side: larger frames are shrunk to this longer side, in pixels, for the detector.
        detector: frames (H, W, 3) uint8 -> their faces; None: YuNet.
        progress: called with the frames written and their number, None where the file does not tell.

    Raises:
        UnreadableVideo, OSError: as ``VideoReader`` and ``VideoWriter``.
        ValueError: an argument out of range, or a container that cannot hold the result.
    """
    detector = YuNet(score=threshold) if detector is None else detector
    people, tracker = TrackPseudonyms(anonymizer, control, strength, seed, check, min_face), Tracker(carry, lookahead)
    frames, closing = 0, contextlib.closing
    with (  # left from the last to the first: each stage has ended before what it reads from is closed
        VideoReader(source, audio=audio) as reader,
        VideoWriter(target, reader, quality=quality) as writer,
        closing(ahead(reader, QUEUE)) as read,
        closing(ahead(sightings(read, detector, detect_side), QUEUE)) as found,
        closing(ahead(anonymized(found, people, tracker), CHUNK)) as results,
    ):
        for item in results:
            writer.write(item)
            if isinstance(item, av.VideoFrame):
                frames += 1
                if progress is not None:
                    progress(frames, reader.total)
    empty = frames - people.frames
    warnings = [*reader.warnings, *([f"no face was found in {empty} of {frames} frames"] if empty else [])]
    tracks = people.report()
    anonymised, covered = (sum(getattr(track, name) for track in tracks) for name in ("anonymised", "covered"))
    return VideoReport(frames, empty, anonymised, covered, tracks, tuple(warnings))


def sightings(
    items: Iterable[av.VideoFrame | av.Packet], detector: Callable[[np.ndarray], list[Detection]], side: int
) -> Iterator[Sighting | av.Packet]:
    """Finds the faces of all frames; what is no frame is handed on."""
    for item in items:
        if not isinstance(item, av.VideoFrame):
            yield item
            continue
        scale = min(1.0, side / max(item.width, item.height))
        size = max(1, round(item.width * scale)), max(1, round(item.height * scale))
        ratio = np.array([item.width / size[0], item.height / size[1]])
        found = [
            Detection(face.box * np.tile(ratio, 2), face.landmarks * ratio, face.score)
            for face in detector(pixels(item, size))
        ]
        width, height = THUMBNAIL
        thumbnail = item.reformat(width=width, height=height, format="gray8", interpolation="AREA").to_ndarray()
        yield Sighting(item, found, thumbnail)


def with_cuts(items: Iterable[Sighting | av.Packet]) -> Iterator[tuple[Sighting, bool] | av.Packet]:
    """Says of each frame whether a new scene begins with it. Frames come out some frames late, packets at once."""
    before: np.ndarray | None = None
    waiting: deque[Sighting] = deque()

    def first() -> tuple[Sighting, bool]:
        nonlocal before
        cut = before is not None and is_cut(before, [each.thumbnail for each in waiting])
        sighting = waiting.popleft()
        before = sighting.thumbnail
        return sighting, cut

    for item in items:
        if not isinstance(item, Sighting):
            yield item
            continue
        waiting.append(item)
        if len(waiting) == FOLLOWING:
            yield first()
    while waiting:
        yield first()


def anonymized(
    items: Iterable[Sighting | av.Packet], people: TrackPseudonyms, tracker: Tracker
) -> Iterator[av.VideoFrame | av.Packet]:
    """Replaces all faces; frames come out in their order, packets at once."""
    window: deque[av.VideoFrame] = deque()  # the newest frames
    chunk: list[tuple[av.VideoFrame, list[TrackedFace]]] = []  # those before, next to come out
    for item in with_cuts(items):
        if not isinstance(item, tuple):
            yield item
            continue
        sighting, cut = item
        tracks = tracker.push(sighting.detections, cut=cut)
        people.see(functools.partial(pixels, sighting.frame), sighting.detections, tracks)
        window.append(sighting.frame)
        if len(window) > tracker.lookahead:
            chunk.append((window.popleft(), tracker.faces(tracker.lookahead)))
        if len(chunk) == CHUNK:
            yield from _replaced(chunk, people)
            chunk = []
    while window or chunk:
        while window and len(chunk) < CHUNK:
            chunk.append((window.popleft(), tracker.faces(len(window))))
        yield from _replaced(chunk, people)
        chunk = []


def _replaced(
    chunk: Sequence[tuple[av.VideoFrame, list[TrackedFace]]], people: TrackPseudonyms
) -> Iterator[av.VideoFrame]:
    """The frames of a chunk; those without a face are not touched."""
    shown = [(frame, faces) for frame, faces in chunk if faces]
    images = people.replace([pixels(frame) for frame, _ in shown], [faces for _, faces in shown])
    changed = iter(images)
    for frame, faces in chunk:
        yield with_pixels(frame, next(changed)) if faces else frame
