"""Tiny data sets in the formats of the large ones."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.attributes import CELEBA_ATTRIBUTES


def jpeg(seed: int, width: int = 178, height: int = 218) -> bytes:
    """A smooth random image, so that JPEG keeps it nearly as it is."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 5, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture(scope="session")
def celeba_folder() -> Callable:
    """Writes a CelebA folder; photo number n has attribute k exactly if bit (k mod 8) of n is set."""

    def write(root: Path, people: Mapping[int, int], parts: Mapping[int, int] | None = None, size=(178, 218)) -> Path:
        """``people``: number of the photo -> person; ``parts``: number of the photo -> partition, 0 if not given."""
        (root / "img_align_celeba").mkdir(parents=True)
        name = "{:06d}.jpg".format
        attributes = {n: ["1" if n >> (k % 8) & 1 else "-1" for k in range(40)] for n in people}
        for n in people:
            (root / "img_align_celeba" / name(n)).write_bytes(jpeg(n, *size))
        lines = {
            "list_attr_celeba.txt": [str(len(people)), " ".join(CELEBA_ATTRIBUTES)]
            + [f"{name(n)} {' '.join(row)}" for n, row in attributes.items()],
            "identity_CelebA.txt": [f"{name(n)} {person}" for n, person in people.items()],
            "list_eval_partition.txt": [f"{name(n)} {(parts or {}).get(n, 0)}" for n in people],
        }
        for file, text in lines.items():
            (root / file).write_text("\n".join(text) + "\n")
        return root

    return write


@pytest.fixture(scope="session")
def write_jpeg() -> Callable:
    """Writes a random JPEG: (path, seed, width, height)."""

    def write(path: Path, seed: int, width: int = 16, height: int = 16) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(seed, width, height))

    return write
