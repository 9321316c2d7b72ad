"""k-Same (Newton, Sweeney and Malin, TKDE 2005): a face becomes the mean of the k faces that are most like it."""

from collections.abc import Sequence

import numpy as np

from a3gan_jax.data.pipeline import aligned_face
from a3gan_jax.evals.methods.pasting import paste
from a3gan_jax.faces.detector import Detection
from a3gan_jax.geometry import face_region

K = 5
SIDE = 32  # of the crops on which faces are compared, in pixels
#: Mean difference of two compared faces, in levels of 255, up to which they are one crop. Of 40 faces of CelebA at 128
#: pixels, one compressed anew as JPEG of quality 50 differs by 2.7 at most, another photo by 8 at least (our own
#: measurement).
SAME_CROP = 4.0


class KSame:
    """The form of the paper that averages pixels (k-Same-Pixel), on other people's faces; a ``Method``.

    In the paper the k faces are of the set that is published, the original among them. Here they are of a gallery of
    other photos, as whoever has only one photo must do, so that nothing of the original is in the mean. That the
    gallery holds no photo that is evaluated is the caller's care; only a crop that is the very same as the original,
    be it compressed anew, is found and left out, one that is cut in another way is not. Nearest is by the Euclidean
    distance of the pixels inside the face of crops of ``SIDE`` pixels. The mean takes the face's place as a pseudonym
    does in the product; there is no seed.
    """

    def __init__(self, gallery: np.ndarray, k: int = K):
        """
        Args:
            gallery: (M, S, S, 3) uint8, faces cut as ``geometry.crop_landmarks`` says; of photos that are not
                evaluated, best of people who are not.
            k: how many are averaged, 2 <= k < M.

        Raises:
            ValueError: an argument of another shape, type or range.
        """
        gallery = np.asarray(gallery)
        if gallery.dtype != np.uint8 or gallery.ndim != 4 or gallery.shape[1:] != (gallery.shape[1],) * 2 + (3,):
            raise ValueError(f"the gallery of ksame must be uint8 (M, S, S, 3), not {gallery.dtype} {gallery.shape}")
        if not 2 <= k < len(gallery):
            raise ValueError(f"ksame:{k} needs 2 <= k < the faces of its gallery, {len(gallery)}")
        self.name = f"ksame:{k}"
        self.description = f"mean of the {k} nearest of {len(gallery)} other faces, by pixels, {gallery.shape[1]} px"
        self._gallery, self._k = gallery, k
        self._compared = _inside(gallery)

    def __call__(
        self, images: Sequence[np.ndarray], faces: Sequence[Sequence[Detection]], files: Sequence[str]
    ) -> list[np.ndarray]:
        return paste(images, faces, self._gallery.shape[1], self._means)

    def nearest(self, crop: np.ndarray) -> np.ndarray:
        """Which faces (k,) of the gallery are most like a crop (S, S, 3) uint8 but not that crop; nearest first.

        Raises:
            ValueError: there are fewer than k.
        """
        difference = self._compared - _inside(crop[None])
        other = np.flatnonzero(np.abs(difference).mean(1) > SAME_CROP)
        if len(other) < self._k:
            raise ValueError(f"{self.name}: all but {len(other)} faces of the gallery are the very face")
        return other[np.argsort((difference[other] ** 2).sum(1), kind="stable")[: self._k]]

    def _means(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        means = [self._gallery[self.nearest(crop)].mean(0, dtype=np.float64) for crop in crops]
        return np.rint(means).astype(np.uint8), np.ones(len(crops), bool)


def _inside(crops: np.ndarray) -> np.ndarray:
    """The pixels of crops (N, S, S, 3) that lie in the face, at ``SIDE``: (N, D) float32 in 0..255."""
    small = np.stack([aligned_face(crop, "square", SIDE) for crop in crops])
    return small[:, face_region(SIDE)[..., 0] > 0.5].reshape(len(crops), -1).astype(np.float32)
