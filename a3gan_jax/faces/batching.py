"""Batches of one fixed size, for what XLA compiles."""

from collections.abc import Iterator

import numpy as np

#: Faces in a batch. One shape only, filled up where faces are few: XLA rounds differently in another shape (seen on a
#: CPU below four faces), and a face must come out the same in whatever company it came.
BATCH = 8


def batches(count: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Slices of ``count`` rows, and for each the BATCH rows to compute: those of the slice, then any to fill it up."""
    for start in range(0, count, BATCH):
        yield slice(start, start + BATCH), np.arange(start, start + BATCH) % count
