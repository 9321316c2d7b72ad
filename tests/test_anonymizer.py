"""The Anonymizer: exact control, reproducible pseudonyms, whole faces or none."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.anonymizer import BATCH, Anonymizer
from a3gan_jax.attributes import control
from a3gan_jax.checkpoint import SavedModel, export_model
from a3gan_jax.data.pipeline import aligned_face
from a3gan_jax.networks import ModelConfig, Networks

NAMES = ("Bald", "Eyeglasses", "Male", "Mouth_Slightly_Open", "Smiling", "Young")
CONFIG = ModelConfig(64, NAMES, num_people=2, base=4, levels=2, z_dim=8, style_width=8, discriminator_base=2)
COUNT = BATCH + 3


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


@pytest.fixture(scope="module")
def anonymizer(model: SavedModel) -> Anonymizer:
    return Anonymizer(model)


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
