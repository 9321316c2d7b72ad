"""Tiny photos of drawn people, and CelebA's format."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.data.procedural import ProceduralFaces
from tests.data.conftest import celeba_folder

__all__ = ["celeba_folder"]  # a fixture


@functools.cache
def drawn(number: int) -> np.ndarray:
    return ProceduralFaces(64, image_size=32)[number]["image"]


@pytest.fixture
def draw() -> Callable[[Path, int], np.ndarray]:
    """Writes drawn face number n to a PNG; returns its pixels."""

    def write(path: Path, number: int) -> np.ndarray:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = drawn(number)
        Image.fromarray(image).save(path, "PNG")  # whatever its name ends in: the content decides
        return image

    return write
