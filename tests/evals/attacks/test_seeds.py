"""Averaging over seeds brings out what they have in common."""

import numpy as np

from a3gan_jax.evals.attacks.seeds import averaged
from tests.evals.people import sights, strangers, unit


def test_a_faint_trace_grows_with_the_number_of_seeds():
    known = strangers(50, seed=1)
    seeds = [sights(unit(known + 3 * strangers(50, seed=10 + s))) for s in range(16)]
    one = (seeds[0].values["cosine"] * known).sum(1).mean()
    all_of_them = (averaged(seeds, ["cosine"]).values["cosine"] * known).sum(1).mean()
    assert one < 0.4 and all_of_them > 0.7


def test_unit_embeddings_stay_so_and_others_are_plain_means():
    a, b = strangers(5, seed=1), strangers(5, seed=2)
    result = averaged([sights(a, raw=2 * a), sights(b, raw=4 * b)], ["cosine", "raw"])
    np.testing.assert_allclose(np.linalg.norm(result.values["cosine"], axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(result.values["raw"], a + 2 * b, rtol=1e-5)


def test_a_seed_that_gave_nothing_is_left_out_and_no_seed_gives_nan():
    a, b = strangers(3, seed=1), strangers(3, seed=2)
    a[0], a[1], b[1] = np.nan, np.nan, np.nan
    found = np.array([True, False, False])
    result = averaged([sights(a, ~found), sights(b, found)], ["cosine"])
    np.testing.assert_allclose(result.values["cosine"][0], b[0], rtol=1e-6)
    assert np.isnan(result.values["cosine"][1]).all() and result.found.all()
