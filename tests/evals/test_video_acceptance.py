"""A video whose face is a red square with a pattern: frames that show it, tracks that change, files that lose parts."""

import numpy as np
import pytest

from a3gan_jax.evals import video_acceptance
from a3gan_jax.evals.video_acceptance import Facts, VideoJudge, compare_files, judge_video, read_facts
from a3gan_jax.faces.detector import Detection
from tests.evals.red_faces import FRAMES, frame, look, red_faces, write
from tests.media.films import copy, film

ORIGINAL, PSEUDONYM = 1, 2


def judged(patterns, lost=(), originals=None) -> VideoJudge:
    """A video of which every frame shows a pattern in the place of ``ORIGINAL``; in some the detector finds none."""
    judge = VideoJudge(red_faces, look)
    for number, pattern in enumerate(patterns):
        original = frame(number, ORIGINAL if originals is None else originals[number])
        judge.see(original, frame(number, pattern), [] if number in lost else red_faces(original))
    return judge


def kinds(judge: VideoJudge) -> list[str]:
    return [violation.kind for violation in judge.verdict().violations]


def test_one_pseudonym_in_all_frames_is_accepted():
    verdict = judged([PSEUDONYM] * FRAMES).verdict()
    assert verdict.violations == () and verdict.frames == FRAMES
    (track,) = verdict.tracks
    assert (track.faces, track.gaps, track.pairs) == (FRAMES, 0, FRAMES - 1)
    assert track.stability > 0.95 and track.largest_cosine == max(verdict.cosines) < 0.363
    assert track.result_flicker < 15 and track.original_flicker < 15


def test_a_single_frame_that_shows_the_original_is_found():
    patterns = [PSEUDONYM] * FRAMES
    patterns[5] = ORIGINAL
    judge = judged(patterns)
    assert kinds(judge)[:2] == ["visible", "unchanged"]
    assert all(violation.text.startswith("frame 5,") for violation in judge.violations)


@pytest.mark.parametrize("shown", [ORIGINAL, PSEUDONYM])
def test_a_face_is_looked_for_where_the_detector_has_lost_it(shown):
    patterns = [PSEUDONYM] * FRAMES
    patterns[6] = shown
    judge = judged(patterns, lost=(5, 6, 7))
    assert judge.verdict().tracks[0].gaps == 3
    assert kinds(judge) == (["visible in a gap", "unchanged"] if shown == ORIGINAL else [])
    assert all(violation.text.startswith("frame 6,") for violation in judge.violations)


def test_a_face_that_changes_from_frame_to_frame_is_unstable():
    judge = judged([PSEUDONYM + number % 3 for number in range(FRAMES)])
    assert kinds(judge) == ["unstable"]
    (track,) = judge.verdict().tracks
    assert track.stability < 0.5 and track.result_flicker > 2 * track.original_flicker


def test_what_changes_in_the_original_may_change():
    patterns = [3 + number % 3 for number in range(FRAMES)]
    judge = judged([pattern + 10 for pattern in patterns], originals=patterns)
    assert judge.verdict().tracks[0].original_cosine < 0.5
    assert "visible" not in kinds(judge)


def test_a_small_face_must_change_and_may_match():
    judge = VideoJudge(lambda image: [], lambda image, points: np.ones(1))
    small = Detection(np.array([20.0, 20, 30, 30]), np.array([[28.0, 30], [42, 30], [35, 36], [30, 42], [40, 42]]), 0.9)
    judge.see(frame(0, ORIGINAL), 255 - frame(0, ORIGINAL), [small])
    judge.see(frame(1, ORIGINAL), frame(1, ORIGINAL), [small])
    assert kinds(judge) == ["unchanged"]


def test_files_are_judged_as_they_are_coded(tmp_path):
    original, result = tmp_path / "original.mkv", tmp_path / "result.mkv"
    write(original, [ORIGINAL] * FRAMES)
    write(result, [PSEUDONYM] * FRAMES)
    verdict = judge_video(original, result, red_faces, look)
    assert (verdict.frames, verdict.violations) == (FRAMES, ())
    write(result, [PSEUDONYM] * 4 + [ORIGINAL] + [PSEUDONYM] * (FRAMES - 5))
    found = judge_video(original, result, red_faces, look).violations
    assert [violation.kind for violation in found][:2] == ["visible", "unchanged"]
    write(result, [PSEUDONYM] * (FRAMES - 2))
    assert [violation.kind for violation in judge_video(original, result, red_faces, look).violations] == ["frames"]
    write(result, [PSEUDONYM] * FRAMES, size=(120, 96))
    assert [violation.kind for violation in judge_video(original, result, red_faces, look).violations] == ["size"]


def test_a_file_that_keeps_all_differs_in_nothing(tmp_path):
    original = film(tmp_path / "original.mp4", sound="aac", times=np.cumsum([0, 1, 3, 2, 1, 5]))
    copy(original, tmp_path / "copy.mkv")
    facts = read_facts(original)
    assert len(facts.times) == 6 and facts.sounds == pytest.approx([0.24], abs=0.05)
    assert compare_files(facts, read_facts(tmp_path / "copy.mkv")) == []
    copy(original, tmp_path / "silent.mp4", audio=False)
    assert [v.kind for v in compare_files(facts, read_facts(tmp_path / "silent.mp4"))] == ["sound"]


def test_rate_times_and_sound_are_compared():
    times, late = np.arange(5) / 25, np.arange(5) / 25 + [0, 0, 0.02, 0, 0]
    facts = Facts(25.0, times, (1.0,))
    assert compare_files(facts, Facts(25.0, times + 0.5, (1.02,))) == []
    for other, kind in [
        (Facts(30.0, times, (1.0,)), "rate"),
        (Facts(25.0, late, (1.0,)), "times"),
        (Facts(25.0, times[1:], (1.0,)), "frames"),
        (Facts(25.0, times, (0.8,)), "sound"),
        (Facts(25.0, times, (1.0, 1.0)), "sound"),
    ]:
        assert [violation.kind for violation in compare_files(facts, other)] == [kind]


def test_a_file_without_pictures_is_refused(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"no video")
    with pytest.raises((ValueError, OSError)):
        video_acceptance.read_facts(tmp_path / "x.mp4")
