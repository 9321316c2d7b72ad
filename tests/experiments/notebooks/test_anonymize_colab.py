"""The notebook that anonymises a photo."""

import re

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.evals.onnx_recognizer import MATCH
from a3gan_jax.faces.identity import DIFFERENT
from tests.experiments.notebooks.notebook import pictures, said


@pytest.fixture(scope="module")
def photos(run_notebook):
    settings = {"SEEDS": (3, 4), "STRENGTHS": (0.0, 0.5, 1.0), "KEEP": ["Male"], "SET": {"Bangs": 1}}
    results = {
        "photo": "photo",
        "box": "faces[0].box",
        "anonymised": "[result.image for result in results]",
        "chosen": "chosen.image",
        "attributes": "[list(values.values()) for values in (largest.before, largest.after)]",
        "names": "anonymizer.model.attribute_names",
        "between": "between",
        "strengths": "to_original",
        "weaker": "weaker",
        "outcomes": "[face.outcome for result in [*results, chosen] for face in result.faces]",
    }
    return run_notebook("anonymize_colab", settings, results)


def test_a_face_is_another_with_each_seed_and_the_rest_stays(photos):
    made = photos.results
    photo, results = made["photo"].astype(int), made["anonymised"].astype(int)
    assert list(made["outcomes"]) == ["anonymised"] * 3
    left, top, width, height = made["box"].astype(int)
    face = np.s_[top : top + height, left : left + width]
    for one, other in ((photo, results[0]), (photo, results[1]), (results[0], results[1])):
        assert np.abs(one[face] - other[face]).mean() > 3
    far = np.abs(photo - results[0]).max(-1)
    assert far[: max(0, top - height)].sum() + far[top + 2 * height :].sum() == 0
    assert far[:, left + 2 * width :].max() == 0


def test_what_is_kept_stays_and_what_is_set_is_so(photos):
    made = photos.results
    before, after = (dict(zip(made["names"], row, strict=True)) for row in made["attributes"])
    assert after["Male"] == before["Male"] and after["Mouth_Slightly_Open"] == before["Mouth_Slightly_Open"]
    assert after["Bangs"] == 1
    assert np.any(made["chosen"] != made["anonymised"][0])


def test_the_recogniser_finds_whom_less_strength_shows(photos):
    made = photos.results
    np.testing.assert_allclose(np.diag(made["between"]), 1, atol=1e-5)
    assert (made["between"][0, 1:] < DIFFERENT).all(), "the package would not have let them pass"
    zero, half, one = made["strengths"]
    assert zero > MATCH and half > MATCH and one < DIFFERENT
    np.testing.assert_array_equal(made["weaker"][-1], made["anonymised"][0])
    text = said(next(cell for cell in photos.notebook.cells if "to_original" in cell.source))
    assert re.search(r"strength +0\.0: .*the same person", text) and re.search(r"strength +1\.0: .*somebody", text)


def test_photos_are_shown_and_the_last_is_saved(photos):
    assert sum(len(pictures(cell)) for cell in photos.notebook.cells if cell.cell_type == "code") == 4
    with Image.open(photos.folder / "anonymized.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), photos.results["chosen"])
