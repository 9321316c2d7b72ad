"""Whether an anonymised video keeps its promises: in every frame, from frame to frame, and as a file."""

import dataclasses
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import av
import numpy as np

from a3gan_jax.evals.face_comparison import Look, compare, ellipse
from a3gan_jax.evals.onnx_recognizer import on_template
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.replacement import CLEAR_FACE
from a3gan_jax.faces.tracking import Tracker
from a3gan_jax.media.video import VideoReader
from a3gan_jax.media.video_writer import pixels
from a3gan_jax.video_anonymizer import sightings, with_cuts

STABLE = 0.8  # the goal: cosine from frame to frame, in shares of the originals'
# Our own choices.
PAIRS = 10  # of frames that follow one another, for a track's stability to count
GAP = 20  # frames without a sight of a track that is seen before and after them, in which it is looked for all the same
MILLISECONDS = 2  # between the times of frames: Matroska rounds to one
SOUND = 0.05  # seconds between the lengths of sound tracks
DETECT_SIDE = 1920  # pixels; larger frames are shrunk for the detector
FACE = np.array([20.0, 28.0, 72.0, 82.0])  # a face on the ArcFace template, in which flicker is measured

Kind = Literal["rate", "frames", "times", "size", "sound", "visible", "visible in a gap", "unchanged", "unstable"]


@dataclasses.dataclass(frozen=True)
class Violation:
    """A broken promise. "rate", "frames", "times", "size", "sound": the file is another; "visible": a recogniser finds
    the original face, "in a gap": where the detector has lost it for some frames; "unchanged": the pixels are those of
    the original, but for coding; "unstable": the pseudonym of a track changes."""

    kind: Kind
    text: str


@dataclasses.dataclass(frozen=True)
class TrackVerdict:
    """A face through one scene.

    faces: frames in which the detector finds it.  gaps: further frames in which it was looked for.  pairs: frames that
    follow one another; over these are the means: ``original_cosine`` and ``result_cosine`` of the recogniser;
    ``original_flicker`` and ``result_flicker``, the absolute difference in levels on faces aligned by the points of the
    original. nan without a pair.
    """

    track: int
    faces: int
    gaps: int
    pairs: int
    largest_cosine: float
    original_cosine: float
    result_cosine: float
    original_flicker: float
    result_flicker: float

    @property
    def stability(self) -> float:
        return self.result_cosine / self.original_cosine


@dataclasses.dataclass(frozen=True)
class VideoVerdict:
    frames: int
    tracks: tuple[TrackVerdict, ...]
    cosines: tuple[float, ...]  # between the original and the result, of all faces from CLEAR_FACE pixels on
    violations: tuple[Violation, ...]


@dataclasses.dataclass(eq=False)
class _Sight:
    frame: int
    face: Detection
    embeddings: tuple[np.ndarray, np.ndarray]  # of original and result
    templates: tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(eq=False)
class _Track:
    last: _Sight | None = None
    faces: int = 0
    gaps: int = 0
    cosines: list[float] = dataclasses.field(default_factory=list)
    pairs: list[tuple[float, float, float, float]] = dataclasses.field(default_factory=list)


