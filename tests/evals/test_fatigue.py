"""Yawns and eyes that were planted, and what is told of them."""

import math

import numpy as np
import pytest

from a3gan_jax.evals.face_mesh import COLUMNS as MESH_COLUMNS
from a3gan_jax.evals.fatigue import Fatigue
from a3gan_jax.evals.group_folds import LogisticRegression, balanced_accuracy, best_threshold, group_folds
from a3gan_jax.evals.perclos import CLOSED
from tests.evals.invented import judge, photos, sights

DRIVERS, FRAMES = 8, 6
COUNT = DRIVERS * FRAMES
YAWNS = np.arange(COUNT) % 2 == 0
DRIVER = np.repeat(np.arange(DRIVERS), FRAMES)


def mesh(mouth: np.ndarray, left: np.ndarray | float = 0.3, right: np.ndarray | float = 0.3) -> np.ndarray:
    values = np.zeros((len(mouth), len(MESH_COLUMNS)))
    for name, column in (("mouth", mouth), ("left_eye", left), ("right_eye", right)):
        values[:, MESH_COLUMNS.index(name)] = column
    return values


def drivers(truth: np.ndarray = YAWNS):
    return photos(
        COUNT,
        labels={
            "fatigue": tuple("yawn" if yawns else "no_yawn" for yawns in truth),
            "group": tuple(str(driver) for driver in DRIVER),
        },
    )


MOUTH = np.where(YAWNS, 0.6, 0.1) + np.random.default_rng(0).uniform(-0.05, 0.05, COUNT)


def test_planted_yawns_are_told_and_a_shut_mouth_is_no_yawn():
    before = sights(COUNT, mesh=mesh(MOUTH))
    _, figures = judge(Fatigue(), drivers(), before, sights(COUNT, mesh=mesh(np.full(COUNT, 0.1))))
    for way in ("mouth ratio", "classifier"):
        for what in ("accuracy", "balanced accuracy", "auc"):
            assert figures[f"yawn by {way}/before/{what}"].value == 1
            assert figures[f"yawn by {way}/before/{what}"].count == COUNT
        assert figures[f"yawn by {way}/after/balanced accuracy"].value == 0.5
        assert figures[f"yawn by {way}/agreement"].value == 0.5


def test_lost_faces_count_as_wrong_answers():
    found = np.arange(COUNT) >= FRAMES  # the first driver is not found again
    after = mesh(MOUTH)
    after[-1] = math.nan  # and of one frame the mesh says nothing
    _, figures = judge(Fatigue(), drivers(), sights(COUNT, mesh=mesh(MOUTH)), sights(COUNT, found, mesh=after))
    right = 1 - (FRAMES + 1) / COUNT
    assert figures["yawn by mouth ratio/after/accuracy"].value == pytest.approx(right)
    assert figures["yawn by classifier/after/accuracy"].value == pytest.approx(right)
    assert figures["yawn by classifier/after/auc"].value < 1
    assert figures["yawn by classifier/after/auc/found only"].value == 1
    assert figures["yawn by classifier/before/accuracy"].value == 1
    assert figures["yawn by classifier/agreement"].value == pytest.approx(right)


def test_what_is_only_known_of_a_group_helps_nobody_on_others():
    own = np.random.default_rng(1).permutation(DRIVERS) % 2 == 0  # a driver yawns in all frames or in none
    mouth = np.random.default_rng(2).uniform(0, 1, DRIVERS)[DRIVER]  # and looks the same in all, which says nothing
    seen = sights(COUNT, mesh=mesh(mouth))
    evidence, figures = judge(Fatigue(), drivers(own[DRIVER]), seen, seen)
    assert figures["yawn by mouth ratio/before/accuracy"].value < 0.8
    scores = np.reshape(evidence["yawns"]["scores"]["classifier"]["before"], (DRIVERS, FRAMES))
    assert (np.sign(scores) == np.sign(scores[:, :1])).all()


