"""Figures of quality worked out by hand, and attributes learned on other people."""

import dataclasses
import math

import numpy as np
import pytest

from a3gan_jax.evals.face_mesh import COLUMNS as MESH_COLUMNS
from a3gan_jax.evals.quality import Quality, landmark_error
from tests.evals.invented import LANDMARKS, judge, photos, sights

NAN = math.nan
RANDOM = np.random.default_rng(0)


def test_landmarks_are_measured_between_the_eyes_and_only_where_a_face_was_found():
    moved = LANDMARKS + [2.0, 0]  # of 40
    far = LANDMARKS + [0, 8.0]
    np.testing.assert_allclose(landmark_error(LANDMARKS[None], far[None]), [0.2])
    after = sights(4, [True, True, False, True], landmarks=[moved, far, LANDMARKS, LANDMARKS])
    evidence, figures = judge(Quality(), photos(4), sights(4), after)
    assert evidence["nme"] == [0.05, 0.2, None, 0]
    assert figures["landmarks/nme/found only"].value == pytest.approx(0.25 / 3)
    assert figures["landmarks/within 0.1"].value == 0.5
    assert figures["landmarks/within 0.1/found only"].value == pytest.approx(2 / 3)
    assert {what for what, _ in evidence["not_run"]} == {
        "similarity",
        "perceptual",
        "pose",
        "frechet distance and attributes",
    }


def test_a_missing_result_is_the_worst_and_a_missing_outside_is_none():
    rows = [[0.5, 1, 30, 1], [0.7, NAN, 20, NAN], [NAN] * 4]
    distances = [[0.2], [0.6], [NAN]]
    after = sights(3, [True, True, False], similarity=rows, perceptual=distances)
    _, figures = judge(Quality(), photos(3), sights(3), after)
    assert figures["ssim inside"].value == pytest.approx(0.4)
    assert figures["ssim inside/found only"].value == pytest.approx(0.6)
    assert (figures["ssim outside"].value, figures["ssim outside"].count) == (0.5, 2)
    assert figures["ssim outside/found only"].value == 1
    assert figures["psnr/found only"].value == 25
    assert figures["perceptual distance"].value == pytest.approx((0.2 + 0.6 + 0.6) / 3)
    assert figures["perceptual distance/found only"].value == pytest.approx(0.4)


def test_pose_by_hand():
    turned = np.zeros((3, len(MESH_COLUMNS)))
    turned[:, MESH_COLUMNS.index("yaw")] = 4, -20, NAN
    turned[:, MESH_COLUMNS.index("roll")] = 358, 0, 0  # two degrees the other way
    _, figures = judge(Quality(), photos(3), sights(3, mesh=np.zeros_like(turned)), sights(3, mesh=turned))
    assert figures["pose/yaw difference/found only"].value == 12
    assert figures["pose/roll difference/found only"].value == 1
    assert figures["pose/within 10 degrees"].value == pytest.approx(1 / 3)
    assert figures["pose/within 10 degrees/found only"].value == 0.5


def faces(people: int = 40, each: int = 6):
    """Photos with one attribute that a feature shows, one that says nothing and one that hardly anybody has."""
    count = people * each
    features = RANDOM.normal(size=(count, 40))
    attributes = np.column_stack([features[:, 0] > 0, RANDOM.integers(0, 2, count), np.arange(count) == 0])
    known = photos(
        count,
        identity=np.repeat(np.arange(people), each),
        attributes=attributes.astype(np.uint8),
        attribute_names=("Smiling", "Young", "Bald"),
    )
    return known, features


def test_attributes_are_learned_on_other_people_and_compared():
    known, features = faces()
    count = len(known)
    changed = features.copy()
    changed[: count // 2, 0] *= -1  # half of all stop smiling, or begin
    found = np.arange(count) > 0
    smiling = known.attributes[:, 0]
    asked = {"Smiling": np.where(np.arange(count) < count // 2, 1.0 - smiling, smiling)}
    after = dataclasses.replace(sights(count, found, efficientnet=changed), asked=asked)
    evidence, figures = judge(Quality(), known, sights(count, efficientnet=features), after)
    assert evidence["attributes"]["names"] == ["Smiling", "Young"]
    assert ["attributes Bald", "fewer than 10 faces of other people have or lack them"] in evidence["not_run"]
    assert figures["attributes/smiling/probe accuracy"].value > 0.75
    assert figures["attributes/young/probe accuracy"].value < 0.7
    assert 0.4 < figures["attributes/smiling/agreement"].value < 0.7
    changed, lost = figures["attributes/changed as asked/found only"], figures["attributes/changed as asked"]
    assert 0.7 < lost.value < changed.value and lost.count == changed.count + 1
    assert figures["attributes/kept as asked"].value == 1  # what nothing was done to is seen as before


def test_attributes_that_the_method_does_not_choose_are_asked_of_nobody():
    known, features = faces()
    seen = sights(len(known), efficientnet=features)
    _, figures = judge(Quality(), known, seen, seen)
    assert not [name for name in figures if "as asked" in name]


def test_what_is_asked_and_not_done_is_told():
    known, features = faces()
    seen = sights(len(known), efficientnet=features)
    after = dataclasses.replace(seen, asked={"Smiling": 1.0 - known.attributes[:, 0]})
    _, figures = judge(Quality(), known, seen, after)
    assert figures["attributes/changed as asked"].value == 0
    assert "attributes/kept as asked" not in figures


def test_equal_features_agree_in_all_and_are_at_no_distance():
    known, features = faces()
    seen = sights(len(known), efficientnet=features)
    _, figures = judge(Quality(), known, seen, seen)
    assert figures["attributes/agreement"].value == figures["attributes/balanced agreement"].value == 1
    assert figures["attributes/probe balanced accuracy"].value < 1
    assert figures["frechet distance"].value == pytest.approx(0, abs=1e-3)


def test_a_probe_that_is_given_is_asked():
    known, features = faces()
    probe = lambda features: np.ones((len(features), 3))  # noqa: E731
    seen = sights(len(known), efficientnet=features)
    _, figures = judge(Quality(probe), known, seen, seen)
    assert figures["attributes/bald/probe accuracy"].value == pytest.approx(1 / len(known))
    assert figures["attributes/agreement"].value == 1


def test_too_few_faces_are_named():
    seen = sights(4, efficientnet=RANDOM.normal(size=(4, 40)))
    evidence, figures = judge(Quality(), photos(4), seen, seen)
    assert not any(name.startswith(("frechet", "attributes")) for name in figures)
    assert ["frechet distance", "it needs 64 faces of several people, there are 4"] in evidence["not_run"]
    assert ["attributes", "invented has no labels of attributes"] in evidence["not_run"]
