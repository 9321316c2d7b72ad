"""Who the people of a video become: one pseudonym a track, checked once in a while, or none and the face is covered.

A pseudonym that is chosen frame by frame would change from one to the next. So the recogniser looks at every eighth
sight of a track, some of them at once, before they come out, and before the first of the track does. By these first
sights a seed is chosen that looks natural and unlike the original. Where the recogniser finds the original in one of
them another seed is taken, from then on for all frames; where no seed passes the track is covered from then on, to its
end. A track that could not be checked yet is covered. Attributes and outlines, too, come from several frames.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from a3gan_jax.anonymizer import Anonymizer
from a3gan_jax.attributes import Control
from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.contour import outlines
from a3gan_jax.faces.covering import cover
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.placement import place
from a3gan_jax.faces.tracking import TrackedFace

# Our own choices.
SPACING = 8  # from one sight of a track that is checked to the next
CHECK_EVERY = 3  # calls of ``replace``, with eight frames each and twenty known beyond them: before they come out
TRUSTED_GAP = 5  # frames; a face that was last seen longer ago is covered: where its points lie is a guess
MARGIN = 0.03  # by which a covered box grows on all sides for each frame of its gap
LOOK_EVERY = 4  # sights of a track of whose attributes notes were taken; before that, every one
OUTLINE_EVERY = 4  # sights of a track within a call of ``replace`` of whose outlines the mesh is asked; and the last
SURE = 0.15  # share of frames, beyond one half, that changes an attribute


@dataclasses.dataclass(frozen=True)
class TrackReport:
    """What became of a track: frames in which its face was anonymised and covered, and why it was covered, if it was.

    seed: of its pseudonym, the last one it had.
    """

    track: int
    anonymised: int
    covered: int
    seed: int
    reason: str


@dataclasses.dataclass(eq=False)
class _Track:
    seed: int
    lost: bool = False  # no seed passes
    checked: bool = False  # and passed
    sights: int = 0
    next_sample: int = 0
    shares: np.ndarray | None = None  # (K,), of the frames that show an attribute
    attributes: np.ndarray | None = None  # (K,) uint8
    shown: int = 0  # sights that came out
    anonymised: int = 0
    covered: int = 0
    reason: str = ""


class TrackPseudonyms:
    """Replaces the faces of tracks; arguments as for ``Anonymizer.anonymize_photos``.

    Frames are (H, W, 3) uint8. Each is shown twice: to ``see`` as soon as its faces are known, to ``replace`` when it
    is known what comes after it.
    """

    def __init__(
        self, anonymizer: Anonymizer, control: Control | None, strength: float, seed: int, check: bool, min_face: float
    ):
        self._anonymizer = anonymizer
        self._seed, self._check = seed, check and strength == 1.0
        self._options = dict(control=control, strength=strength, min_face=min_face)
        self._tracks: dict[int, _Track] = {}
        self._samples: list[tuple[int, Callable[[], np.ndarray], Detection]] = []  # tracks and sights, to be checked
        self._calls = 0
        self.frames = 0  # in which there were faces

    def see(self, image: Callable[[], np.ndarray], detections: Sequence[Detection], tracks: Sequence[int]) -> None:
        """Takes note of a frame's faces and their tracks; ``image`` is called if the frame is needed for a check."""
        for number, detection in zip(tracks, detections, strict=True):
            track = self._tracks.setdefault(number, _Track(self._seed))
            if not track.lost and track.sights >= track.next_sample and (self._check or not track.checked):
                self._samples.append((number, image, detection))
                track.next_sample = track.sights + SPACING
            track.sights += 1

    def replace(self, images: Sequence[np.ndarray], faces: Sequence[Sequence[TrackedFace]]) -> list[np.ndarray]:
        """Frames that follow one another with all their faces replaced or covered, as new arrays."""
        if not images:
            return []
        shown = [
            [each for each in some if _meets(each.face.box, image)] for image, some in zip(images, faces, strict=True)
        ]
        self._check_tracks({each.track for some in shown for each in some})
        new = [[e for e in some if e.gap <= TRUSTED_GAP and self._may_show(self._tracks[e.track])] for some in shown]
        self._note_attributes(images, new)
        tracks = [[self._tracks[each.track] for each in some] for some in new]
        k = len(self._anonymizer.model.attribute_names)
        photos = self._anonymizer.anonymize_photos(
            images,
            detections=[[each.face for each in some] for some in new],
            people=[[each.track for each in some] for some in new],
            seed=[[track.seed for track in some] for some in tracks],
            attributes=[np.array([track.attributes for track in some]).reshape(len(some), k) for some in tracks],
            contours=_outlines(images, new),
            check=False,
            **self._options,
        )
        for photo, some in zip(photos, tracks, strict=True):
            for face, track in zip(photo.faces, some, strict=True):
                self._count(track, face.outcome == "anonymised", face.reason)
        for photo, some, replaced in zip(photos, shown, new, strict=True):
            for each in some:
                if each not in replaced:
                    grown = each.face.box[2:] * MARGIN * each.gap
                    cover(photo.image, np.concatenate([each.face.box[:2] - grown, each.face.box[2:] + 2 * grown]))
                    self._count(self._tracks[each.track], False, "seen only some frames before or after")
        self.frames += sum(map(bool, shown))
        return [photo.image for photo in photos]

    def report(self) -> tuple[TrackReport, ...]:
        """The tracks that came out, in the order in which they were first seen."""
        return tuple(
            TrackReport(number, track.anonymised, track.covered, track.seed, track.reason if track.covered else "")
            for number, track in sorted(self._tracks.items())
            if track.anonymised or track.covered
        )

    def _check_tracks(self, numbers: set[int]) -> None:
        """Checks what was seen since the last time: now and then, or now if one of the tracks was never checked."""
        self._calls += 1
        new = any(number in numbers and not self._tracks[number].checked for number, *_ in self._samples)
        if not self._samples or not (new or self._calls % CHECK_EVERY == 0):
            return
        samples, self._samples = self._samples, []
        known = {number for number, *_ in samples if self._tracks[number].checked}
        for choose in (True, False):  # who has come out keeps the face that was chosen
            self._check_samples([sample for sample in samples if (sample[0] in known) != choose], choose)

    def _check_samples(self, samples: Sequence[tuple[int, Callable[[], np.ndarray], Detection]], choose: bool) -> None:
        if not samples:
            return
        photos = self._anonymizer.anonymize_photos(
            [image() for _, image, _ in samples],
            detections=[[detection] for _, _, detection in samples],
            people=[[number] for number, _, _ in samples],
            seed=[[self._tracks[number].seed] for number, _, _ in samples],
            choose=choose,
            check=self._check,
            **self._options,
        )
        for (number, _, _), photo in zip(samples, photos, strict=True):
            (face,), track = photo.faces, self._tracks[number]
            if face.outcome == "anonymised":
                track.seed, track.checked = face.seed, True
            elif face.cosine is not None:
                track.lost, track.reason = True, face.reason
            elif not track.checked:  # covered for another reason, too small perhaps: the next sight may tell
                track.next_sample, track.reason = track.sights, track.reason or face.reason

    def _may_show(self, track: _Track) -> bool:
        return not track.lost and (track.checked or not self._check)

    def _note_attributes(self, images: Sequence[np.ndarray], faces: Sequence[Sequence[TrackedFace]]) -> None:
        """Sets the attributes of tracks to what most of these frames and of those before show, by some of them."""
        model, found = self._anonymizer.model, []
        size = model.image_size
        for image, some in zip(images, faces, strict=True):
            for each in some:
                track = self._tracks[each.track]
                due = track.attributes is None or track.shown % LOOK_EVERY == 0
                track.shown += 1
                if due and not isinstance(placement := place(each.face), str):
                    found.append((each.track, resample(image, placement.to_crop(size), size, size)))
        k = len(model.attribute_names)
        shown = model.predict_attributes(np.stack([crop for _, crop in found])) if found else np.empty((0, k))
        numbers = np.array([number for number, _ in found], int)
        for number in {each.track for some in faces for each in some}:
            track, rows = self._tracks[number], shown[numbers == number]
            if track.attributes is None:
                track.shares = rows.mean(0) if len(rows) else np.zeros(k)
                track.attributes = (track.shares > 0.5).astype(np.uint8)
            elif len(rows):
                track.shares = (track.shares + rows.mean(0)) / 2
                sure = np.abs(track.shares - 0.5) > SURE
                track.attributes = np.where(sure, track.shares > 0.5, track.attributes).astype(np.uint8)

    @staticmethod
    def _count(track: _Track, anonymised: bool, reason: str) -> None:
        track.anonymised += anonymised
        track.covered += not anonymised
        track.reason = track.reason or reason