def test_eyes_by_hand():
    open_eye, shut = CLOSED + 0.1, CLOSED - 0.1
    left = np.full(COUNT, open_eye)
    left[:FRAMES] = shut  # driver 0 sleeps, before; afterwards drivers 0 and 1 have their eyes shut in half the frames
    changed = np.full(COUNT, open_eye)
    changed[: 2 * FRAMES : 2] = shut
    before = sights(COUNT, mesh=mesh(MOUTH, left, left))
    found = np.arange(COUNT) < COUNT - FRAMES  # the last driver is lost
    after = sights(COUNT, found, mesh=mesh(MOUTH, changed, changed))
    _, figures = judge(Fatigue(), drivers(), before, after)
    assert figures["eyes closed/agreement"].value == pytest.approx(1 - (FRAMES / 2 + FRAMES / 2 + FRAMES) / COUNT)
    assert figures["perclos/error"].value == pytest.approx((0.5 + 0.5 + 1) / DRIVERS)
    assert figures["perclos/error/found only"].value == pytest.approx(1 / (DRIVERS - 1))
    assert figures["perclos/error"].count == DRIVERS
    assert figures["perclos/before/found only"].value == pytest.approx(1 / (DRIVERS - 1))
    difference = figures["left eye/difference of openness/found only"]
    assert difference.value == pytest.approx(0.2 * FRAMES / (COUNT - FRAMES))
    assert difference.count == COUNT - FRAMES


def test_without_labels_eyes_are_compared_all_the_same():
    seen = sights(2, mesh=mesh(np.zeros(2)))
    evidence, figures = judge(Fatigue(), photos(2), seen, seen)
    assert not any(name.startswith("yawn") for name in figures)
    assert [what for what, _ in evidence["not_run"]] == ["perclos of 2 groups", "yawns"]
    assert figures["perclos/error"].count == 0 and math.isnan(figures["perclos/error"].value)
    with pytest.raises(ValueError, match="observer mesh"):
        Fatigue().measure(photos(2), sights(2), sights(2))


def test_labels_that_cannot_be_learned_from_are_refused():
    seen = sights(COUNT, mesh=mesh(MOUTH))
    with pytest.raises(ValueError, match="no faces of one of the two labels"):
        Fatigue().measure(drivers(DRIVER == 0), seen, seen)
    with pytest.raises(ValueError, match="has sleepy; write one of yawn"):
        Fatigue().measure(photos(COUNT, labels={"fatigue": ("sleepy",) * COUNT}), seen, seen)
    with pytest.raises(ValueError, match="two groups"):
        one = photos(COUNT, identity=np.zeros(COUNT, int), labels={"fatigue": drivers().labels["fatigue"]})
        Fatigue().measure(one, seen, seen)


def test_folds_keep_groups_together_and_are_of_a_size():
    groups = np.repeat(np.arange(12), [30, 5, 5, 5, 5, 10, 10, 10, 10, 10, 10, 10])
    folds = group_folds(np.random.default_rng(0).permutation(groups))
    assert sorted(np.bincount(folds)) == [20, 20, 25, 25, 30]
    order = group_folds(groups)
    assert all(len(set(order[groups == group])) == 1 for group in range(12))


def test_threshold_lies_midway_and_between_different_scores():
    assert best_threshold(np.array([0.8, 0.1, 0.3, 0.6]), np.array([True, False, False, True])) == pytest.approx(0.45)
    # One yes in four at the same score as a no: the cut between them does not exist.
    assert best_threshold(np.array([1.0, 1, 2, 3]), np.array([False, True, True, True])) == 1.5


def test_logistic_regression_has_the_odds_of_its_data():
    truth = np.array([False] * 3 + [True] * 1 + [False] * 1 + [True] * 3)
    feature = np.repeat([[0.0], [1.0]], 4, axis=0)
    odds = LogisticRegression(np.tile(feature, (500, 1)), np.tile(truth, 500))(np.array([[0.0], [1.0], [math.nan]]))
    np.testing.assert_allclose(odds[:2], [-math.log(3), math.log(3)], rtol=1e-2)  # three to one, hardly penalised
    assert math.isnan(odds[2])
    rare = LogisticRegression(np.random.default_rng(0).normal(size=(200, 1)), np.arange(200) < 5)
    assert abs(rare(np.zeros((1, 1)))[0]) < 1  # what is rare is not taken for impossible


def test_balanced_accuracy_by_hand():
    truth = np.array([True, True, False, False, False, False])
    assert balanced_accuracy(np.array([True, False, False, False, False, True]), truth) == (0.5 + 0.75) / 2
    assert math.isnan(balanced_accuracy(truth, np.zeros(6, bool)))
