"""Faces found again and overlaps, counted by hand."""

import math

import numpy as np
import pytest

from a3gan_jax.evals.detection import FaceDetection, found_overlap
from tests.evals.invented import judge, photos, sights

NAN = [math.nan] * 5


def test_overlap_by_hand():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10], [math.nan] * 4])
    others = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [20, 20, 5, 5], [0, 0, 10, 10]])
    np.testing.assert_allclose(found_overlap(boxes, others), [1, 1 / 3, 0, 0])


def test_a_face_not_found_again_is_a_failure_and_one_never_found_is_no_success():
    box = [[0, 0, 10, 10]] * 4
    moved = [[0, 0, 10, 10], [5, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]]  # photo 2 is not found: its box is a place
    before, after = sights(4, [True, True, True, False], box), sights(4, [True, True, False, True], moved)
    evidence, figures = judge(FaceDetection(), photos(4), before, after)
    assert figures["yunet/found before"].value == 0.75
    assert figures["yunet/found"].value == 0.75 and figures["yunet/found"].count == 4
    assert figures["yunet/found/found only"].value == pytest.approx(2 / 3)
    assert figures["yunet/found in place"].value == 0.25
    assert figures["yunet/iou"].value == pytest.approx((1 + 1 / 3) / 4)
    assert figures["yunet/iou/found only"].value == pytest.approx((1 + 1 / 3) / 3)
    assert evidence["boxes"]["yunet"]["after"][2] == [None] * 4
    assert [what for what, _ in evidence["not_run"]] == ["hog", "people"]
    assert not any(name.startswith("hog") for name in figures)


def test_the_second_detector_is_held_against_the_firsts_box_on_the_original():
    box = [[0, 0, 10, 10]] * 3
    hog_before = [[5, 0, 10, 10, 1.0], [0, 0, 10, 10, 1.0], NAN]
    hog_after = [[0, 0, 10, 10, 0.5], NAN, [0, 0, 10, 8, 0.5]]
    before, after = sights(3, box=box, hog=hog_before), sights(3, [False] * 3, box, hog=hog_after)
    _, figures = judge(FaceDetection(), photos(3), before, after)
    assert figures["yunet/found"].value == 0
    assert figures["hog/found"].value == pytest.approx(2 / 3)
    assert figures["hog/found/found only"].value == 0.5
    assert figures["hog/iou"].value == pytest.approx(1 / 9)  # a third, nothing, and nothing before
    assert figures["hog against yunet before/found in place"].value == pytest.approx(1 / 3)
    assert figures["hog against yunet/iou"].value == pytest.approx(1.8 / 3)
    assert figures["hog against yunet/found in place/found only"].value == 0.5


def test_boxes_drawn_by_people_are_the_truth_where_there_are_any():
    drawn = (np.array([[100.0, 0, 10, 10], [1, 0, 10, 10]]), np.empty((0, 4)), np.array([[50.0, 50, 10, 10]]))
    box = [[0, 0, 10, 10]] * 3
    evidence, figures = judge(FaceDetection(), photos(3, boxes=drawn), sights(3, box=box), sights(3, box=box))
    assert evidence["drawn"] == [[1, 0, 10, 10], [None] * 4, [50, 50, 10, 10]]
    figure = figures["yunet against people/found in place"]
    assert (figure.value, figure.count) == (0.5, 2)  # what YuNet took for a face in the last photo is none
    assert figures["yunet/found in place"].value == 1
    assert figures["yunet against people/iou"].value == pytest.approx(90 / 110 / 2, rel=1e-4)


def test_the_same_evidence_gives_the_same_figures():
    random = np.random.default_rng(0)
    before, after = (sights(20, random.random(20) < 0.8, random.uniform(10, 20, (20, 4))) for _ in range(2))
    task = FaceDetection()
    evidence = task.measure(photos(20), before, after)
    assert list(task.figures(evidence)) == list(task.figures(evidence))
