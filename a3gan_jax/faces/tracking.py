"""Following faces through a video, so that one person keeps one pseudonym and no single frame is left out.

A tracker gives each detection the number of a track. Faces are asked for some frames later, when it is known what
comes after: places are smoothed without lag, gaps are bridged, and a track begins before it was first seen and ends
after it was last seen. Tracks never reach over a scene cut. All of it is our own choice; matching is by the Hungarian
method, motion of constant velocity.
"""

import bisect
import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from a3gan_jax.faces.detector import Detection

SIGMA = 1.5  # of the smoothing, in frames
REACH = 4  # frames on either side that it looks at
CLAMP = 0.05  # what it may move a point, in shares of the face's size: jitter is less, a quick turn is more
DISTANCE = 0.6  # between points expected and found, in shares of the face's size: farther away is another face
GROWTH = 2.0  # factor between a face's sizes, either way
DAMPING = 0.8  # of the velocity, a frame, where nothing is seen: people stop and turn round
SAME_PLACE = 0.5  # intersection over union from which a face that is seen stands for one that is only supposed


@dataclasses.dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face in one frame: the number of its track, its smoothed place, and how many frames away it was last seen.

    gap: 0 where the detector found it in this very frame; else to the nearest frame, before or after, in which it did.
    """

    track: int
    face: Detection
    gap: int


class Tracker:
    """Tracks of a video's faces.

    carry: frames for which a face is still supposed to be there after it was last seen.
    lookahead: frames that are known beyond the one that is asked for; so many it is supposed to be there before.
    """

    def __init__(self, carry: int = 20, lookahead: int = 20):
        if carry < 0 or lookahead < 0:
            raise ValueError(f"carry {carry} and lookahead {lookahead} must not be negative")
        self.carry, self.lookahead = carry, lookahead
        self._now, self._count = -1, 0
        self._cuts: list[int] = []  # first frames of the scenes but the first
        self._tracks: list[_Track] = []

    def push(self, detections: Sequence[Detection], *, cut: bool = False) -> list[int]:
        """Takes the next frame's faces and says to which tracks they belong; ``cut``: a new scene begins with it.

        Raises:
            ValueError: a box or a point is not finite, or a box is empty.
        """
        self._now += 1
        oldest = self._now - self.lookahead
        if cut:
            self._cuts.append(self._now)
        self._tracks = [track for track in self._tracks if track.frames[-1] + self.carry >= oldest]
        for track in self._tracks:
            track.forget(oldest - self.carry - self.lookahead - REACH)
        places = np.array([_vector(detection) for detection in detections]).reshape(-1, 14)
        alive = [track for track in self._tracks if track.scene == len(self._cuts)]
        found: dict[int, _Track] = {}
        if alive and len(places):
            expected = np.stack([track.beyond(self._now) for track in alive])
            for i, j in _matches(expected, places):
                found[j] = alive[i]
        for j, (place, detection) in enumerate(zip(places, detections, strict=True)):
            if j not in found:
                found[j] = _Track(self._count, len(self._cuts))
                self._tracks.append(found[j])
                self._count += 1
            found[j].add(self._now, place, detection.score)
        return [found[j].number for j in range(len(places))]

    def faces(self, age: int) -> list[TrackedFace]:
        """All faces of the frame that was pushed ``age`` frames before the newest one, 0 <= age <= lookahead."""
        if not 0 <= age <= min(self.lookahead, self._now):
            raise ValueError(f"the frame {age} before the newest is not in view")
        frame, faces = self._now - age, []
        for track in self._tracks:
            if track.scene != bisect.bisect_right(self._cuts, frame):
                continue
            before = max((known for known in track.frames if known <= frame), default=None)
            after = min((known for known in track.frames if known > frame), default=None)
            if after is not None or frame - before <= self.carry:
                faces.append(track.at(frame, before, after))
        sure = [each.face.box for each in faces if each.gap == 0]
        return [e for e in faces if e.gap == 0 or all(overlap(e.face.box, box) < SAME_PLACE for box in sure)]


class _Track:
    """Where one face was seen in one scene: vectors (14,) of left, top, width, height and five points, by frame."""

    def __init__(self, number: int, scene: int):
        self.number, self.scene = number, scene
        self.frames: list[int] = []
        self._places: list[np.ndarray] = []
        self._scores: list[float] = []

    def add(self, frame: int, place: np.ndarray, score: float) -> None:
        self.frames.append(frame)
        self._places.append(place)
        self._scores.append(score)

    def forget(self, before: int) -> None:
        """Drops what was seen before a frame, but for the last sight."""
        drop = min(sum(frame < before for frame in self.frames), len(self.frames) - 1)
        del self.frames[:drop], self._places[:drop], self._scores[:drop]

    def at(self, frame: int, before: int | None, after: int | None) -> TrackedFace:
        """The face in a frame, from the last sight up to it and the first one after it; one may be None."""
        if before is None or after is None or before == frame:
            nearest = after if before is None else before
            place = self._moved(nearest, frame)
        else:
            share = (frame - before) / (after - before)
            place = (1 - share) * self._smooth(before)[0] + share * self._smooth(after)[0]
            nearest = before if frame - before <= after - frame else after
        score = self._scores[self.frames.index(nearest)]
        return TrackedFace(self.number, Detection(place[:4], place[4:].reshape(5, 2), score), abs(frame - nearest))

    def beyond(self, frame: int) -> np.ndarray:
        """Where the face is expected in a frame after the last sight."""
        return self._moved(self.frames[-1], frame)

    def _moved(self, seen: int, frame: int) -> np.ndarray:
        """The place in a frame, moved from where it was seen by a velocity that dies away."""
        place, velocity = self._smooth(seen)
        steps = sum(DAMPING**k for k in range(abs(frame - seen)))
        shift = velocity * steps * np.sign(frame - seen)
        return place + np.concatenate([shift, [0, 0], np.tile(shift, 5)])

    def _smooth(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Place (14,) and velocity (2,) at a sight: a straight line through its neighbours in time, nearer ones more.

        A line has no lag, and at the ends of a track no bias.
        """
        near = [i for i, known in enumerate(self.frames) if abs(known - frame) <= REACH]
        places = np.stack([self._places[i] for i in near])
        times = np.array([self.frames[i] - frame for i in near], np.float64)
        here = places[np.flatnonzero(times == 0)[0]]
        weights = np.exp(-((times / SIGMA) ** 2) / 2)
        weights /= weights.sum()
        centred = times - weights @ times
        variance = weights @ centred**2
        slope = (weights * centred) @ places / variance if variance > 0 else np.zeros(14)
        line = weights @ places - slope * (weights @ times)
        limit = CLAMP * np.sqrt(here[2:4].prod())
        return here + (line - here).clip(-limit, limit), slope[:2] + slope[2:4] / 2


