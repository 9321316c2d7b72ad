"""Parts of labelled photos."""

import numpy as np
import pytest

from a3gan_jax.evals.data.subset import limited, spread, take
from a3gan_jax.evals.photos import LabelledPhotos, Pairs


def photos(pairs: Pairs | None = None) -> LabelledPhotos:
    return LabelledPhotos(
        "some",
        tuple(f"{i}.png" for i in range(10)),
        lambda i: np.full((2, 2, 3), i, np.uint8),
        np.arange(10) // 2,
        labels={"age": tuple(str(i) for i in range(10))},
        attributes=np.arange(10, dtype=np.uint8)[:, None] % 2,
        attribute_names=("Male",),
        pairs=pairs,
        boxes=tuple(np.full((i, 4), i) for i in range(10)),
    )


def test_positions_are_spread_over_the_whole():
    assert spread(10, 5).tolist() == [0, 2, 4, 6, 8]
    assert spread(10, 4).tolist() == [0, 2, 5, 7]
    assert spread(3, 5).tolist() == [0, 1, 2] and spread(0, 5).tolist() == []


def test_everything_known_of_a_photo_comes_along():
    part = take(photos(), [7, 2])
    assert part.files == ("7.png", "2.png") and part.labels == {"age": ("7", "2")}
    assert [int(part.load(i)[0, 0, 0]) for i in (0, 1)] == [7, 2]
    assert part.identity.tolist() == [3, 1] and part.attributes.tolist() == [[1], [0]]
    assert [boxes.shape for boxes in part.boxes] == [(7, 4), (2, 4)]
    again = take(part, [1])
    assert again.files == ("2.png",) and int(again.load(0)[0, 0, 0]) == 2


def test_a_limit_takes_every_kth():
    assert limited(photos(), 5).files == ("0.png", "2.png", "4.png", "6.png", "8.png")
    whole = photos()
    assert limited(whole, 10) is whole and limited(whole, 99) is whole
    with pytest.raises(ValueError, match="1 photo at least, not 0"):
        limited(whole, 0)


def test_photos_of_pairs_are_not_torn_apart():
    paired = photos(Pairs(np.array([0]), np.array([1]), np.array([True]), np.array([0])))
    assert limited(paired, 10) is paired
    with pytest.raises(ValueError, match="the photos of some are those of its pairs: limit the pairs"):
        limited(paired, 5)
