"""Thresholds, matches and identification against cases counted by hand."""

import math

import numpy as np
import pytest

from a3gan_jax.evals import privacy

PEOPLE = np.array([0, 0, 1, -1])


def test_pairs_leave_out_unknown_people_and_the_photo_itself():
    assert np.argwhere(privacy.same_person(PEOPLE)).tolist() == [[0, 1], [1, 0]]
    assert np.argwhere(privacy.other_person(PEOPLE)).tolist() == [[0, 2], [1, 2], [2, 0], [2, 1]]
    two_unknown = np.array([-1, -1])
    assert not privacy.same_person(two_unknown).any() and not privacy.other_person(two_unknown).any()


def test_false_accept_threshold_counts_pairs_of_two_people_only():
    identity = np.array([0] + [1] * 100)
    similarity = np.full((101, 101), 9.0)  # of the same person, to be left out
    similarity[0, 1:] = similarity[1:, 0] = np.arange(100)
    threshold = privacy.false_accept_threshold(similarity, identity, 0.05)
    others = similarity[privacy.other_person(identity)]
    assert (others >= threshold).mean() == 0.05  # 95 .. 99 of 0 .. 99
    assert 94 < threshold <= 95
    with pytest.raises(ValueError, match="two people"):
        privacy.false_accept_threshold(np.eye(3), np.array([0, 0, -1]), 0.01)


def test_identification_by_hand():
    identity = np.array([0, 0, 1, 1, 2])
    similarity = np.array(
        [
            [1.0, 0.5, 0.6, 0.0, 0.0],  # itself left out, photo 2 of person 1 is the nearest: wrong
            [0.7, 0.0, 0.1, 0.0, 0.0],  # photo 0: right
            [0.0, 0.0, 1.0, 0.2, 0.1],  # photo 3: right
            [0.0, 0.9, 0.3, 1.0, 0.0],  # photo 1: wrong
            [0.0, 0.0, 0.0, 0.0, 1.0],  # nobody has another photo of person 2
        ]
    )
    result = privacy.identification(similarity, identity, threshold=0.5)
    assert result.rank1 == 0.5
    assert result.verified == 0.5  # .5 and .7, not .2 and .3
    assert privacy.people_searched(identity) == 2


def test_an_unknown_persons_photo_in_the_gallery_is_a_wrong_answer():
    similarity = np.array([[1, 0.4, 0.9], [0.4, 1, 0.3], [0.9, 0.3, 1]])
    assert privacy.identification(similarity, np.array([0, 0, -1]), 0.5).rank1 == 0.5


def test_nobody_to_be_found_is_not_a_perfect_score():
    result = privacy.identification(np.eye(2), np.array([0, 1]), 0.5)
    assert math.isnan(result.rank1) and math.isnan(result.verified)
    assert privacy.people_searched(np.array([0, 1, -1])) == 0
