"""The figures of a report, from embeddings in the plane."""

import numpy as np
import pytest

from a3gan_jax.evals.anonymization_report import SOURCE, Collected, summarize, to_markdown
from a3gan_jax.evals.passes import ANONYMIZED, ORIGINAL, SECOND_SEED, SOME_KEPT
from a3gan_jax.evals.recognition import TemplateAttacker


class Plane:
    """Cosines of unit vectors."""

    name, threshold = "plane", 0.9
    similarity = staticmethod(TemplateAttacker.similarity)


def _at(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


@pytest.fixture
def collected():
    """Two people with two photos each at 0, 10 and 90, 100 degrees; photo 0 leaks, photo 2 becomes the other person."""
    collected = Collected()
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1]], bool)
    rows = {
        SOURCE: dict(plane=_at(0, 10, 90, 100), identity=np.array([0, 0, 1, 1]), attributes=labels),
        ORIGINAL: dict(plane=_at(0, 10, 90, 100), seen=labels),
        ANONYMIZED: dict(
            plane=_at(5, 200, 20, 200), asked=~labels, seen=~labels | [False, True], gates=np.ones((4, 2, 3))
        ),
        SECOND_SEED: dict(plane=_at(5, 20, 20, 20)),
        SOME_KEPT: dict(asked=labels ^ [False, True], seen=labels ^ [[True, True], [False, True], [0, 0], [0, 0]]),
    }
    for row, values in rows.items():
        found = {} if row == SOME_KEPT else {"found": np.array([True, True, True, False])}
        quality = {} if row == SOURCE else {"psnr": np.full(4, 20.0), "difference": np.array([1.0, 2, 3, 4])}
        for part in (slice(0, 3), slice(3, 4)):  # two batches
            collected.add(row, **{what: value[part] for what, value in (values | found | quality).items()})
    return collected


def test_figures_by_hand(collected):
    figures = summarize(collected, [Plane()], ("Male", "Young"), ("Male",))
    assert (figures["photos"], figures["people"], figures["rank1_chance"]) == (4, 2, 0.5)

    row = figures["rows"][ANONYMIZED]
    assert (row["found"], row["difference"]) == (0.75, 2.5)
    plane = row["plane"]
    assert plane["matched"] == 0.25  # cos 5 degrees; the others lie 190, 70 and 100 degrees from their source
    assert plane["rank1"] == 0.5  # photo 0 finds photo 1, photo 3 photo 2; photo 1 finds photo 3, photo 2 photo 1
    cosines = np.cos(np.radians([5, 190, 70, 100]))
    np.testing.assert_allclose(plane["similarity"], cosines.mean())
    np.testing.assert_allclose(figures["rows"][ORIGINAL]["plane"]["matched"], 1)
    # Originals of two people are 80, 90, 90 and 100 degrees apart.
    assert np.cos(np.radians(90)) < figures["thresholds"]["plane"]["measured"] <= np.cos(np.radians(80))
    assert figures["seed_pairs"]["plane"]["matched"] == 0.5

    attributes = figures["attributes"]
    assert attributes["kept"] == {"Male": 0.75} and attributes["kept_mean"] == 0.75
    assert attributes["classifier_right_on_originals"] == 1
    # Male is seen as asked in all four photos, Young where it was asked to come: 2 of 4.
    assert attributes[ANONYMIZED] == {"realised": 6 / 8, "asked_per_photo": 2}
    assert attributes[SOME_KEPT] == {"realised": 2 / 4, "asked_per_photo": 1}


def test_the_report_shows_them(collected):
    text = to_markdown(summarize(collected, [Plane()], ("Male", "Young"), ("Male",)), [Plane()])
    table = [line for line in text.splitlines() if line.startswith("| " + ANONYMIZED + " |")]
    assert [cell.strip() for cell in table[0].split("|")[2:-1]][:3] == ["0.750", "0.045", "0.250"]
    assert "| kept: Male | 0.750 |" in text and "| two seeds taken for one person by plane | 0.500 |" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {8, 3}


def test_a_baseline_has_no_attributes(collected):
    plain = Collected()
    for row in (SOURCE, ORIGINAL):
        for what in ("plane", "found") + (("identity",) if row == SOURCE else ("psnr", "difference")):
            plain.add(row, **{what: collected.get(row, what)})
    figures = summarize(plain, [Plane()], (), ())
    assert "attributes" not in figures and "seed_pairs" not in figures
    assert "kept" not in to_markdown(figures, [Plane()])
