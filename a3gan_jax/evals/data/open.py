"""Labelled photos by the kind of their data set."""

import dataclasses

from a3gan_jax.evals.data.celeba_photos import celeba_photos
from a3gan_jax.evals.data.csv_photos import csv_photos
from a3gan_jax.evals.data.lfw import lfw_photos
from a3gan_jax.evals.data.subset import limited
from a3gan_jax.evals.data.wider import boxed_photos, wider_photos
from a3gan_jax.evals.photos import LabelledPhotos

KINDS = ("lfw", "celeba", "celeba_train", "csv", "wider", "boxes")


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """A data set: its ``kind``, its folder (for celeba several, separated by commas), and at most how many photos of
    it are taken (for lfw: pairs of each fold); None: all."""

    kind: str
    root: str
    limit: int | None = None


def open_photos(spec: DataSpec) -> LabelledPhotos:
    """The photos.

    Raises:
        ValueError: no such kind, or what is wrong with the files and where to get them.
    """
    if spec.kind == "lfw":
        return lfw_photos(spec.root, limit=spec.limit)
    if spec.kind in ("celeba", "celeba_train"):
        photos = celeba_photos(spec.root.split(","), "test" if spec.kind == "celeba" else "train")
    elif spec.kind == "csv":
        photos = csv_photos(spec.root, held_out=True)
    elif spec.kind in ("wider", "boxes"):
        photos = (wider_photos if spec.kind == "wider" else boxed_photos)(spec.root)
    else:
        raise ValueError(f"unknown kind of data {spec.kind!r}: there are {', '.join(KINDS)}")
    return photos if spec.limit is None else limited(photos, spec.limit)