def _outlines(images: Sequence[np.ndarray], faces: Sequence[Sequence[TrackedFace]]) -> list[list[np.ndarray | None]]:
    """The outlines of tracks in frames that follow one another: of some as the mesh sees them, between these on the
    straight line from one to the next; None for all of a track in which it sees no face."""
    sights: dict[int, list[tuple[int, int]]] = {}  # track -> frames and positions in them
    for frame, some in enumerate(faces):
        for position, each in enumerate(some):
            sights.setdefault(each.track, []).append((frame, position))
    asked = [
        (track, frame, placement)
        for track, places in sights.items()
        for frame, position in sorted({*places[::OUTLINE_EVERY], places[-1]})
        if not isinstance(placement := place(faces[frame][position].face), str)
    ]
    found = outlines([images[frame] for _, frame, _ in asked], [placement for *_, placement in asked])
    results: list[list[np.ndarray | None]] = [[None] * len(some) for some in faces]
    for number, places in sights.items():
        seen = {
            frame: contour
            for (track, frame, _), contour in zip(asked, found, strict=True)
            if track == number and contour is not None
        }
        if seen:
            frames = sorted(seen)
            for frame, position in places:
                before = max((other for other in frames if other <= frame), default=frames[0])
                after = min((other for other in frames if other >= frame), default=frames[-1])
                share = (frame - before) / max(after - before, 1)
                results[frame][position] = (1 - share) * seen[before] + share * seen[after]
    return results


def _meets(box: np.ndarray, image: np.ndarray) -> bool:
    """Whether a box (left, top, width, height) has anything of an image in it."""
    return bool((box[:2] < image.shape[1::-1]).all() and (box[:2] + box[2:] > 0).all())
