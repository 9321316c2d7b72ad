"""CelebA's official files as whole photos."""

import os
from collections.abc import Sequence

import numpy as np

from a3gan_jax.data.celeba import CelebA
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.media.images import UnreadableImage, read_image


def celeba_photos(roots: Sequence[str | os.PathLike], split: str = "test") -> LabelledPhotos:
    """The aligned photos (218, 178, 3) of one split, with 40 attributes and people.

    Files are named as in ``img_align_celeba``, also where several folders are joined: CelebA's names are numbers of
    photos.

    Args:
        roots: folders in the official format.
        split: train | validation | test.

    Raises:
        ValueError: what is missing or inconsistent, and where to get it.
    """
    dataset = CelebA(roots, split)
    files = tuple(dataset[i]["name"].rpartition("/")[2] for i in range(len(dataset)))

    def load(position: int) -> np.ndarray:
        try:
            return read_image(dataset[position]["image"]).pixels
        except UnreadableImage as error:
            raise ValueError(f"{files[position]}: {error}") from error

    return LabelledPhotos(
        name="celeba",
        files=files,
        load=load,
        identity=dataset.identity,
        attributes=dataset.attributes,
        attribute_names=dataset.attribute_names,
    )
