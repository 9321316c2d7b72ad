"""Videos with a red square for a face: no frame shows it, one person keeps one pseudonym, nothing is left behind."""

import itertools
import threading
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from a3gan_jax import video_anonymizer
from a3gan_jax.anonymizer import AnonymizedPhoto, Anonymizer, FaceOutcome
from a3gan_jax.data.procedural import ProceduralFaces
from a3gan_jax.faces.detector import Detection
from a3gan_jax.media.containers import UnreadableVideo
from a3gan_jax.media.stages import ahead
from a3gan_jax.media.video import VideoReader
from a3gan_jax.media.video_writer import pixels
from a3gan_jax.networks import ModelConfig
from a3gan_jax.track_pseudonyms import LOOK_EVERY, SPACING, TRUSTED_GAP
from a3gan_jax.video_anonymizer import CHUNK, FOLLOWING, QUEUE, anonymize_video
from tests.random_models import random_model

WIDTH, HEIGHT, SIDE = 160, 96, 24
RED, GREEN, BLUE = ([250, 60, 60], [170, 10, 10]), [20, 200, 40], [20, 40, 220]  # the face is striped
POINTS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])


def corner(number: int) -> tuple[int, int]:
    """Left and top of the face in a frame; it goes to and fro."""
    return 8 + abs((2 * number + 110) % 220 - 110), 30 + number % 3


