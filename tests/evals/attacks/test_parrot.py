"""The parrot attack finds what a method has left, and nothing where it has left nothing."""

import json

import numpy as np
import pytest

from a3gan_jax.evals.attacks.parrot import Parrot, split, train_head
from tests.evals.people import Cosine, album, sights, strangers, unit

TASK = Parrot([Cosine()])


def figures(photos, after):
    evidence = json.loads(json.dumps(TASK.measure(photos, sights(after), sights(after))))
    return {figure.name: figure for figure in TASK.figures(evidence)}


def test_photos_to_learn_from_and_to_test_on_never_overlap_and_show_the_same_people():
    identity = np.array([0, 0, 1, -1, 2, 2, 2, -1, 3])
    learned, tested = split(identity)
    assert learned.tolist() == [0, 4, 6] and tested.tolist() == [1, 5]  # nobody of one photo, nobody unknown


def test_a_fixed_change_of_embeddings_hides_people_from_a_gallery_but_not_from_a_parrot():
    photos, known = album(people=20, photos=10)
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(64, 64)))[0]
    hidden = unit(known @ rotation)
    assert abs((known * hidden).sum(1).mean()) < 0.1
    result = figures(photos, hidden)
    assert result["cosine/rank 1"].value > 0.95 and result["cosine/rank 1"].count == 100
    assert result["chance/rank 1"].value == pytest.approx(0.05)


def test_where_nothing_is_left_a_parrot_guesses():
    photos, _ = album(people=20, photos=10)
    result = figures(photos, strangers(200, seed=8))
    assert result["cosine/rank 1"].low <= 0.05 <= result["cosine/rank 1"].high


def test_where_all_look_alike_nobody_is_named():
    photos, _ = album(people=20, photos=10)
    assert figures(photos, strangers(1).repeat(200, axis=0))["cosine/rank 1"].value == 0


def test_a_face_that_could_not_be_embedded_counts_as_named():
    photos, _ = album(people=20, photos=10)
    after = strangers(200, seed=8)
    after[1::10] = np.nan
    result = figures(photos, after)
    assert result["cosine/rank 1"].value >= 0.2


def test_the_heads_gradient_is_that_of_its_loss():
    random = np.random.default_rng(0)
    features, classes = random.normal(size=(30, 4)), random.integers(3, size=30)
    weights = train_head(features, classes, 3)
    x, wanted = np.column_stack([features, np.ones(30)]), np.eye(3)[classes]
    logits = x @ weights
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gradient = x.T @ (probabilities - wanted) / 30 + 1e-3 * np.vstack([weights[:-1], np.zeros(3)])
    assert np.abs(gradient).max() < 1e-3  # it has been minimised


def test_two_people_are_needed():
    photos, known = album(people=2, photos=1)
    with pytest.raises(ValueError, match="album has 0 people with two photos"):
        TASK.measure(photos, sights(known), sights(known))
