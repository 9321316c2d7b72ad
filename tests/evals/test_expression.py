"""Agreement of expressions, smiles and mouths, and accuracy against labels, counted by hand."""

import math

import numpy as np
import pytest

from a3gan_jax.evals.expression import OPEN, Expression, expression_labels
from a3gan_jax.evals.face_mesh import COLUMNS as MESH_COLUMNS
from a3gan_jax.models.fer import EXPRESSIONS
from tests.evals.invented import judge, photos, sights


def says(*names: str | None) -> np.ndarray:
    """Probabilities of a network that is sure; nan for None."""
    return np.array([[math.nan if name is None else float(name == one) for one in EXPRESSIONS] for name in names])


def mouths(*ratios: float) -> np.ndarray:
    mesh = np.zeros((len(ratios), len(MESH_COLUMNS)))
    mesh[:, MESH_COLUMNS.index("mouth")] = ratios
    return mesh


def test_agreement_counts_every_face_that_is_lost_as_a_disagreement():
    before = sights(5, fer=says("happy", "happy", "sad", "neutral", "neutral"))
    after = sights(5, [True, True, True, True, False], fer=says("happy", "neutral", "angry", None, "neutral"))
    _, figures = judge(Expression(), photos(5), before, after)
    assert figures["fer/agreement"].value == 0.2 and figures["fer/agreement"].count == 5
    assert figures["fer/agreement/found only"].value == pytest.approx(1 / 3)
    assert figures["smile/agreement"].value == 0.4  # the first, and sad against angry: no smile in both
    assert figures["smile/agreement/found only"].value == pytest.approx(2 / 3)
    assert figures["fer/total variation"].value == pytest.approx(4 / 5)
    assert figures["fer/total variation/found only"].value == pytest.approx(2 / 3)


def test_total_variation_is_half_the_sum_of_differences():
    before, after = np.zeros((1, 7)), np.zeros((1, 7))
    before[0, :2], after[0, :2] = (0.6, 0.4), (0.9, 0.1)
    _, figures = judge(Expression(), photos(1), sights(1, fer=before), sights(1, fer=after))
    assert figures["fer/total variation"].value == pytest.approx(0.3)
    assert figures["fer/agreement"].value == 1


def test_accuracy_is_over_the_labels_that_the_network_can_say():
    labels = {"expression": ("Happiness", "sadness", "", "contempt", "anger")}
    before = sights(5, fer=says("happy", "sad", "sad", "neutral", "fear"))
    after = sights(5, [True, False, True, True, True], fer=says("sad", "sad", "sad", "neutral", "angry"))
    evidence, figures = judge(Expression(), photos(5, labels=labels), before, after)
    assert figures["fer/accuracy/before"].value == pytest.approx(2 / 3)
    assert figures["fer/accuracy/after"].value == pytest.approx(1 / 3)  # the second is right but not found
    assert figures["fer/accuracy/after"].count == 3
    assert figures["fer/accuracy/after/found only"].value == 0.5
    assert ["accuracy on 1 photos", "the network does not know contempt"] in evidence["not_run"]


def test_words_of_the_data_sets():
    assert expression_labels(["Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral", ""]) == [
        *("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral", "")
    ]
    assert {word for word in expression_labels(["fear", "happy", "contempt"]) if word} <= set(EXPRESSIONS)
    with pytest.raises(ValueError, match="the column expression has 1, bored; write one of angry"):
        expression_labels(["1", "neutral", "bored"])


def test_open_mouths_by_the_mesh_alone():
    wide = 3 * OPEN
    before, after = sights(4, mesh=mouths(0, wide, wide, 0)), sights(4, mesh=mouths(0, wide, 0, math.nan))
    known = photos(4, attributes=np.array([[0], [1], [0], [0]], np.uint8), attribute_names=("Mouth_Slightly_Open",))
    evidence, figures = judge(Expression(), known, before, after)
    assert figures["mouth open/agreement"].value == 0.5
    assert figures["mouth open/agreement/found only"].value == pytest.approx(2 / 3)
    assert figures["mouth open/accuracy/before"].value == 0.75
    assert figures["mouth open/accuracy/after"].value == 0.75  # nan is wrong, the third is right now
    difference = figures["mouth open/difference of the ratio/found only"]
    assert difference.value == pytest.approx(OPEN) and difference.count == 3
    assert "fer/agreement" not in figures and evidence["not_run"][0][0] == "fer"


def test_without_observers_there_is_nothing_to_compare():
    with pytest.raises(ValueError, match="fer or mesh"):
        Expression().measure(photos(1), sights(1), sights(1))
