"""Tracks of faces that move along known paths, with detections that jitter, are late, or are missing."""

import numpy as np
import pytest

from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.tracking import TrackedFace, Tracker, overlap

POINTS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])


def face(x: float, y: float, size: float = 40.0, score: float = 0.9) -> Detection:
    """A face whose box has its centre at (x, y)."""
    corner = np.array([x - size / 2, y - size / 2])
    return Detection(np.array([*corner, size, size]), corner + POINTS * size, score)


def centre(found: TrackedFace) -> np.ndarray:
    return found.face.box[:2] + found.face.box[2:] / 2


def follow(frames, carry=6, lookahead=6, cuts=()) -> tuple[list[list[int]], list[list[TrackedFace]]]:
    """Tracks of the detections and faces of all frames, asked for as late as can be."""
    tracker, numbers, faces = Tracker(carry, lookahead), [], []
    for i, detections in enumerate(frames):
        numbers.append(tracker.push(detections, cut=i in cuts))
        if i >= lookahead:
            faces.append(tracker.faces(lookahead))
    faces += [tracker.faces(age) for age in reversed(range(min(lookahead, len(frames))))]
    return numbers, faces


def tracks_in(faces: list[TrackedFace]) -> list[int]:
    return sorted(each.track for each in faces)


def test_two_people_who_pass_each_other_keep_their_tracks():
    frames = [[face(40 + 5 * t, 50), face(200 - 5 * t, 80)][:: 1 if t % 2 else -1] for t in range(30)]
    numbers, faces = follow(frames)
    left = [pair[0 if t % 2 else 1] for t, pair in enumerate(numbers)]
    right = [pair[1 if t % 2 else 0] for t, pair in enumerate(numbers)]
    assert len(set(left)) == len(set(right)) == 1 and left[0] != right[0]
    assert [tracks_in(each) for each in faces] == [[0, 1]] * 30
    assert all(each.gap == 0 for some in faces for each in some)


def test_a_late_and_a_lost_face_and_a_gap_are_bridged_in_every_frame():
    seen = [t for t in range(30) if 3 <= t <= 20 and t not in (5, 6, 7, 8)]
    numbers, faces = follow([[face(40 + 3 * t, 50)] if t in seen else [] for t in range(30)], carry=5, lookahead=4)
    assert {n for some in numbers for n in some} == {0}
    assert [len(some) for some in faces] == [1] * 26 + [0] * 4  # five frames beyond the last sight
    assert [some[0].gap for some in faces[:26]] == [
        min(abs(t - s) for s in seen if s <= t or s <= t + 4) for t in range(26)
    ]
    for t in range(26):
        np.testing.assert_allclose(centre(faces[t][0]), [40 + 3 * t, 50], atol=3 if t in range(2, 22) else 9)
    for t in range(5, 9):  # between two sights the way is known
        np.testing.assert_allclose(centre(faces[t][0]), [40 + 3 * t, 50], atol=0.5)


def test_points_move_with_the_box_where_nothing_is_seen():
    _, faces = follow([[face(40 + 3 * t, 50 - t)] if t < 10 else [] for t in range(14)])
    carried = faces[13][0]
    assert carried.gap == 4 and carried.face.score == 0.9
    np.testing.assert_allclose(carried.face.landmarks, carried.face.box[:2] + POINTS * 40, atol=1e-6)
    assert centre(carried)[0] > 40 + 3 * 9 + 5


def test_a_gap_up_to_carry_and_lookahead_is_bridged_and_a_longer_one_starts_a_new_track():
    for gap, tracks in ((11, 1), (14, 2)):
        numbers, faces = follow([[face(50, 50)] if t < 5 or t >= 5 + gap else [] for t in range(40)])
        assert len({n for some in numbers for n in some}) == tracks
        if tracks == 1:
            assert all(len(some) == 1 for some in faces)
        else:  # carry after, lookahead before: two frames in between are nobody's
            assert [t for t in range(40) if not faces[t]] == [11, 12]


