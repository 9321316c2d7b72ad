"""Groups that are treated differently, or alike, by construction."""

import math

import numpy as np
import pytest

from a3gan_jax.evals.fairness import LEAST, Fairness
from a3gan_jax.models.fer import EXPRESSIONS
from tests.evals.invented import judge, photos, sights
from tests.evals.people import Cosine, strangers

COUNT = 80
GENDER = ("Female", "Male") * (COUNT // 2)
FEMALE = np.arange(COUNT) % 2 == 0


def test_a_planted_gap_is_found_between_the_groups_that_have_it():
    source = strangers(COUNT)
    result = np.where(FEMALE[:, None], source, -source)  # women are left alone
    before, after = sights(COUNT, cosine=source), sights(COUNT, ~FEMALE, cosine=result)
    evidence, figures = judge(Fairness([Cosine()]), photos(COUNT, labels={"gender": GENDER}), before, after)
    assert figures["cosine/accepted/all"].value == 0.5
    assert figures["cosine/accepted/gender/female"].value == 1
    assert figures["cosine/accepted/gender/male"].value == 0
    assert figures["cosine/accepted/gender/female"].count == COUNT // 2
    gap = figures["cosine/accepted/gender/largest gap"]
    assert (gap.value, gap.low, gap.high) == (1, 1, 1)
    assert figures["cosine/accepted/gender/gap by chance"].value < 0.4
    assert figures["found/gender/largest gap"].value == 1
    assert figures["cosine/accepted/gender/male/found only"].count == COUNT // 2
    assert figures["cosine/accepted/gender/female/found only"].count == 0
    assert [what for what, _ in evidence["not_run"]] == ["age", "race", "fer", "similarity"]


def test_a_face_that_cannot_be_embedded_counts_as_recognised():
    source, result = strangers(COUNT), -strangers(COUNT)
    result[:8] = math.nan
    before, after = sights(COUNT, cosine=source), sights(COUNT, cosine=result)
    _, figures = judge(Fairness([Cosine()]), photos(COUNT, labels={"gender": GENDER}), before, after)
    assert figures["cosine/accepted/all"].value == 0.1
    assert figures["cosine/accepted/all/found only"].value == 0
    assert figures["cosine/accepted/all/found only"].count == COUNT - 8


def test_small_groups_are_told_but_make_no_gap():
    ages = ("70+",) * (LEAST - 1) + ("20-29",) * (COUNT - LEAST + 1 - 5) + ("",) * 5
    found = np.arange(COUNT) >= LEAST - 1
    known = photos(COUNT, labels={"age": ages, "race": ("A/B",) * COUNT})
    evidence, figures = judge(Fairness([]), known, sights(COUNT), sights(COUNT, found))
    assert (figures["found/age/70+"].value, figures["found/age/70+"].count) == (0, LEAST - 1)
    assert figures["found/race/a or b"].count == COUNT
    assert not any("gap" in name for name in figures)
    assert ["age 70+", "it counts in no gap: fewer than 30 photos"] in evidence["not_run"]


def test_expressions_and_structure_by_group():
    sure = np.eye(len(EXPRESSIONS))
    before = sure[np.zeros(COUNT, int)]
    after = sure[np.where(FEMALE, 0, 3)]
    after[0] = math.nan
    found = np.arange(COUNT) != 2
    structure = np.column_stack([np.where(FEMALE, 0.8, 0.6), *np.ones((3, COUNT))])
    structure[0] = math.nan
    seen = sights(COUNT, found, fer=after, similarity=structure)
    _, figures = judge(Fairness([]), photos(COUNT, labels={"gender": GENDER}), sights(COUNT, fer=before), seen)
    assert figures["fer/agreement/gender/female"].value == pytest.approx(38 / 40)
    assert figures["fer/agreement/gender/female/found only"].value == 1
    assert figures["fer/agreement/gender/male"].value == 0
    assert figures["ssim inside/gender/female"].value == pytest.approx(0.8 * 39 / 40)
    assert figures["ssim inside/gender/female/found only"].value == pytest.approx(0.8)
    assert figures["ssim inside/gender/largest gap/found only"].value == pytest.approx(0.2)


def test_photos_without_labels_are_refused():
    with pytest.raises(ValueError, match="no labels in columns gender, age, race"):
        Fairness([]).measure(photos(2, labels={"gender": ("", "")}), sights(2), sights(2))
