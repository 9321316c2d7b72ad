"""The Anonymizer on photos: every face replaced, covered or spared, and each option where it belongs."""

import copy
import itertools
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from a3gan_jax.anonymizer import Anonymizer
from a3gan_jax.attributes import control
from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.batching import BATCH
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.mask import CORE, END
from a3gan_jax.faces.placement import place
from a3gan_jax.faces.replacement import CANDIDATES, Face
from a3gan_jax.networks import ModelConfig
from tests.faces.scenes import ellipse, face, photo
from tests.random_models import random_model

NAMES = ("Bald", "Eyeglasses", "Male", "Mouth_Slightly_Open", "Smiling", "Young")
CONFIG = ModelConfig(64, NAMES, num_people=2, base=4, levels=2, z_dim=8, style_width=8, discriminator_base=2)
COUNT = BATCH + 3
FOUND = [face(90, 100, 130, 0.3), face(240, 120, 90)]  # by the detector of these tests


@pytest.fixture(scope="module")
def model() -> SavedModel:
    return random_model(CONFIG)


def strangers(templates: np.ndarray) -> np.ndarray:
    """A recogniser for which no two different pictures are of one person."""
    rngs = (np.random.default_rng(np.frombuffer(template.tobytes(), np.uint32)[::97]) for template in templates)
    vectors = np.stack([rng.normal(size=256) for rng in rngs])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def anonymizer(model: SavedModel) -> Anonymizer:
    return Anonymizer(model, detector=lambda image: FOUND, recognizer=strangers)


