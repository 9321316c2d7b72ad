"""Areas and curves against cases counted by hand, and pair by pair."""

import math

import numpy as np
import pytest

from a3gan_jax.evals import roc


def test_auc_counts_pairs_and_halves_ties():
    assert roc.auc([3, 4], [1, 2]) == 1.0
    assert roc.auc([1, 2], [3, 4]) == 0.0
    assert roc.auc([1, 1], [1, 1, 1]) == 0.5
    assert roc.auc([2, 3], [1, 2, 2, 4]) == 5 / 8  # 2: one below, two tied; 3: three below
    assert roc.auc([np.inf, 0], [1, -np.inf]) == 0.75  # a pair that the caller accepts or refuses


def test_auc_is_the_share_of_all_pairs_in_the_right_order():
    random = np.random.default_rng(0)
    genuine, impostor = random.integers(0, 20, 70), random.integers(0, 15, 90)
    above = (genuine[:, None] > impostor).mean() + (genuine[:, None] == impostor).mean() / 2
    assert roc.auc(genuine, impostor) == pytest.approx(above)


def test_of_normal_scores_the_area_is_the_known_one():
    random = np.random.default_rng(0)
    area = roc.auc(random.normal(1, 1, 20000), random.normal(0, 1, 20000))
    assert area == pytest.approx((1 + math.erf(0.5)) / 2, abs=0.01)  # Phi(1 / sqrt(2))


def test_no_pair_has_no_area_and_no_curve():
    assert math.isnan(roc.auc([], [1.0])) and math.isnan(roc.auc([1.0], []))
    with pytest.raises(ValueError, match="a genuine and an impostor pair"):
        roc.curve([1.0], [])


def test_a_score_that_is_nan_is_refused_rather_than_compared():
    with pytest.raises(ValueError, match="1 of 2 genuine scores are nan"):
        roc.auc([1.0, np.nan], [0.0])
    with pytest.raises(ValueError, match="impostor"):
        roc.curve([1.0], [np.nan])


def test_curve_by_hand():
    far, tar = roc.curve([1, 3, 5, 6], [0, 2, 4, 4])
    # From 4 on (the two at 4 pass together), from 2 on, from 0 on.
    assert far.tolist() == [0.5, 0.75, 1.0]
    assert tar.tolist() == [0.5, 0.75, 1.0]
    far, tar = roc.curve([1, 3], [2, 4])
    assert (far.tolist(), tar.tolist()) == ([0.5, 1.0, 1.0], [0.0, 0.5, 1.0])


def test_curve_of_many_scores_is_thinned_measured_and_reaches_both_ends():
    random = np.random.default_rng(0)
    genuine, impostor = random.normal(1, 1, 3000), random.normal(0, 1, 5000)
    far, tar = roc.curve(genuine, impostor, points=50)
    assert len(far) <= 51 and far[0] == 1 / 5000 and (far[-1], tar[-1]) == (1, 1)
    assert (np.diff(far) >= 0).all() and (np.diff(tar) >= 0).all()
    for rate, accepted in zip(far[:-1], tar[:-1], strict=True):
        threshold = np.sort(impostor)[-round(rate * 5000)]
        assert (impostor >= threshold).mean() == pytest.approx(rate)
        assert (genuine >= threshold).mean() == pytest.approx(accepted)
