"""What is judged: anything that takes photos with their faces and gives them back without the people."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from a3gan_jax.anonymizer import AnonymizedPhoto
from a3gan_jax.faces.detector import Detection


class Method(Protocol):
    """A way to anonymise photos.

    name: by which a report calls it, and ``load.load_method`` makes it.
    description: one line for the report: parameters, weights, seed.
    """

    name: str
    description: str

    def __call__(
        self, images: Sequence[np.ndarray], faces: Sequence[Sequence[Detection]], files: Sequence[str]
    ) -> list[np.ndarray]:
        """New photos of the same sizes, changed inside the faces; the arguments stay as they are.

        Args:
            images: whole photos (H, W, 3) uint8, RGB, upright.
            faces: for each ALL its faces, as detected in the original; a photo without any comes back as it is.
            files: for each its name, unique in its data set.

        Raises:
            ValueError: it fails on a photo; a peer's failure names the file. Nothing is returned then: who wants to
                know of every photo asks about one a call.
        """


@runtime_checkable
class AttributeMethod(Method, Protocol):
    """A method that says which attributes each face of its photos is to show."""

    def edit(
        self, images: Sequence[np.ndarray], faces: Sequence[Sequence[Detection]], files: Sequence[str]
    ) -> list[AnonymizedPhoto]:
        """As the call, with what became of every face, in the order of ``faces``."""
