"""People as recognisers see them: invented embeddings, their pairs, and a cosine to compare them with."""

import numpy as np

from a3gan_jax.evals.photos import LabelledPhotos, Pairs
from a3gan_jax.evals.sights import Sights


class Cosine:
    """An attacker whose embeddings are given."""

    threshold = 0.5

    def __init__(self, name: str = "cosine"):
        self.name = name

    @staticmethod
    def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a @ b.T


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def strangers(count: int, dimensions: int = 64, seed: int = 0) -> np.ndarray:
    """Embeddings (count, dimensions) that know nobody."""
    return unit(np.random.default_rng(seed).normal(size=(count, dimensions)))


def album(people: int, photos: int, noise: float = 0.3, seed: int = 0) -> tuple[LabelledPhotos, np.ndarray]:
    """Photos of people, the same number of each, in ten folds by person; and embeddings that know who is who."""
    random = np.random.default_rng(seed)
    identity = np.repeat(np.arange(people), photos)
    embeddings = unit(strangers(people, seed=seed)[identity] + noise * strangers(len(identity), seed=seed + 1))
    first, second, same, fold = [], [], [], []
    for person in range(people):
        rows = np.flatnonzero(identity == person)
        others = np.flatnonzero((identity != person) & (identity % 10 == person % 10))
        for a, b in zip(rows[:-1], rows[1:], strict=True):
            first += [a, a]
            second += [b, random.choice(others)]
            same += [True, False]
            fold += [person % 10] * 2
    pairs = Pairs(np.array(first), np.array(second), np.array(same), np.array(fold))
    files = tuple(f"person{person}/{number}.jpg" for number, person in enumerate(identity))
    return LabelledPhotos("album", files, lambda _: np.zeros((8, 8, 3), np.uint8), identity, pairs=pairs), embeddings


def sights(embeddings: np.ndarray, found: np.ndarray | None = None, **more: np.ndarray) -> Sights:
    """What is seen of N faces by the attacker "cosine", and by others."""
    count = len(embeddings)
    return Sights(
        found=np.ones(count, bool) if found is None else found,
        box=np.tile(np.float32([10, 10, 40, 50]), (count, 1)),
        landmarks=np.zeros((count, 5, 2), np.float32),
        score=np.ones(count, np.float32),
        values={"cosine": embeddings, **more},
    )