def test_jitter_is_smoothed_and_motion_does_not_lag():
    rng = np.random.default_rng(0)
    path = np.stack([60 + 2.0 * np.arange(60), np.full(60, 70.0)], axis=1)
    noise = rng.normal(0, 0.5, path.shape)
    _, faces = follow([[face(*(p + n))] for p, n in zip(path, noise, strict=True)])
    errors = np.array([centre(some[0]) for some in faces]) - path
    assert errors[5:-5].std() < 0.7 * noise[5:-5].std()
    assert abs(errors[5:-5].mean()) < 0.15


def test_a_quick_turn_is_followed():
    path = [50.0] * 20 + [50 + 12.0 * t for t in range(1, 10)] + [158.0] * 20
    _, faces = follow([[face(x, 50)] for x in path])
    assert max(abs(centre(some[0])[0] - x) for some, x in zip(faces, path, strict=True)) <= 2 + 1e-9  # 5 % of 40


def test_a_face_far_from_where_it_was_is_another():
    numbers, _ = follow([[face(50, 50)], [face(50, 50)], [face(150, 50)], [face(150, 50, size=100)]])
    assert numbers == [[0], [0], [1], [2]]


def test_tracks_end_at_a_cut_in_both_directions():
    frames = [[face(50, 50)] if t < 8 else [face(52, 50)] if t >= 13 else [] for t in range(20)]
    numbers, faces = follow(frames, cuts=[10])
    assert numbers[7] == [0] and numbers[13] == [1]
    assert [tracks_in(some) for some in faces] == [[0]] * 10 + [[1]] * 10
    numbers, faces = follow(frames)  # without a cut it is one person
    assert [tracks_in(some) for some in faces] == [[0]] * 20


def test_the_same_place_right_after_a_cut_is_somebody_else():
    numbers, faces = follow([[face(50, 50)]] * 12, cuts=[6])
    assert [n for (n,) in numbers] == [0] * 6 + [1] * 6
    assert all(each.gap == 0 for some in faces for each in some)


def test_a_face_that_is_seen_stands_for_one_that_is_only_supposed():
    # The box grows too fast for its track: a new one begins in the same place.
    frames = [[face(50, 50, size=30)]] * 6 + [[face(50, 50, size=61)]] * 6
    numbers, faces = follow(frames)
    assert {n for some in numbers for n in some} == {0, 1}
    supposed = Detection(np.array([30.0, 30, 40, 40]), 30 + POINTS * 40, 0.9)
    assert overlap(supposed.box, supposed.box) == 1 and overlap(supposed.box, supposed.box + [20, 0, 0, 0]) == 1 / 3
    assert [tracks_in(some) for some in faces[:6]] == [[0, 1]] * 6  # the new one's box is four times as large
    _, faces = follow([[face(50, 50), face(58, 50)], [face(50, 50)], [face(50, 50)]])
    assert [tracks_in(some) for some in faces] == [[0, 1], [0], [0]]


def test_memory_does_not_grow():
    tracker = Tracker(carry=5, lookahead=5)
    for t in range(2000):
        tracker.push([face(50 + t % 7, 50), face(300 * (t // 40 % 2) + 200, 400)])
    assert len(tracker._tracks) <= 3
    assert max(len(track.frames) for track in tracker._tracks) <= 5 + 5 + 5 + 4 + 1


@pytest.mark.parametrize("field", ["box", "landmarks"])
def test_what_cannot_be_placed_is_an_error(field):
    broken = face(50, 50)
    getattr(broken, field)[1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        Tracker().push([broken])
    with pytest.raises(ValueError, match="empty box"):
        Tracker().push([face(50, 50, size=0)])


def test_wrong_arguments():
    with pytest.raises(ValueError, match="must not be negative"):
        Tracker(carry=-1)
    tracker = Tracker(lookahead=3)
    tracker.push([])
    for age in (1, -1, 4):
        with pytest.raises(ValueError, match="not in view"):
            tracker.faces(age)
