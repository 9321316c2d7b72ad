"""Searching for anonymised photos among originals, on cases with known answers."""

import json

import numpy as np
import pytest

from a3gan_jax.evals.identification import Identification
from tests.evals.people import Cosine, album, sights, strangers

TASK = Identification([Cosine()])
PHOTOS, KNOWN = album(people=60, photos=4)


def evaluate(after):
    evidence = json.loads(json.dumps(TASK.measure(PHOTOS, sights(KNOWN), after)))
    return evidence, {figure.name: figure for figure in TASK.figures(evidence)}


def test_doing_nothing_protects_nobody():
    _, figures = evaluate(sights(KNOWN))
    for name in ("cosine/self/accepted", "cosine/rank 1", "cosine/others/rank 1", "unseen/rank 1"):
        assert figures[name].value == 1.0
    assert figures["cosine/protected"].value == 0.0 and figures["cosine/protected"].count == 240


def test_a_face_of_nobody_is_found_by_chance():
    _, figures = evaluate(sights(strangers(240, seed=7)))
    assert figures["cosine/self/accepted"].value < 0.02
    for top in (1, 5):
        figure = figures[f"cosine/rank {top}"]
        assert figure.low <= top / 60 <= figure.high


def test_a_planted_leak_is_found_with_its_share_and_its_names():
    after = strangers(240, seed=7)
    after[::10] = KNOWN[::10]  # a method that leaves every tenth face alone
    evidence, figures = evaluate(sights(after))
    assert figures["cosine/self/accepted"].value == pytest.approx(0.1)
    assert figures["cosine/self/accepted"].low <= 0.1 <= figures["cosine/self/accepted"].high
    leaks = TASK.leaks(evidence)
    assert sorted(file for file, _, _ in leaks) == sorted(PHOTOS.files[::10])
    assert leaks == sorted(leaks, key=lambda leak: -leak[2])


def test_without_the_own_original_other_photos_of_the_person_are_searched_for():
    after = KNOWN.copy()
    after[0] = KNOWN[1]  # looks like another photo of the same person
    after[4] = KNOWN[0]  # like the photo of another person
    evidence, _ = evaluate(sights(after))
    ranks = evidence["recognizers"]["cosine"]
    assert ranks["rank"][:4] == [0, 0, 0, 0] and ranks["rank"][4] >= 1
    assert ranks["others_rank"][0] == 0 and ranks["others_rank"][4] >= 1


def test_a_face_that_could_not_be_embedded_counts_as_recognised():
    after = strangers(240, seed=7)
    after[:24] = np.nan
    _, figures = evaluate(sights(after, np.isfinite(after).all(1)))
    assert figures["cosine/self/accepted"].value == pytest.approx(0.1, abs=0.01)
    assert figures["cosine/rank 1"].value >= 0.1 and figures["cosine/rank 1/found only"].value < 0.06
