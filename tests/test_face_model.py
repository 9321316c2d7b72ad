"""The model on aligned faces: exact control, reproducible pseudonyms, whole faces or none."""

import jax
import numpy as np
import pytest

from a3gan_jax.anonymizer import Anonymizer
from a3gan_jax.attributes import control
from a3gan_jax.checkpoint import SavedModel, export_model
from a3gan_jax.data.pipeline import aligned_face
from a3gan_jax.face_model import FaceModel
from a3gan_jax.faces.batching import BATCH
from a3gan_jax.networks import ModelConfig
from tests.random_models import random_model

NAMES = ("Bald", "Eyeglasses", "Male", "Mouth_Slightly_Open", "Smiling", "Young")
CONFIG = ModelConfig(64, NAMES, num_people=2, base=4, levels=2, z_dim=8, style_width=8, discriminator_base=2)
COUNT = BATCH + 3


@pytest.fixture(scope="module")
def model() -> SavedModel:
    return random_model(CONFIG)


@pytest.fixture(scope="module")
def face_model(model: SavedModel) -> FaceModel:
    return FaceModel(model)


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3), np.uint8)
    return coarse.repeat(8, 1).repeat(8, 2)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, (COUNT, len(NAMES)), np.uint8)


def test_what_comes_out(face_model, faces):
    result = face_model.anonymize(faces)
    assert (result.images.shape, result.images.dtype) == ((COUNT, 64, 64, 3), np.uint8)
    assert (result.images != faces).any((1, 2, 3)).all()
    np.testing.assert_array_equal(result.before, face_model.predict_attributes(faces))
    assert result.after.shape == result.before.shape == (COUNT, len(NAMES)) and result.names == NAMES
    assert set(np.unique(result.after)) <= {0, 1}
    assert (result.after != result.before).any(), "nothing ever changes, so the tests below say nothing"


@pytest.mark.parametrize("seed", range(5))
def test_the_control_is_obeyed_bit_for_bit(face_model, faces, labels, seed):
    rng = np.random.default_rng(seed)
    role = rng.choice(["keep", "change", "set"], len(NAMES))
    forced = {name: int(rng.integers(2)) for name, r in zip(NAMES, role, strict=True) if r == "set"}
    kept = [name for name, r in zip(NAMES, role, strict=True) if r == "keep"]
    result = face_model.anonymize(faces, attributes=labels, control=control(NAMES, keep=kept, set=forced), seed=seed)
    np.testing.assert_array_equal(result.before, labels)
    for k, name in enumerate(NAMES):
        if name in kept:
            np.testing.assert_array_equal(result.after[:, k], labels[:, k])
        if name in forced:
            assert (result.after[:, k] == forced[name]).all()


def test_a_task_keeps_what_it_needs(face_model, faces, labels):
    result = face_model.anonymize(faces, attributes=labels, control=control(NAMES, task="expression"))
    np.testing.assert_array_equal(result.after[:, [3, 4]], labels[:, [3, 4]])
    assert (result.after != labels).any()


def test_the_seed_decides(face_model, faces):
    one, again, other = (face_model.anonymize(faces, seed=seed).images for seed in (3, 3, 2**32 - 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any((1, 2, 3)).all()


def test_company_does_not_matter(face_model, faces, labels):
    """Neither the number of faces, nor the order, nor what fills up the batch."""
    whole = face_model.anonymize(faces, attributes=labels)
    for rows in ([0], [COUNT - 1], [4, 2, 9], list(reversed(range(COUNT)))):
        part = face_model.anonymize(faces[rows], attributes=labels[rows])
        np.testing.assert_array_equal(part.images, whole.images[rows])
        np.testing.assert_array_equal(part.after, whole.after[rows])


def test_one_person_has_one_pseudonym(face_model, faces, labels):
    same_photo, same_labels = faces[[0, 0, 0]], labels[[0, 0, 0]]
    a, b, c = face_model.anonymize(same_photo, attributes=same_labels, people=np.array([7, 7, 8])).images
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
    a, b, _ = face_model.anonymize(same_photo, attributes=same_labels).images  # known by its pixels
    np.testing.assert_array_equal(a, b)


def test_strength_0_forgets_seed_and_control(face_model, faces, labels):
    everything = dict(attributes=labels, strength=0.0)
    one = face_model.anonymize(faces, **everything, seed=1)
    other = face_model.anonymize(faces, **everything, seed=2, control=control(NAMES, set={"Bald": 1}))
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal(other.after, labels)


def test_between_0_and_1_every_step_takes_away_as_much(face_model, faces, labels):
    steps = np.linspace(0, 1, 5)
    made = [face_model.anonymize(faces, attributes=labels, strength=strength) for strength in steps]
    restored, anonymized = (made[i].images.astype(float) for i in (0, -1))
    assert np.abs(anonymized - restored).max() > 20
    for strength, step in zip(steps, made, strict=True):
        np.testing.assert_allclose(step.images, restored + strength * (anonymized - restored), atol=0.501)
        np.testing.assert_array_equal(step.after, made[-1].after if strength else labels)


def test_larger_faces_are_shrunk_as_in_training(face_model):
    large = np.random.default_rng(2).integers(0, 256, (2, 96, 96, 3), np.uint8)
    small = np.stack([aligned_face(face, "square", 64) for face in large])
    np.testing.assert_array_equal(face_model.anonymize(large).images, face_model.anonymize(small).images)


@pytest.mark.parametrize("size", [64, 96])
def test_no_faces(face_model, size):
    result = face_model.anonymize(np.empty((0, size, size, 3), np.uint8))
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
def test_wrong_arguments(face_model, faces, wrong, message):
    with pytest.raises(ValueError, match=message):
        face_model.anonymize(**{"images": faces[:2]} | wrong)


def test_a_face_that_is_not_finite_is_never_returned(model, faces):
    broken = jax.tree.map(np.copy, model.variables)
    broken["generator"]["params"]["constant"][0, 0, 0] = np.nan
    with pytest.raises(FloatingPointError, match=r"faces \[0, 1\]"):
        FaceModel(model._replace(variables=broken)).anonymize(faces[:2])


def test_load(model, face_model, faces, tmp_path):
    export_model(tmp_path / "model", CONFIG, model.variables, step=12)
    loaded = Anonymizer.load(tmp_path / "model")
    assert (loaded.model.step, loaded.model.image_size, loaded.model.attribute_names) == (12, 64, NAMES)
    np.testing.assert_array_equal(loaded.model.anonymize(faces[:1]).images, face_model.anonymize(faces[:1]).images)
    with pytest.raises(FileNotFoundError, match="neither a model nor"):
        Anonymizer.load(tmp_path)
