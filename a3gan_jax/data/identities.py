"""From a source's own names for people to the contiguous numbers that a network is trained on."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np


def number_people(labels: Sequence[Hashable | None], min_photos: int = 1) -> tuple[np.ndarray, tuple]:
    """Number the people who have enough photos.

    Args:
      labels: the person on each of N photos, in the source's own words; None where nobody knows.
      min_photos: people with fewer photos than this stay unknown.

    Returns:
      ``identity`` (N,) int32 in 0..P-1, or -1 where the person is unknown, and the P labels in the order of their
      numbers (sorted, so that the numbers depend on the people alone and not on the order of the photos).
    """
    photos = Counter(label for label in labels if label is not None)
    people = tuple(sorted(label for label, count in photos.items() if count >= min_photos))
    number = {label: i for i, label in enumerate(people)}
    return np.array([number.get(label, -1) for label in labels], np.int32), people