class VideoJudge:
    """Looks at a video frame by frame, beside its original.

    Args:
        detect: an image (H, W, 3) uint8 -> its faces.
        look: a recogniser of one's own.
    """

    def __init__(self, detect: Callable[[np.ndarray], list[Detection]], look: Look):
        self._detect, self._look = detect, look
        self._tracker, self._tracks = Tracker(carry=GAP, lookahead=0), {}
        self._recent: deque[tuple[np.ndarray, np.ndarray, list[Detection]]] = deque(maxlen=GAP + 1)
        self.frames = 0
        self.violations: list[Violation] = []

    def see(self, original: np.ndarray, result: np.ndarray, faces: list[Detection], *, cut: bool = False) -> None:
        """Takes the next frame, (H, W, 3) uint8 each; ``faces`` of the original; ``cut``: a scene begins with it."""
        self._recent.append((original, result, self._detect(result)))
        for number, face in zip(self._tracker.push(faces, cut=cut), faces, strict=True):
            track = self._tracks.setdefault(number, _Track())
            embeddings = self._compare(track, self.frames, face, "visible")
            templates = tuple(on_template(image, face.landmarks) for image in (original, result))
            sight, last = _Sight(self.frames, face, embeddings, templates), track.last
            track.faces, track.last = track.faces + 1, sight
            if last is not None and last.frame == self.frames - 1:
                cosines = [float(a @ b) for a, b in zip(last.embeddings, embeddings, strict=True)]
                where = ellipse(templates[0].shape, FACE, 1.0)
                flicker = [_levels(a, b, *where) for a, b in zip(last.templates, templates, strict=True)]
                track.pairs.append((*cosines, *flicker))
            elif last is not None:
                self._look_between(track, last, sight)
        self.frames += 1

    def verdict(self) -> VideoVerdict:
        tracks = tuple(_figures(number, track) for number, track in sorted(self._tracks.items()))
        unstable = [
            Violation("unstable", f"track {t.track} keeps {t.stability:.2f} of the original's cosine between frames")
            for t in tracks
            if t.pairs >= PAIRS and not t.stability >= STABLE
        ]
        cosines = tuple(cosine for track in self._tracks.values() for cosine in track.cosines)
        return VideoVerdict(self.frames, tracks, cosines, (*self.violations, *unstable))

    def _compare(self, track: _Track, frame: int, face: Detection, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
        """Notes what is wrong with a face; the embeddings of original and result."""
        original, result, again = self._recent[frame - self.frames - 1]
        seen = compare(original, result, face, again, self._look)
        left, top, width, height = np.round(face.box).astype(int)
        where = f"frame {frame}, the face at {left},{top} of {width}x{height}"
        if min(width, height) >= CLEAR_FACE:  # below, a recogniser sees but a smear, before as after
            track.cosines.append(seen.cosine)
            if seen.matches:
                self.violations.append(Violation(kind, f"{where} is recognised, cosine {seen.cosine:.3f}"))
        if seen.unchanged:
            text = f"{where} changed by {seen.difference:.2f} standard deviations"
            self.violations.append(Violation("unchanged", text))
        return seen.before, seen.after

    def _look_between(self, track: _Track, last: _Sight, now: _Sight) -> None:
        """The frames in which the detector lost a track: there it is on a straight line between its two places."""
        for frame in range(max(last.frame + 1, now.frame - GAP), now.frame):
            share = (frame - last.frame) / (now.frame - last.frame)
            box, points = (
                (1 - share) * np.asarray(a, float) + share * np.asarray(b, float)
                for a, b in ((last.face.box, now.face.box), (last.face.landmarks, now.face.landmarks))
            )
            self._compare(track, frame, Detection(box, points, 0.0), "visible in a gap")
            track.gaps += 1


def judge_video(
    original: Path, result: Path, detect: Callable[[np.ndarray], list[Detection]], look: Look
) -> VideoVerdict:
    """Judges a video file against the one it was made of.

    Raises:
        UnreadableVideo, OSError: one of the two cannot be read.
    """
    judge = VideoJudge(detect, look)
    judge.violations += compare_files(read_facts(original), read_facts(result))
    with VideoReader(original, audio=False) as before, VideoReader(result, audio=False) as after:
        results = iter(after)
        for sighting, cut in with_cuts(sightings(before, detect, DETECT_SIDE)):
            shown = next(results, None)
            if shown is None:
                break  # the number of frames is told from the files
            if (shown.width, shown.height) != (sighting.frame.width, sighting.frame.height):
                judge.violations.append(Violation("size", f"frames are {shown.width}x{shown.height} pixels"))
                break
            judge.see(pixels(sighting.frame), pixels(shown), sighting.detections, cut=cut)
    return judge.verdict()


@dataclasses.dataclass(frozen=True, eq=False)
class Facts:
    """A file as its container tells: frames a second, times of the frames (N,) and length of each sound, in seconds."""

    rate: float
    times: np.ndarray
    sounds: tuple[float, ...]


def read_facts(path: Path) -> Facts:
    """All packets are read, none is decoded.

    Raises:
        av.FFmpegError, OSError: the file cannot be read.
        ValueError: it holds no video.
    """
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError(f"{path} holds no video")
        video, sounds = container.streams.video[0], list(container.streams.audio)
        packets = [packet for packet in container.demux(video, *sounds) if packet.size and packet.pts is not None]
        times = sorted(float(p.pts * p.time_base) for p in packets if p.stream is video)
        lengths = [[float((p.duration or 0) * p.time_base) for p in packets if p.stream is sound] for sound in sounds]
        return Facts(float(video.average_rate or 0), np.array(times), tuple(map(sum, lengths)))


def compare_files(a: Facts, b: Facts) -> list[Violation]:
    """How a result (b) differs from its original as a file; the first frame of either is at time 0."""
    violations = []
    if abs(a.rate - b.rate) > 0.001 * a.rate:
        violations.append(Violation("rate", f"{b.rate:.3f} frames a second, not {a.rate:.3f}"))
    if len(a.times) != len(b.times):
        violations.append(Violation("frames", f"{len(b.times)} frames, not {len(a.times)}"))
    elif len(a.times) and (late := np.abs((a.times - a.times[0]) - (b.times - b.times[0])).max()) > MILLISECONDS / 1000:
        violations.append(Violation("times", f"a frame is {1000 * late:.0f} ms away from its time"))
    if len(a.sounds) != len(b.sounds) or any(abs(x - y) > SOUND for x, y in zip(a.sounds, b.sounds, strict=True)):
        shown = [", ".join(f"{length:.2f} s" for length in facts.sounds) or "none" for facts in (b, a)]
        violations.append(Violation("sound", f"sound: {shown[0]}, not {shown[1]}"))
    return violations


def _levels(a: np.ndarray, b: np.ndarray, where: tuple[slice, slice], inside: np.ndarray) -> float:
    return float(np.abs(a[where][inside].astype(int) - b[where][inside]).mean())


def _figures(number: int, track: _Track) -> TrackVerdict:
    means = np.mean(track.pairs, axis=0).tolist() if track.pairs else [float("nan")] * 4
    largest = max(track.cosines, default=float("nan"))
    return TrackVerdict(number, track.faces, track.gaps, len(track.pairs), largest, *means)
