"""Frechet distances of distributions whose distance is known."""

import json

import numpy as np
import pytest

from a3gan_jax.evals.frechet import DIRECTIONS, LEAST, distance, frechet_figures, frechet_parts

RANDOM = np.random.default_rng(0)


def figures(before, after, found=None):
    found = np.ones(len(before), bool) if found is None else found
    parts = json.loads(json.dumps(frechet_parts(before, after, found, np.arange(len(before)) % 10)))
    return {figure.name.removeprefix("frechet distance"): figure for figure in frechet_figures(parts)}


def test_distance_by_hand():
    zero, one = np.zeros(2), np.eye(2)
    assert distance((zero, one), (zero, one)) == pytest.approx(0, abs=1e-9)
    assert distance((zero, one), (np.array([3.0, 4]), one)) == pytest.approx(25)
    # Commuting covariances: the sum of squared differences of the standard deviations.
    assert distance((zero, np.diag([1.0, 4])), (zero, np.diag([9.0, 4]))) == pytest.approx(4)
    flat = np.diag([1.0, 0])  # singular: fewer faces than directions would give one
    assert distance((zero, flat), (zero, one)) == pytest.approx(1)


def test_the_same_features_are_at_distance_zero():
    features = RANDOM.normal(5, 1, (200, 300))
    found = figures(features, features)
    assert found[""].value == pytest.approx(0, abs=1e-4 * DIRECTIONS)
    assert found[""].count == 200
    assert found["/between halves of the originals"].value > 1  # what chance makes of a hundred faces
    assert found["/between halves of the originals"].count == 100


def test_a_shift_is_seen_at_its_squared_length_and_lies_in_its_interval():
    features = RANDOM.normal(0, 1, (400, 640))
    shift = RANDOM.normal(0, 1, 640)
    figure = figures(features, features + shift)[""]
    assert figure.value == pytest.approx((shift**2).sum(), rel=0.8)  # of 32 random directions
    assert figure.low <= figure.value <= figure.high


def test_found_faces_are_told_apart():
    features = RANDOM.normal(0, 1, (200, 100))
    found = np.arange(200) % 20 < 10
    spoilt = np.where(found[:, None], features, features + 10)
    seen = figures(features, spoilt, found)
    assert seen["/found only"].value == pytest.approx(0, abs=1e-3)
    assert seen["/found only"].count == 100
    assert seen[""].value > 100


def test_too_few_faces_have_no_distance():
    features = RANDOM.normal(0, 1, (LEAST - 1, 100))
    assert np.isnan(figures(features, features)[""].value)
