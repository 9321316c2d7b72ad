"""The Anonymizer: exact control, reproducible pseudonyms, whole faces or none."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.anonymizer import Anonymizer
from a3gan_jax.attributes import control
from a3gan_jax.checkpoint import SavedModel, export_model
from a3gan_jax.data.pipeline import aligned_face
from a3gan_jax.faces.batching import BATCH
from a3gan_jax.faces.blending import CORE, END
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.placement import place
from a3gan_jax.networks import ModelConfig, Networks
from tests.faces.scenes import ellipse, face, photo

NAMES = ("Bald", "Eyeglasses", "Male", "Mouth_Slightly_Open", "Smiling", "Young")
CONFIG = ModelConfig(64, NAMES, num_people=2, base=4, levels=2, z_dim=8, style_width=8, discriminator_base=2)
COUNT = BATCH + 3
FOUND = [face(90, 100, 130, 0.3), face(240, 120, 90)]  # by the detector of these tests


@pytest.fixture(scope="module")
def model() -> SavedModel:
    """Random variables, drawn by numpy: compiling ``init`` would take longer than all the tests."""
    n, key, rng = Networks.create(CONFIG), jax.random.key(0), np.random.default_rng(0)
    x, a, z = jnp.zeros((1, 64, 64, 3)), jnp.zeros((1, len(NAMES))), jnp.zeros((1, CONFIG.z_dim))
    shapes = {
        "generator": jax.eval_shape(n.generator.init, key, x, a, a, z, jnp.zeros(1)),
        "ainet": jax.eval_shape(n.ainet.init, key, a, a, z),
        "discriminator": jax.eval_shape(n.discriminator.init, key, x),
    }
    variables = jax.tree.map(lambda leaf: rng.normal(0, 0.2, leaf.shape).astype(np.float32), shapes)
    return SavedModel(CONFIG, variables, step=1)


def strangers(templates: np.ndarray) -> np.ndarray:
    """A recogniser for which no two different pictures are of one person."""
    rngs = (np.random.default_rng(np.frombuffer(template.tobytes(), np.uint32)[::97]) for template in templates)
    vectors = np.stack([rng.normal(size=256) for rng in rngs])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def anonymizer(model: SavedModel) -> Anonymizer:
    return Anonymizer(model, detector=lambda image: FOUND, recognizer=strangers)


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3), np.uint8)
    return coarse.repeat(8, 1).repeat(8, 2)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, (COUNT, len(NAMES)), np.uint8)


def test_what_comes_out(anonymizer, faces):
    result = anonymizer.anonymize_aligned(faces)
    assert (result.images.shape, result.images.dtype) == ((COUNT, 64, 64, 3), np.uint8)
    assert (result.images != faces).any((1, 2, 3)).all()
    np.testing.assert_array_equal(result.before, anonymizer.predict_attributes(faces))
    assert result.after.shape == result.before.shape == (COUNT, len(NAMES)) and result.names == NAMES
    assert set(np.unique(result.after)) <= {0, 1}
    assert (result.after != result.before).any(), "nothing ever changes, so the tests below say nothing"


@pytest.mark.parametrize("seed", range(5))
def test_the_control_is_obeyed_bit_for_bit(anonymizer, faces, labels, seed):
    rng = np.random.default_rng(seed)
    role = rng.choice(["keep", "change", "set"], len(NAMES))
    forced = {name: int(rng.integers(2)) for name, r in zip(NAMES, role, strict=True) if r == "set"}
    kept = [name for name, r in zip(NAMES, role, strict=True) if r == "keep"]
    result = anonymizer.anonymize_aligned(
        faces, attributes=labels, control=control(NAMES, keep=kept, set=forced), seed=seed
    )
    np.testing.assert_array_equal(result.before, labels)
    for k, name in enumerate(NAMES):
        if name in kept:
            np.testing.assert_array_equal(result.after[:, k], labels[:, k])
        if name in forced:
            assert (result.after[:, k] == forced[name]).all()


def test_a_task_keeps_what_it_needs(anonymizer, faces, labels):
    result = anonymizer.anonymize_aligned(faces, attributes=labels, control=control(NAMES, task="expression"))
    np.testing.assert_array_equal(result.after[:, [3, 4]], labels[:, [3, 4]])
    assert (result.after != labels).any()


def test_the_seed_decides(anonymizer, faces):
    one, again, other = (anonymizer.anonymize_aligned(faces, seed=seed).images for seed in (3, 3, 2**32 - 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any((1, 2, 3)).all()


def test_company_does_not_matter(anonymizer, faces, labels):
    """Neither the number of faces, nor the order, nor what fills up the batch."""
    whole = anonymizer.anonymize_aligned(faces, attributes=labels)
    for rows in ([0], [COUNT - 1], [4, 2, 9], list(reversed(range(COUNT)))):
        part = anonymizer.anonymize_aligned(faces[rows], attributes=labels[rows])
        np.testing.assert_array_equal(part.images, whole.images[rows])
        np.testing.assert_array_equal(part.after, whole.after[rows])


def test_one_person_has_one_pseudonym(anonymizer, faces, labels):
    same_photo, same_labels = faces[[0, 0, 0]], labels[[0, 0, 0]]
    a, b, c = anonymizer.anonymize_aligned(same_photo, attributes=same_labels, people=np.array([7, 7, 8])).images
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
    a, b, _ = anonymizer.anonymize_aligned(same_photo, attributes=same_labels).images  # known by its pixels
    np.testing.assert_array_equal(a, b)


def test_strength_0_forgets_seed_and_control(anonymizer, faces, labels):
    everything = dict(attributes=labels, strength=0.0)
    one = anonymizer.anonymize_aligned(faces, **everything, seed=1)
    other = anonymizer.anonymize_aligned(faces, **everything, seed=2, control=control(NAMES, set={"Bald": 1}))
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal(other.after, labels)


def test_larger_faces_are_shrunk_as_in_training(anonymizer):
    large = np.random.default_rng(2).integers(0, 256, (2, 96, 96, 3), np.uint8)
    small = np.stack([aligned_face(face, "square", 64) for face in large])
    np.testing.assert_array_equal(
        anonymizer.anonymize_aligned(large).images, anonymizer.anonymize_aligned(small).images
    )


@pytest.mark.parametrize("size", [64, 96])
def test_no_faces(anonymizer, size):
    result = anonymizer.anonymize_aligned(np.empty((0, size, size, 3), np.uint8))
    assert result.images.shape == (0, 64, 64, 3) and result.after.shape == (0, len(NAMES))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(images=np.zeros((1, 64, 64, 3), np.float32)), "uint8"),
        (dict(images=np.zeros((64, 64, 3), np.uint8)), r"\(N, H, H, 3\)"),
        (dict(images=np.zeros((1, 48, 48, 3), np.uint8)), "smaller than the model's 64"),
        (dict(attributes=np.zeros((1, 6))), "attributes must be"),
        (dict(attributes=np.full((2, 6), 0.5)), "attributes must be 0 or 1"),
        (dict(attributes=np.full((2, 6), np.nan)), "attributes must be 0 or 1"),
        (dict(control=control(("Male",))), "over 1 attributes, the model has 6"),
        (dict(strength=1.5), "strength"),
        (dict(strength=np.nan), "strength"),
        (dict(seed=-1), "seed"),
        (dict(seed=2**32), "seed"),
        (dict(people=[0.0, 1.0]), "people must be integers"),
        (dict(people=[0]), r"shape \(2,\)"),
    ],
)
def test_wrong_arguments(anonymizer, faces, wrong, message):
    with pytest.raises(ValueError, match=message):
        anonymizer.anonymize_aligned(**{"images": faces[:2]} | wrong)


def test_a_face_that_is_not_finite_is_never_returned(model, faces):
    broken = jax.tree.map(np.copy, model.variables)
    broken["generator"]["params"]["constant"][0, 0, 0] = np.nan
    with pytest.raises(FloatingPointError, match=r"faces \[0, 1\]"):
        Anonymizer(model._replace(variables=broken)).anonymize_aligned(faces[:2])


def test_load(model, anonymizer, faces, tmp_path):
    export_model(tmp_path / "model", CONFIG, model.variables, step=12)
    loaded = Anonymizer.load(tmp_path / "model")
    assert (loaded.step, loaded.image_size, loaded.attribute_names) == (12, 64, NAMES)
    np.testing.assert_array_equal(
        loaded.anonymize_aligned(faces[:1]).images, anonymizer.anonymize_aligned(faces[:1]).images
    )
    with pytest.raises(FileNotFoundError, match="neither a model nor"):
        Anonymizer.load(tmp_path)


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
    first, second = anonymizer.anonymize_photos([street, other])
    for image, result in ((street, first), (other, second)):
        assert (result.image.shape, result.image.dtype) == (image.shape, np.uint8)
        outside = np.ones(image.shape[:2], bool)
        for found, told in zip(FOUND, result.faces, strict=True):
            placement = place(found)
            outside &= ~ellipse(image.shape, placement, *END)
            core = ellipse(image.shape, placement, *CORE)
            assert (result.image[core] != image[core]).any(-1).mean() > 0.9
            assert (told.outcome, told.reason, told.seed, told.score) == ("anonymised", "", 0, found.score)
            np.testing.assert_array_equal(told.box, found.box)
            np.testing.assert_array_equal(told.landmarks, found.landmarks)
            assert tuple(told.before) == tuple(told.after) == NAMES and abs(told.cosine) < 0.3
        np.testing.assert_array_equal(result.image[outside], image[outside])
    np.testing.assert_array_equal(anonymizer(street), first.image)


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
    for options in (dict(check=False), dict(strength=0.5)):
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
