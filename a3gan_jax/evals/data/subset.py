"""A part of labelled photos."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from a3gan_jax.evals.photos import LabelledPhotos


def spread(length: int, count: int) -> np.ndarray:
    """``count`` positions of ``length``, ascending and evenly spread, or all where there are fewer.

    Data sets are sorted by person, class or event: from the first ``count`` only a few of these would come.
    """
    return np.arange(min(count, length)) * length // max(1, min(count, length))


def limited(photos: LabelledPhotos, count: int) -> LabelledPhotos:
    """At most ``count`` >= 1 photos, every k-th: see ``spread``. The same for the same photos and count.

    Raises:
        ValueError: ``count`` is below 1; or photos would be left out that have pairs, which is for their reader to do.
    """
    if count < 1:
        raise ValueError(f"a limit must be 1 photo at least, not {count}")
    return photos if count >= len(photos) else take(photos, spread(len(photos), count))


def take(photos: LabelledPhotos, positions: Sequence[int] | np.ndarray) -> LabelledPhotos:
    """The photos at ``positions``, in their order; people keep their numbers.

    Raises:
        ValueError: the photos have pairs: the pairs that are left would be few, and no longer balanced.
    """
    if photos.pairs is not None:
        raise ValueError(f"the photos of {photos.name} are those of its pairs: limit the pairs where they are read")
    chosen = np.asarray(positions, int).tolist()
    load = photos.load
    return dataclasses.replace(
        photos,
        files=tuple(photos.files[i] for i in chosen),
        load=lambda position: load(chosen[position]),
        identity=photos.identity[chosen],
        labels={name: tuple(texts[i] for i in chosen) for name, texts in photos.labels.items()},
        attributes=photos.attributes[chosen] if len(photos.attributes) else photos.attributes,
        boxes=None if photos.boxes is None else tuple(photos.boxes[i] for i in chosen),
    )