def test_importing_the_package_stays_cheap():
    program = (
        "import sys, a3gan_jax; assert 'jax' not in sys.modules, 'jax was imported'\n"
        "from a3gan_jax import Anonymizer; assert Anonymizer.__module__ == 'a3gan_jax.anonymizer'\n"
        "try: a3gan_jax.Anonimizer\n"
        "except AttributeError as error: assert 'Anonimizer' in str(error)\n"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def street() -> np.ndarray:
    return photo(220, 320)


def test_photos(anonymizer, street):
    other = street[::-1].copy()
    without = [np.zeros((2, len(NAMES)), np.uint8)] * 2  # eyeglasses reach beyond the ellipse
    first, second = anonymizer.anonymize_photos([street, other], attributes=without)
    for image, result in ((street, first), (other, second)):
        assert (result.image.shape, result.image.dtype) == (image.shape, np.uint8)
        outside = np.ones(image.shape[:2], bool)
        for found, told in zip(FOUND, result.faces, strict=True):
            placement = place(found)
            outside &= ~ellipse(image.shape, placement, *END)
            core = ellipse(image.shape, placement, *CORE)
            assert (result.image[core] != image[core]).any(-1).mean() > 0.9
            assert (told.outcome, told.reason, told.score) == ("anonymised", "", found.score)
            assert told.seed in Face(0, found, 0).candidates
            np.testing.assert_array_equal(told.box, found.box)
            np.testing.assert_array_equal(told.landmarks, found.landmarks)
            assert tuple(told.before) == tuple(told.after) == NAMES and abs(told.cosine) < 0.3
        np.testing.assert_array_equal(result.image[outside], image[outside])
    np.testing.assert_array_equal(anonymizer(street, attributes=without[:1]), first.image)


def test_where_eyeglasses_are_worn_their_arms_go_too(anonymizer, street):
    worn = np.zeros((2, len(NAMES)), np.uint8)
    worn[0, NAMES.index("Eyeglasses")] = 1
    (result,) = anonymizer.anonymize_photos([street], attributes=[worn], choose=False)
    changed = (result.image != street).any(-1)
    arms = [changed & ~ellipse(street.shape, place(found), *END) for found in FOUND]
    beyond = arms[0] & arms[1]
    assert beyond.any() and not (beyond & ~ellipse(street.shape, place(FOUND[0]), (0.5, 0.5), (0.5, 0.5))).any()


def test_a_face_takes_the_seed_that_the_discriminator_likes_best(anonymizer, street):
    """And whatever the dial says it is the same; a person who is known keeps the seed that was asked for."""
    asked = itertools.count()
    equally_strange = lambda templates: np.eye(4096)[[next(asked) for _ in templates]]  # noqa: E731
    anonymizer = copy.copy(anonymizer)
    anonymizer.recognizer = equally_strange
    (detection, _), model = FOUND, anonymizer.model
    size, matrix = model.image_size, place(detection).to_crop(model.image_size)
    scores = {}
    for seed in Face(0, detection, 3).candidates:
        (made,) = anonymizer.anonymize_photos([street], detections=[[detection]], seed=seed, choose=False, check=False)
        assert made.faces[0].seed == seed
        scores[seed] = model.naturalness(resample(made.image, matrix, size, size)[None])[0]
    assert len(set(scores.values())) == CANDIDATES
    for options in ({}, {"check": False}, {"strength": 0.5}):
        (result,) = anonymizer.anonymize_photos([street], detections=[[detection]], seed=3, **options)
        assert result.faces[0].seed == max(scores, key=scores.get)
    known = dict(detections=[[detection]], people=[[5]], seed=3)
    seeds = [
        anonymizer.anonymize_photos([street], **known, **options)[0].faces[0].seed for options in ({}, {"choose": True})
    ]
    assert seeds[0] == 3 != seeds[1]


def test_a_photo_is_the_same_in_any_company_and_another_with_another_seed(anonymizer, street):
    alone = anonymizer(street, seed=3)
    together = anonymizer.anonymize_photos([photo(220, 320, seed=9)] * 5 + [street], seed=3)
    np.testing.assert_array_equal(together[-1].image, alone)
    assert (anonymizer(street, seed=4) != alone).any()


def test_no_photo_and_no_face(anonymizer, street):
    assert anonymizer.anonymize_photos([], people=[], attributes=[], seed=[]) == []
    (result,) = anonymizer.anonymize_photos([street], detections=[[]])
    assert result.faces == ()
    np.testing.assert_array_equal(result.image, street)


def test_a_person_has_one_pseudonym_in_all_photos(anonymizer, street):
    twice = dict(detections=[FOUND[:1], FOUND[:1]], attributes=[np.zeros((1, len(NAMES)))] * 2, check=False)
    one, same = anonymizer.anonymize_photos([street, street], people=[[5], [5]], **twice)
    np.testing.assert_array_equal(one.image, same.image)
    one, other = anonymizer.anonymize_photos([street, street], people=[[5], [6]], **twice)
    assert (one.image != other.image).any()
    one, other = anonymizer.anonymize_photos([street, street], people=[[5], [5]], seed=[[1], [2]], **twice)
    assert (one.image != other.image).any() and (one.faces[0].seed, other.faces[0].seed) == (1, 2)
    assert set(one.faces[0].before.values()) == {0}


def test_options_reach_the_model(anonymizer, street):
    (result,) = anonymizer.anonymize_photos([street], control=control(NAMES, set={"Bald": 1}))
    assert [told.after["Bald"] for told in result.faces] == [1, 1]
    same = [anonymizer(street, strength=0.0, seed=seed) for seed in (1, 2)]
    np.testing.assert_array_equal(*same)


def test_who_is_spared_stays(anonymizer, street):
    left, right = FOUND
    (result,) = anonymizer.anonymize_photos([street], spare=[street])  # the largest face of the reference
    assert [told.outcome for told in result.faces] == ["spared", "anonymised"]
    assert result.faces[0].before is result.faces[0].seed is None
    np.testing.assert_array_equal(result.image[:, :150], street[:, :150])
    (result,) = anonymizer.anonymize_photos([street], only=[street])
    assert [told.outcome for told in result.faces] == ["anonymised", "spared"]
    np.testing.assert_array_equal(result.image[:, 210:], street[:, 210:])
    (result,) = anonymizer.anonymize_photos([street], region=(0, 0, 150, 220))
    assert [told.outcome for told in result.faces] == ["anonymised", "spared"]


def test_there_is_no_check_below_strength_1_or_where_it_is_not_wanted(model, street):
    def fail(templates):
        raise AssertionError("the recogniser was asked")

    anonymizer = Anonymizer(model, detector=lambda image: FOUND, recognizer=fail)
    for options in (dict(check=False, choose=False), dict(strength=0.5, choose=False)):
        (result,) = anonymizer.anonymize_photos([street], **options)
        assert [told.cosine for told in result.faces] == [None, None]
    with pytest.raises(AssertionError, match="was asked"):
        anonymizer(street)


def test_a_recogniser_that_knows_the_face_again_has_it_covered(model, street):
    same = Anonymizer(model, detector=lambda image: FOUND, recognizer=lambda faces: np.ones((len(faces), 1)))
    (result,) = same.anonymize_photos([street])
    for told in result.faces:
        assert told.outcome == "covered" and "still finds the original" in told.reason and told.after is None
        left, top, width, height = told.box.astype(int)
        assert (result.image[top : top + height, left : left + width] % 32 == 16).all()


def test_a_model_that_breaks_covers_the_faces_of_photos(model, street):
    broken = jax.tree.map(np.copy, model.variables)
    broken["generator"]["params"]["constant"][0, 0, 0] = np.nan
    anonymizer = Anonymizer(model._replace(variables=broken), detector=lambda image: FOUND, recognizer=strangers)
    (result,) = anonymizer.anonymize_photos([street])
    assert {told.reason for told in result.faces} == {"the model's output is not finite"}
    for told in result.faces:
        left, top, width, height = told.box.astype(int)
        assert (result.image[top : top + height, left : left + width] % 32 == 16).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(images=[np.zeros((20, 20), np.uint8)]), r"uint8 \(H, W, 3\)"),
        (dict(images=[np.zeros((20, 20, 3))]), r"not float64"),
        (dict(images=[np.zeros((0, 20, 3), np.uint8)]), "not empty"),
        (dict(detections=[]), "for 0 photos, there are 1"),
        (dict(people=[[1]]), "people must hold one integer for each face"),
        (dict(people=[[1, -1]]), "people must be integers"),
        (dict(seed=[[1]]), "seed must hold one integer"),
        (dict(seed=-1), "seed must be integers"),
        (dict(seed=0.5), "seed must be integers"),
        (dict(strength=2.0), "strength"),
        (dict(attributes=[np.zeros((1, 6))]), "attributes are given for 1 faces, there are 2"),
        (dict(contours=[[None]]), "contours are given for 1 faces, there are 2"),
        (dict(attributes=[np.zeros((2, 5))]), "attributes must be 0 or 1"),
        (dict(control=control(("Male",))), "over 1 attributes"),
        (dict(region=(0, 0, 10)), "a region is"),
        (dict(region=(0, 0, -10, 10)), "a region is"),
        (dict(region=(0, np.nan, 10, 10)), "a region is"),
        (dict(spare=[np.zeros(4)]), "no direction"),
        (dict(spare=[]), "a list of people is empty"),
        (dict(detections=[[Detection(np.array([0.0, 0, np.nan, 1]), None, 1.0)]]), "all finite"),
    ],
)
def test_wrong_options_of_photos(anonymizer, street, wrong, message):
    with pytest.raises(ValueError, match=message):
        anonymizer.anonymize_photos(**{"images": [street]} | wrong)


def test_detector_and_recogniser_are_made_when_they_are_first_needed(model):
    anonymizer = Anonymizer(model)
    assert "detector" not in vars(anonymizer) and "recognizer" not in vars(anonymizer)
    assert anonymizer.detector is anonymizer.detector
    assert anonymizer.detector(np.zeros((64, 64, 3), np.uint8)) == []