def background(scene: int) -> np.ndarray:
    blocks = np.random.default_rng(scene).integers(0, 256, (HEIGHT // 16, WIDTH // 16, 1))
    return np.repeat(blocks, 3, 2).repeat(16, 0).repeat(16, 1).astype(np.uint8)


def film(path: Path, frames: int = 40, *, cut: int = 10**6, sound: bool = False, empty: range = range(0)) -> Path:
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, width=WIDTH, height=HEIGHT)
        video.pix_fmt, video.options = "yuv444p", {"crf": "2", "preset": "ultrafast"}
        audio = output.add_stream("aac", rate=48000) if sound else None
        for number in range(frames):
            image = background(int(number >= cut))
            left, top = corner(number)
            if number not in empty:
                image[top : top + SIDE, left : left + SIDE : 2], image[top : top + SIDE, left + 1 : left + SIDE : 2] = (
                    RED
                )
            frame = av.VideoFrame.from_ndarray(image)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
            if audio:
                samples = av.AudioFrame.from_ndarray(np.full((1, 2 * 1920), number, np.int16), "s16", "stereo")
                samples.sample_rate, samples.pts = 48000, 1920 * number
                output.mux(audio.encode(samples))
        for stream in output.streams:
            output.mux(stream.encode(None))
    return path


def red(image: np.ndarray) -> np.ndarray:
    return (image[..., 0] > 140) & (image[..., 1:] < 90).all(-1)


class SquareDetector:
    """Finds the red square; not in the frames that it misses."""

    def __init__(self, misses: tuple[int, ...] = ()):
        self.misses, self.calls = misses, 0

    def __call__(self, image: np.ndarray) -> list[Detection]:
        self.calls += 1
        rows, columns = np.nonzero(red(image))
        if self.calls - 1 in self.misses or len(rows) < SIDE:
            return []
        start = np.array([columns.min(), rows.min()], float)
        size = np.array([columns.max(), rows.max()]) + 1 - start
        return [Detection(np.concatenate([start, size]), start + POINTS * size, 0.9)]


class Painter:
    """An ``Anonymizer`` that paints faces green with seed 0 and blue with others; some seeds do not pass the check.

    Its choice is the seed that is larger by ``better``.
    """

    def __init__(self, failing: tuple[int, ...] = (), wrong_at: int | None = None, better: int = 0):
        self.failing, self.wrong_at, self.better = failing, wrong_at, better
        self.people, self.seeds, self.attributes, self.checks, self.looks = set(), [], [], 0, 0
        self._rng = np.random.default_rng(0)
        self.model = SimpleNamespace(
            image_size=16, attribute_names=("Male", "Smiling"), predict_attributes=self._predict_attributes
        )

    def _predict_attributes(self, crops: np.ndarray) -> np.ndarray:
        self.looks += len(crops)
        return np.stack([self._rng.random(len(crops)) < 0.8, np.zeros(len(crops), bool)], axis=1).astype(np.uint8)

    def anonymize_photos(
        self,
        images,
        *,
        detections,
        people,
        control,
        strength,
        seed,
        check,
        min_face,
        attributes=None,
        contours=None,
        choose=None,
    ) -> list[AnonymizedPhoto]:
        sample = attributes is None
        assert sample == (contours is None)
        if self.wrong_at is not None and len(self.seeds) >= self.wrong_at and not sample:
            raise RuntimeError("out of paint")
        photos = []
        for i, image in enumerate(images):
            image, outcomes = image.copy(), []
            for face, person, first in zip(detections[i], people[i], seed[i], strict=True):
                first += self.better * bool(choose)
                tried = [first, first + 100] if check else [first]
                passing = [each for each in tried if not (check and each in self.failing)]
                left, top, width, height = np.rint(face.box).astype(int)
                now = passing[0] if passing else first
                image[max(top - 3, 0) : top + height + 3, max(left - 3, 0) : left + width + 3] = BLUE if now else GREEN
                cosine = 0.5 if check else None
                told = ("anonymised", "") if passing else ("covered", "the recogniser still finds the original")
                if width < min_face:
                    told, cosine = ("covered", "too small"), None
                outcomes.append(FaceOutcome(face.box, face.landmarks, face.score, *told, now, None, None, cosine))
                if not sample:
                    self.people.add(person)
                    self.seeds.append(first)
                    self.attributes.append(attributes[i][len(outcomes) - 1].tolist())
            self.checks += check
            photos.append(AnonymizedPhoto(image, tuple(outcomes)))
        return photos


def stripes(image: np.ndarray, number: int) -> float:
    """What is left of the face's stripes at its place, 1 in the original."""
    return np.abs(np.diff(at_the_face(image, number)[..., 0], axis=1)).mean() / 80


def images_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [pixels(frame) for frame in container.decode(video=0)]


def at_the_face(image: np.ndarray, number: int) -> np.ndarray:
    left, top = corner(number)
    return image[top : top + SIDE, left : left + SIDE].astype(int)


def run(tmp_path: Path, painter: Painter, detector: SquareDetector, *, film_of=None, **options):
    source = film(tmp_path / "in.mp4", **(film_of or {}))
    report = anonymize_video(painter, source, tmp_path / "out.mp4", detector=detector, **options)
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4", "out.mp4"}
    return report, images_of(tmp_path / "out.mp4")


def test_no_frame_shows_a_face_that_is_found_late_and_missed_between(tmp_path):
    painter, seen = Painter(), []
    detector = SquareDetector(misses=(0, 1, 2, 5, 6, 7, 8, 38, 39))
    report, images = run(tmp_path, painter, detector, progress=lambda *now: seen.append(now))
    assert len(images) == report.frames == report.anonymised == 40 and detector.calls == 40
    assert not any(red(image).any() for image in images)
    for number, image in enumerate(images):
        assert np.abs(at_the_face(image, number) - GREEN).mean() < 25
    assert painter.people == {0} and [track.track for track in report.tracks] == [0]
    assert (report.tracks[0].anonymised, report.tracks[0].covered, report.tracks[0].reason) == (40, 0, "")
    assert (report.frames_without_face, report.warnings) == (0, ())
    assert seen == [(i + 1, 40) for i in range(40)]


def test_what_is_not_a_face_stays(tmp_path):
    _, images = run(tmp_path, Painter(), SquareDetector())
    for number, image in enumerate(images):
        left, top = corner(number)
        away = np.ones((HEIGHT, WIDTH), bool)
        away[top - 8 : top + SIDE + 8, max(left - 8, 0) : left + SIDE + 8] = False
        assert np.abs(image.astype(int) - background(0))[away].mean() < 6


def test_a_face_that_was_last_seen_long_ago_is_covered(tmp_path):
    misses = tuple(range(30, 40))
    assert stripes(images_of(film(tmp_path / "in.mp4"))[35], 35) > 0.8
    report, images = run(tmp_path, Painter(), SquareDetector(misses))
    assert (report.anonymised, report.covered) == (30 + TRUSTED_GAP, 10 - TRUSTED_GAP)
    assert report.tracks[0].reason == "seen only some frames before or after"
    for number in range(30, 40):
        assert stripes(images[number], number) < 0.2


def test_frames_without_a_face_are_counted_and_not_touched(tmp_path):
    report, images = run(tmp_path, Painter(), SquareDetector(), film_of=dict(empty=range(20, 40)), carry=3, lookahead=3)
    assert report.frames_without_face == 17 and report.warnings == ("no face was found in 17 of 40 frames",)
    assert all(np.abs(image.astype(int) - background(0)).mean() < 4 for image in images[24:])


def test_a_face_is_not_carried_into_another_scene(tmp_path):
    film_of = dict(cut=20, empty=range(20, 40))
    report, images = run(tmp_path, Painter(), SquareDetector(), film_of=film_of)
    assert report.frames_without_face == 20
    assert all(np.abs(image.astype(int) - background(1)).mean() < 4 for image in images[20:])


def test_one_person_keeps_one_pseudonym_and_one_look(tmp_path):
    painter = Painter()
    run(tmp_path, painter, SquareDetector())
    assert painter.people == {0} and set(painter.seeds) == {0}
    assert painter.attributes == [[1, 0]] * 40  # predictions of single frames differ in every fifth
    assert painter.looks == CHUNK + (40 - CHUNK) // LOOK_EVERY  # at all frames of the first chunk, then at some


@pytest.mark.parametrize("options", [{}, {"check": False}, {"strength": 0.5}])
def test_the_most_natural_seed_is_chosen_once_before_the_first_frame(tmp_path, options):
    painter = Painter(better=7)
    report, images = run(tmp_path, painter, SquareDetector(misses=(0, 1, 2)), **options)
    assert painter.seeds == [7] * 40 and report.tracks[0].seed == 7
    for number, image in enumerate(images):
        assert np.abs(at_the_face(image, number) - BLUE).mean() < 25


def test_a_seed_that_does_not_pass_the_check_is_in_no_frame(tmp_path):
    painter = Painter(failing=(0,))
    report, images = run(tmp_path, painter, SquareDetector(misses=(0, 1, 2)))
    assert set(painter.seeds) == {100} and report.tracks[0].seed == 100
    for number, image in enumerate(images):
        assert np.abs(at_the_face(image, number) - BLUE).mean() < 25


def test_without_a_seed_that_passes_the_track_is_covered_throughout(tmp_path):
    painter = Painter(failing=(0, 100))
    report, images = run(tmp_path, painter, SquareDetector(misses=(0, 1, 2)))
    assert painter.seeds == [] and (report.anonymised, report.covered) == (0, 40)
    assert report.tracks[0].reason == "the recogniser still finds the original"
    for number, image in enumerate(images):
        assert stripes(image, number) < 0.2


def test_a_track_of_which_no_face_can_be_checked_is_covered(tmp_path):
    painter = Painter()
    report, images = run(tmp_path, painter, SquareDetector(), min_face=SIDE + 10)
    assert painter.seeds == [] and (report.anonymised, report.covered) == (0, 40)
    assert report.tracks[0].reason == "too small"
    assert all(stripes(image, number) < 0.2 for number, image in enumerate(images))


def test_every_eighth_sight_is_checked_before_it_comes_out(tmp_path):
    done = []

    class Noted(Painter):
        def anonymize_photos(self, images, *, check, **options):
            if check:
                done.append((len(self.seeds), len(images)))  # frames that have come out, sights that are checked
            return super().anonymize_photos(images, check=check, **options)

    painter, frames = Noted(), 160
    run(tmp_path, painter, SquareDetector(), film_of=dict(frames=frames))
    assert painter.checks == sum(count for _, count in done) and abs(painter.checks - frames / SPACING) <= 2
    checked = 0
    for out, count in done:  # the first sight of each check has not come out
        assert out <= SPACING * checked
        checked += count
    without = Painter()
    (tmp_path / "without").mkdir()
    run(tmp_path / "without", without, SquareDetector(), check=False)
    assert without.checks == 0


def test_a_seed_that_fails_later_is_in_no_frame_that_was_not_out_yet(tmp_path):
    class Later(Painter):
        def anonymize_photos(self, images, *, check, **options):
            if check and len(self.seeds) >= 40:
                self.failing = (0,)
            return super().anonymize_photos(images, check=check, **options)

    painter = Later()
    run(tmp_path, painter, SquareDetector(), film_of=dict(frames=100))
    change = painter.seeds.index(100)
    assert 40 <= change < 72 and painter.seeds == [0] * change + [100] * (100 - change)


def test_sound_goes_through_unchanged_or_not_at_all(tmp_path):
    source = film(tmp_path / "in.mp4", sound=True)
    for audio in (True, False):
        target = tmp_path / f"{audio}.mp4"
        anonymize_video(Painter(), source, target, detector=SquareDetector(), audio=audio)
        with av.open(str(source)) as old, av.open(str(target)) as new:
            packets = [bytes(packet) for packet in old.demux(audio=0) if packet.size] if audio else []
            assert packets == [bytes(packet) for packet in new.demux(audio=0) if packet.size] if audio else True
            assert len(new.streams.audio) == audio


def test_large_frames_are_shrunk_for_the_detector_and_boxes_are_not(tmp_path):
    report, images = run(tmp_path, Painter(), SquareDetector(), detect_side=WIDTH // 2)
    assert report.anonymised == 40 and not any(red(image).any() for image in images)


@pytest.mark.parametrize("frames", [150, 300])
def test_few_frames_are_alive_however_long_the_video_is(tmp_path, monkeypatch, frames):
    read, most, lookahead = 0, 0, 10

    class Counted(VideoReader):
        def __iter__(self):
            nonlocal read
            for item in super().__iter__():
                read += isinstance(item, av.VideoFrame)
                yield item

    def progress(done: int, total: int | None) -> None:
        nonlocal most
        most = max(most, read - done)

    monkeypatch.setattr(video_anonymizer, "VideoReader", Counted)
    source = film(tmp_path / "in.mp4", frames)
    anonymize_video(
        Painter(), source, tmp_path / "out.mp4", detector=SquareDetector(), lookahead=lookahead, progress=progress
    )
    assert read == frames
    # Two queues, and in each stage one frame in work; the cuts, the window, a chunk in work and one that is done.
    assert most <= 2 * QUEUE + 3 + FOLLOWING + lookahead + 2 * CHUNK


@pytest.mark.parametrize("stage", ["detector", "anonymizer", "progress"])
def test_an_error_in_any_stage_stops_all_and_leaves_nothing(tmp_path, stage):
    source, threads = film(tmp_path / "in.mp4", 200), threading.active_count()
    painter, detector = Painter(wrong_at=50 if stage == "anonymizer" else None), SquareDetector()

    def broken(image: np.ndarray) -> list[Detection]:
        if stage == "detector" and detector.calls == 60:
            raise RuntimeError("blind")
        return detector(image)

    def progress(done: int, total: int | None) -> None:
        if stage == "progress" and done == 20:
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="blind|out of paint|stopped"):
        anonymize_video(painter, source, tmp_path / "out.mp4", detector=broken, progress=progress)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    assert threading.active_count() == threads
    assert detector.calls < 200


def test_a_face_that_is_no_number_stops_all(tmp_path):
    source = film(tmp_path / "in.mp4")

    def detector(image: np.ndarray) -> list[Detection]:
        return [Detection(np.array([1, np.nan, 5, 5]), POINTS, 0.9)]

    with pytest.raises(ValueError, match="not finite"):
        anonymize_video(Painter(), source, tmp_path / "out.mp4", detector=detector)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_video_that_breaks_off_gives_nothing(tmp_path):
    whole = film(tmp_path / "in.mp4", 200).read_bytes()
    (tmp_path / "part.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableVideo):
        anonymize_video(Painter(), tmp_path / "part.mp4", tmp_path / "out.mp4", detector=SquareDetector())
    # The index is whole, but a frame in the middle is not.
    broken = bytearray(whole)
    middle = broken.index(b"mdat") + (broken.index(b"moov") - broken.index(b"mdat")) // 2
    broken[middle : middle + 2000] = bytes(2000)
    (tmp_path / "broken.mp4").write_bytes(broken)
    with pytest.raises(UnreadableVideo):
        anonymize_video(Painter(), tmp_path / "broken.mp4", tmp_path / "out.mp4", detector=SquareDetector())
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4", "part.mp4", "broken.mp4"}


def test_a_drawn_face_in_the_hands_of_detector_and_networks(tmp_path):
    """Nothing faked but the networks' weights and the recogniser, which knows nobody again."""
    drawn, frames = ProceduralFaces(1, image_size=160)[0]["image"], 10
    originals = [np.pad(drawn, ((20, 20), (20 + 4 * n, 80 - 4 * n), (0, 0)), mode="edge") for n in range(frames)]
    with av.open(str(tmp_path / "in.mkv"), "w") as output:
        video = output.add_stream("libx264", rate=25, width=260, height=200)
        for number, image in enumerate(originals):
            frame = av.VideoFrame.from_ndarray(image)
            frame.pts = number
            output.mux(video.encode(frame))
        output.mux(video.encode(None))

    config = ModelConfig(64, ("Male", "Young"), 2, base=4, levels=2, z_dim=8, style_width=8, discriminator_base=2)
    asked = itertools.count()
    recognizer = lambda faces: np.eye(256, dtype=np.float32)[8 * next(asked) :][: len(faces)]  # noqa: E731
    anonymizer = Anonymizer(random_model(config), recognizer=recognizer)

    report = anonymize_video(anonymizer, tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert (report.frames, report.anonymised, report.covered, len(report.tracks)) == (frames, frames, 0, 1)
    for number, (image, original) in enumerate(zip(images_of(tmp_path / "out.mkv"), originals, strict=True)):
        change = np.abs(image.astype(int) - original).mean(-1)
        left = 20 + 4 * number
        assert change[60:160, left + 50 : left + 110].mean() > 5 * change[:, left + 170 :].mean() > 0


def test_a_stage_runs_ahead_only_so_far_and_ends_when_nobody_waits():
    made, closed = [], threading.Event()

    def items():
        try:
            for number in range(100):
                made.append(number)
                yield number
        finally:
            closed.set()

    stage = ahead(items(), 3)
    assert next(stage) == 0
    assert not closed.wait(0.3) and len(made) <= 1 + 3 + 1
    stage.close()
    assert closed.is_set() and len(made) <= 1 + 3 + 1
    assert list(ahead(iter(range(50)), 2)) == list(range(50))
