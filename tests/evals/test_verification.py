"""The pairs protocol on cases with known answers."""

import dataclasses
import json

import numpy as np
import pytest

from a3gan_jax.evals.verification import AT_RATE, Verification
from tests.evals.people import Cosine, album, sights, strangers

TASK = Verification([Cosine()])


def figures(before, after, photos, task=TASK):
    evidence = json.loads(json.dumps(task.measure(photos, before, after)))
    return {figure.name: figure for figure in task.figures(evidence)}


def test_embeddings_that_know_nobody_accept_as_many_of_one_person_as_of_two():
    photos, _ = album(people=120, photos=4)
    result = figures(sights(strangers(480, seed=5)), sights(strangers(480, seed=6)), photos)
    for question in ("originals", "probe", "linkable"):
        accepted = result[f"cosine/{question}/{AT_RATE}"]
        assert accepted.low <= 1e-3 <= accepted.high and accepted.count == 360
        assert 0.4 < result[f"cosine/{question}/auc"].value < 0.6
        assert abs(result[f"cosine/{question}/accuracy"].value - 0.5) < 0.07


def test_doing_nothing_leaves_what_the_recogniser_knows():
    photos, known = album(people=60, photos=4)
    result = figures(sights(known), sights(known), photos)
    for what in (AT_RATE, "accepted", "accuracy", "auc"):
        assert result[f"cosine/originals/{what}"].value > 0.99
        assert result[f"cosine/probe/{what}"].value == result[f"cosine/originals/{what}"].value
        assert result[f"cosine/linkable/{what}"].value == result[f"cosine/originals/{what}"].value
    assert result[f"cosine/probe/others {AT_RATE}"].value < 0.02


def test_pseudonyms_of_one_person_can_be_linkable_without_being_known():
    photos, known = album(people=60, photos=4)
    _, others = album(people=60, photos=4, seed=50)
    result = figures(sights(known), sights(others), photos)
    assert result["cosine/probe/accepted"].value < 0.01 and result["cosine/linkable/accepted"].value > 0.99


def test_black_boxes_are_accepted_alike_and_so_not_linkable():
    photos, known = album(people=60, photos=4)
    result = figures(sights(known), sights(np.eye(1, 64, dtype=np.float32).repeat(len(photos), axis=0)), photos)
    assert result["cosine/linkable/accepted"].value == result["cosine/linkable/others accepted at 0.001"].value == 1
    assert result["unseen/linkable/auc"].value == 0.5


def test_thresholds_do_not_come_from_the_fold_that_is_judged():
    photos, known = album(people=60, photos=4)
    spoiled = known.copy()
    rows = np.flatnonzero(photos.identity % 10 == 3)
    spoiled[rows] = spoiled[rows[0]]  # all in fold 3 look alike
    evidence = TASK.measure(photos, sights(spoiled), sights(spoiled))
    threshold = np.array(evidence["recognizers"]["cosine"]["threshold"])
    assert threshold[photos.pairs.fold == 3].max() < 0.8 and (threshold[photos.pairs.fold != 3] > 0.9).all()


def test_a_face_that_could_not_be_embedded_counts_as_recognised():
    photos, known = album(people=60, photos=4)
    failed = strangers(len(photos), seed=9)
    failed[::3] = np.nan
    found = np.isfinite(failed).all(1)
    result = figures(sights(known), sights(failed, found), photos)
    gone = ~found[photos.pairs.second][photos.pairs.same]
    assert result["cosine/probe/accepted"].value == pytest.approx(gone.mean())
    assert result["cosine/probe/accepted/found only"].value == 0.0
    assert result["cosine/probe/accepted/found only"].count == (~gone).sum()


def test_the_headline_is_the_worst_recogniser_that_was_not_trained_against():
    photos, known = album(people=60, photos=4)
    unknown = strangers(len(photos), seed=9)
    task = Verification([Cosine(), Cosine("other"), Cosine("third")], trained_against=["other"])
    after = sights(unknown, other=known, third=unknown)
    result = figures(sights(known, other=known, third=known), after, photos, task)
    assert result["other/probe/accepted"].value > 0.99  # in the table, but not in the headline
    assert result["unseen/probe/accepted"].value == max(
        result[f"{r}/probe/accepted"].value for r in ("cosine", "third")
    )


def test_photos_without_pairs_or_too_few_people_are_an_error():
    photos, known = album(people=20, photos=2)
    few = dataclasses.replace(photos, identity=np.where(np.arange(40) < 10, photos.identity, -1))
    with pytest.raises(ValueError, match="needs 1000 pairs of photos of two people"):
        TASK.measure(few, sights(known), sights(known))
    with pytest.raises(ValueError, match="album brings no pairs"):
        TASK.measure(dataclasses.replace(photos, pairs=None), sights(known), sights(known))
