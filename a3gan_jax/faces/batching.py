"""Batches of one fixed size, for what XLA compiles."""

from collections.abc import Iterator

import numpy as np

#: Faces in a batch. One shape only, filled up where faces are few: XLA rounds differently in another shape (seen on a
#: CPU below four faces), and a face must come out the same in whatever company it came.
BATCH = 8


def batches(count: int, size: int = BATCH) -> Iterator[tuple[slice, np.ndarray]]:
    """Slices of ``count`` rows, and for each the ``size`` rows to compute: those of the slice, then any to fill it."""
    for start in range(0, count, size):
        yield slice(start, start + size), np.arange(start, start + size) % count
