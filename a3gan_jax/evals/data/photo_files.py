"""Photos that lie in a folder, for ``LabelledPhotos``."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from a3gan_jax.media.images import UnreadableImage, read_image

SHOWN = 5  # names listed before "and N more"


def loader(folder: Path, files: Sequence[str]) -> Callable[[int], np.ndarray]:
    """Position -> the photo (H, W, 3) uint8, RGB, upright; ValueError names a file that is no image."""

    def load(position: int) -> np.ndarray:
        try:
            return read_image(folder / files[position]).pixels
        except UnreadableImage as error:
            raise ValueError(f"{files[position]}: {error}") from error

    return load


def absent(folder: Path, files: Sequence[str]) -> str:
    """In words, which of the files are not there; empty where all are."""
    lacking = [file for file in files if not (folder / file).is_file()]
    if not lacking:
        return ""
    more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
    return f"{folder} lacks {len(lacking)} of {len(files)} photos: {', '.join(lacking[:SHOWN])}{more}"
