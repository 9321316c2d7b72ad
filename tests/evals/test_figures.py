"""Intervals against published ones, known distributions and cases worked out by hand."""

import math

import numpy as np
import pytest

from a3gan_jax.evals import figures
from a3gan_jax.evals.figures import Figure


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_share_has_the_score_intervals_that_newcombe_published(hits, count, low, high):
    figure = figures.share("a", np.arange(count) < hits)  # Statistics in Medicine 1998, table I, method 3
    assert (figure.name, figure.count) == ("a", count) and figure.value == hits / count
    assert (round(figure.low, 4), round(figure.high, 4)) == (low, high)


def test_share_of_all_is_the_mirror_of_none():
    none, all_ = figures.share("", np.zeros(7, bool)), figures.share("", np.ones(7, bool))
    assert none.low == 0.0 < none.high and all_.high == 1.0 > all_.low
    assert none.high == pytest.approx(1 - all_.low)


def test_share_reads_what_json_kept_but_takes_nothing_unknown_for_a_hit():
    assert figures.share("", [True, False, 1, 0]).value == 0.5
    with pytest.raises(ValueError, match="leaks: .* not of nan"):
        figures.share("leaks", np.array([0.0, np.nan]))
    with pytest.raises(ValueError, match="not of 0.7"):
        figures.share("leaks", np.array([0.7]))


def test_nothing_measured_is_nan_without_interval():
    for figure in (
        figures.share("", []),
        figures.mean("", []),
        figures.bootstrap("", lambda rows: 1.0, 0, np.empty(0, int)),
    ):
        assert figure.count == 0 and np.isnan([figure.value, figure.low, figure.high]).all()


def test_share_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(0)
    drawn = [figures.share("", random.random(50) < 0.1) for _ in range(400)]
    assert 0.93 < np.mean([figure.low <= 0.1 <= figure.high for figure in drawn]) < 0.99


def test_bootstrap_covers_a_mean_as_often_as_it_says():
    random = np.random.default_rng(0)
    drawn = [figures.mean("", random.normal(3.0, 2.0, 80)) for _ in range(100)]
    assert 0.88 <= np.mean([figure.low <= 3.0 <= figure.high for figure in drawn]) <= 0.99
    # Of a normal mean the interval is 2 * 1.96 * 2 / sqrt(80) wide.
    assert np.mean([figure.high - figure.low for figure in drawn]) == pytest.approx(0.877, abs=0.03)


def test_a_constant_has_no_spread():
    assert figures.mean("psnr", np.full(9, 30.0)) == Figure("psnr", 30.0, 9, 30.0, 30.0)


def test_the_same_cases_give_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(1).random(40)
    assert figures.mean("", values) == figures.mean("", values)
    one, other = (figures.bootstrap("", lambda rows: values[rows].mean(), 40, seed=seed) for seed in (0, 1))
    assert one.value == other.value and one.low != other.low


def test_copies_in_a_group_add_no_certainty():
    people = np.random.default_rng(2).random(30)
    alone = figures.mean("", people)
    groups = np.repeat(np.arange(30), 5)[::-1]  # in any order
    copies = figures.mean("", np.repeat(people, 5)[::-1], groups + 7)  # under any numbers
    assert copies.count == 150
    np.testing.assert_allclose([copies.value, copies.low, copies.high], [alone.value, alone.low, alone.high])
    naive = figures.mean("", np.repeat(people, 5))
    assert naive.high - naive.low < 0.6 * (alone.high - alone.low)


def test_groups_are_drawn_whole():
    groups, drawn = np.array([4, 1, 4, 4, 1, 9]), []
    figures.bootstrap("", lambda rows: drawn.append(np.bincount(rows, minlength=6)) or 0.0, 6, groups)
    times = np.array(drawn[1:])  # after the figure itself
    assert len(times) == figures.RESAMPLES
    assert (times[:, 0] == times[:, 2]).all() and (times[:, 0] == times[:, 3]).all()
    assert (times[:, 1] == times[:, 4]).all()
    assert (times[:, [0, 1, 5]].sum(1) == 3).all()  # as many groups as there are
    assert drawn[0].tolist() == [1] * 6


def test_of_a_single_case_or_group_there_is_no_interval():
    for figure in (figures.mean("", [0.2]), figures.mean("", [0.1, 0.3], np.array([5, 5]))):
        assert figure.value == pytest.approx(0.2) and math.isnan(figure.low) and math.isnan(figure.high)


def test_a_value_that_is_nan_has_no_interval_although_draws_without_the_nan_have_a_value():
    figure = figures.mean("", [1.0, np.nan, 2.0])
    assert figure.count == 3 and np.isnan([figure.value, figure.low, figure.high]).all()


def test_draws_without_a_value_do_not_count():
    values = np.array([1.0, 1.0, 5.0])
    figure = figures.bootstrap("", lambda rows: np.nan if (rows == 2).all() else values[rows].mean(), 3)
    assert figure.value == pytest.approx(7 / 3) and (figure.low, figure.high) == (1.0, pytest.approx(11 / 3))
    only_whole = figures.bootstrap("", lambda rows: 1.0 if len(set(rows)) == 40 else float("nan"), 40)
    assert only_whole.value == 1.0 and math.isnan(only_whole.low)


def test_worst_unseen_is_the_highest_of_recognisers_the_method_was_not_trained_against():
    seen = {
        "sface": [Figure("sface/probe", 0.9, 10, 0.8, 1.0)],
        "dlib": [Figure("dlib/probe", 0.2, 10, 0.1, 0.3), Figure("dlib/other", 1.0, 10)],
        "arc": [Figure("arc/probe", 0.4, 10, 0.3, 0.5)],
        "blind": [Figure("blind/probe", float("nan"), 0)],
    }
    assert list(figures.worst_unseen(seen, ["sface"], ["probe"])) == [Figure("unseen/probe", 0.4, 10, 0.3, 0.5)]
    assert list(figures.worst_unseen(seen, list(seen), ["probe"])) == []
