"""The inversion attack learns to undo what can be undone."""

import numpy as np
import pytest

from a3gan_jax.data.procedural import ProceduralFaces
from a3gan_jax.evals.attacks.inversion import Inversion

FACES = np.stack([ProceduralFaces(40, image_size=32, seed=0)[i]["image"] for i in range(40)])


def test_a_network_learns_to_turn_a_negative_back():
    attack = Inversion(base=8)
    losses = attack.train(255 - FACES[:32], FACES[:32], steps=200)
    assert np.mean(losses[-10:]) < 0.3 * np.mean(losses[:3])
    restored = attack(255 - FACES[32:])
    assert restored.shape == FACES[32:].shape and restored.dtype == np.uint8
    wrong = np.abs(restored.astype(float) - FACES[32:]).mean()
    assert wrong < 0.4 * np.abs(255.0 - 2 * FACES[32:]).mean()


def test_the_same_seed_gives_the_same_attack():
    runs = [Inversion(base=4, seed=3) for _ in range(2)]
    losses = [run.train(255 - FACES[:8], FACES[:8], steps=3) for run in runs]
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(runs[0](FACES[:3]), runs[1](FACES[:3]))


def test_it_must_be_trained_first():
    with pytest.raises(ValueError, match="call train"):
        Inversion()(FACES[:1])
