"""What was seen is kept for the same photos, method and observers, and for nothing else."""

import dataclasses
import stat

import numpy as np
import pytest

from a3gan_jax.evals.sight_cache import SightCache
from tests.evals.people import sights, strangers

PHOTOS = [np.zeros((4, 6, 3), np.uint8), None]


def test_sights_and_failures_come_back(tmp_path):
    cache = SightCache(tmp_path / "cache")
    key = cache.key(PHOTOS, ["blur", "dlib"])
    assert cache.load(key) is None
    seen = sights(strangers(2), np.array([True, False]), fer=np.full((2, 7), np.nan, np.float32))
    seen = dataclasses.replace(seen, asked={"Smiling": np.array([1.0, np.nan])})
    cache.save(key, seen, [(1, "cannot be read")])
    back, failures = SightCache(tmp_path / "cache").load(key)
    assert failures == [(1, "cannot be read")] and back.values.keys() == seen.values.keys()
    for field in ("found", "box", "landmarks", "score"):
        np.testing.assert_array_equal(getattr(back, field), getattr(seen, field))
    for name, value in seen.values.items():
        np.testing.assert_array_equal(back.values[name], value)
    assert back.asked.keys() == {"Smiling"}
    np.testing.assert_array_equal(back.asked["Smiling"], seen.asked["Smiling"])


def test_another_pixel_photo_method_or_observer_is_another_key(tmp_path):
    cache = SightCache(tmp_path)
    changed = [PHOTOS[0].copy(), None]
    changed[0][3, 5, 2] = 1
    keys = {
        cache.key(PHOTOS, ["blur", "dlib"]),
        cache.key(changed, ["blur", "dlib"]),
        cache.key([PHOTOS[0].reshape(6, 4, 3), None], ["blur", "dlib"]),
        cache.key(PHOTOS[:1], ["blur", "dlib"]),
        cache.key(PHOTOS, ["blur", "sface"]),
        cache.key(PHOTOS, ["blurdlib"]),
    }
    assert len(keys) == 6


@pytest.mark.parametrize("keep", [0, 100])
def test_a_file_that_was_cut_counts_as_none(tmp_path, keep):
    cache = SightCache(tmp_path)
    cache.save("k", sights(strangers(2)), [])
    file = tmp_path / "k.npz"
    file.write_bytes(file.read_bytes()[:keep])
    assert cache.load("k") is None


def test_only_the_owner_may_read_it(tmp_path):
    SightCache(tmp_path / "cache")
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
