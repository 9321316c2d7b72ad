"""The seeds of pseudonyms."""

import jax
import numpy as np

from a3gan_jax.inference import TRUNCATION, pseudonym_seeds


def test_seeds_are_one_a_key_and_nearer_to_the_middle_than_in_training():
    keys = jax.random.split(jax.random.key(0), (3, 200))
    z = np.asarray(pseudonym_seeds(keys, 8))
    assert z.shape == (3, 200, 8) and len(np.unique(z)) == z.size
    np.testing.assert_allclose([z.mean(), z.std()], [0, TRUNCATION], atol=0.03)
    np.testing.assert_array_equal(pseudonym_seeds(keys[1, 5], 8), z[1, 5])
