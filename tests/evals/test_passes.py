"""What the passes of a model and of a baseline ask for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.evals import passes
from a3gan_jax.evals.passes import ANONYMIZED, ORIGINAL, RESTORED, SECOND_SEED, SOME_KEPT, ModelPasses, baseline_passes
from a3gan_jax.networks import ModelConfig, Networks

NAMES = ("Smiling", "Male", "Young")
CONFIG = ModelConfig(64, NAMES, 3, base=4, levels=2, z_dim=3, style_width=8, discriminator_base=2, critic_base=2)


@pytest.fixture(scope="module")
def measured():
    """Batch and passes: five times one photo, said to be of persons 0, 0 and 1 and of two unknown ones."""
    networks = Networks.create(CONFIG)
    x, a = jnp.zeros((1, 64, 64, 3)), jnp.zeros((1, 3))

    def init(key):
        return {
            "generator": networks.generator.init(key, x, a, a, a, jnp.zeros(1)),
            "ainet": networks.ainet.init(key, a, a, a),
            "discriminator": networks.discriminator.init(key, x),
        }

    # Any parameters will do; these need no compiling.
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda leaf: rng.normal(scale=0.3, size=leaf.shape).astype(np.float32), jax.eval_shape(init, jax.random.key(0))
    )
    photo = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    batch = {
        "image": np.stack([photo] * 5),
        "attributes": np.array([[0, 1, 1]] * 5, np.uint8),
        "identity": np.array([0, 0, 1, -1, -1], np.int32),
        "index": np.arange(5, dtype=np.int32),
    }
    model = ModelPasses(SavedModel(CONFIG, variables, 1), seed=0, batch_size=8, partial=[0.5])
    assert model.kept == ("Male", "Young")
    return batch, model(batch)


def test_shapes(measured):
    batch, results = measured
    assert set(results) == {ORIGINAL, RESTORED, "strength 0.5", ANONYMIZED, SECOND_SEED, SOME_KEPT}
    for name, result in results.items():
        assert result.images.shape == (5, 64, 64, 3) and result.images.dtype == np.uint8
        assert result.seen.shape == (5, 3) and result.seen.dtype == bool
        if name not in (ORIGINAL, "strength 0.5"):  # which no network made
            assert result.asked.shape == (5, 3) and result.gates.shape == (5, 2, 3)
    np.testing.assert_array_equal(results[ORIGINAL].images, batch["image"])


def test_a_partial_strength_lies_between(measured):
    batch, results = measured
    far = [
        np.abs(results[name].images.astype(int) - results[RESTORED].images).mean()
        for name in ("strength 0.5", ANONYMIZED)
    ]
    assert 0 < far[0] < far[1]


def test_the_seed_belongs_to_the_person(measured):
    images = measured[1][ANONYMIZED].images
    np.testing.assert_array_equal(images[0], images[1])
    for one, other in ((0, 2), (0, 3), (3, 4)):  # photos of nobody known have seeds of their own
        assert (images[one] != images[other]).any()
    assert (images != measured[1][SECOND_SEED].images).any((1, 2, 3)).all()


def test_kept_attributes_and_strength_0(measured):
    batch, results = measured
    labels = batch["attributes"] > 0
    np.testing.assert_array_equal(results[SOME_KEPT].asked[:, 1:], labels[:, 1:])
    np.testing.assert_array_equal(results[RESTORED].asked, labels)


def test_gate_means_by_hand():
    gate = jnp.where(passes.face_region(32) > 0.5, 0.8, 0.2)[None] * jnp.array(
        [0.5, 1.5]
    )  # mean over channels: as it is
    everywhere, face, outside = np.asarray(passes._gate_means(gate))[0]
    np.testing.assert_allclose([face, outside], [0.8, 0.2], rtol=1e-5)
    assert 0.2 < everywhere < 0.8


def test_baselines():
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    batch = {"image": images}
    np.testing.assert_array_equal(baseline_passes("identity", batch)["identity"].images, images)
    pixelated = baseline_passes("pixelate", batch)["pixelate"].images
    assert len(np.unique(pixelated.reshape(-1, 3), axis=0)) <= 16 * 16
    blurred = baseline_passes("blur", batch)["blur"].images
    assert blurred.std() < 0.2 * images.std() and abs(blurred.mean() - images.mean()) < 3