def _vector(detection: Detection) -> np.ndarray:
    place = np.concatenate([np.ravel(detection.box), np.ravel(detection.landmarks)]).astype(np.float64)
    if place.shape != (14,) or not np.isfinite(place).all() or place[2:4].min() <= 0:
        raise ValueError("a detected face has a box or points that are not finite, or an empty box")
    return place


def _matches(expected: np.ndarray, places: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (i, j) of expected places (T, 14) and those found (D, 14) that are one face."""
    size, found_size = (np.sqrt(p[:, 2] * p[:, 3]) for p in (expected, places))
    points, found_points = (p[:, 4:].reshape(-1, 5, 2) for p in (expected, places))
    mean_size = (size[:, None] + found_size) / 2
    distance = np.linalg.norm(points[:, None] - found_points, axis=-1).mean(-1) / mean_size
    shared = np.array([[overlap(a[:4], b[:4]) for b in places] for a in expected])
    growth = np.exp(np.abs(np.log(size[:, None] / found_size)))
    possible = (distance < DISTANCE) & (growth < GROWTH)
    cost = np.where(possible, distance + 1 - shared, 1e6)
    return [(i, j) for i, j in zip(*linear_sum_assignment(cost), strict=True) if possible[i, j]]


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes left, top, width, height: (..., 4) and (..., 4), which broadcast -> (...)."""
    end = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = (end - np.maximum(a[..., :2], b[..., :2])).clip(0).prod(-1)
    return shared / (a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - shared)
