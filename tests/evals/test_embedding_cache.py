"""Each photo is embedded once, and nothing lands on disk unasked."""

import numpy as np

from a3gan_jax.evals.embedding_cache import EmbeddingCache


def _images(*values):
    return np.stack([np.full((2, 2, 3), value, np.uint8) for value in values])


class Counting:
    def __init__(self):
        self.asked = []

    def __call__(self, images):
        values = images[:, 0, 0, 0]
        self.asked += values.tolist()
        return values > 1, {
            name: np.stack([values, values * k], 1).astype(np.float32) for name, k in (("a", 2), ("b", 3))
        }


def test_only_new_photos_are_computed(tmp_path):
    compute, names = Counting(), ["a", "b"]
    cache = EmbeddingCache(tmp_path / "new", "test", names)
    cache.embed(_images(1, 2), compute)
    found, embeddings = cache.embed(_images(3, 2), compute)
    assert compute.asked == [1, 2, 3]
    assert found.tolist() == [True, True]
    np.testing.assert_array_equal(embeddings["b"], [[3, 9], [2, 6]])
    cache.save()
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["test-a.npz", "test-b.npz"]

    again = EmbeddingCache(tmp_path / "new", "test", names)
    found, embeddings = again.embed(_images(1, 3, 4), compute)
    assert compute.asked == [1, 2, 3, 4]
    assert found.tolist() == [False, True, True]
    np.testing.assert_array_equal(embeddings["a"], [[1, 2], [3, 6], [4, 8]])


def test_a_recogniser_that_knows_nothing_yet_makes_photos_new(tmp_path):
    compute = Counting()
    cache = EmbeddingCache(tmp_path, "test", ["a"])
    cache.embed(_images(5), compute)
    cache.save()
    EmbeddingCache(tmp_path, "test", ["a", "b"]).embed(_images(5), compute)
    assert compute.asked == [5, 5]


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache = EmbeddingCache(None, "test", ["a", "b"])
    cache.embed(_images(1), Counting())
    cache.save()
    assert not any(tmp_path.iterdir())
