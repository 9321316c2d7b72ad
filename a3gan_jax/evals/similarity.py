"""How much of a photo is left: structure inside and outside the face, noise, and pixels that nobody has touched."""

import numpy as np
from skimage.metrics import structural_similarity

from a3gan_jax.evals.fidelity import psnr
from a3gan_jax.faces.detector import Detection

#: Ellipses around the box of the face in the original, in its half sides; our own choice. The first holds the face up
#: to the hairline; beyond the second no method that replaces faces has anything to do.
INSIDE, OUTSIDE = 1.2, 2.0
WINDOW = 11  # pixels, of the similarity's Gaussian; smaller photos have none
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601

COLUMNS = ("ssim inside", "ssim outside", "psnr", "unchanged outside")


class Similarity:
    """A ``Comparer``, whose values are ``COLUMNS``.

    ssim: structural similarity of the brightness (Wang et al. 2004, their constants), the mean over the pixels inside
        the face's ellipse, and over those beyond the larger one; 1 is equal.
    psnr: of the whole photo, in dB; see ``fidelity.psnr``.
    unchanged outside: the share of the pixels there that are the same in every bit.
    """

    name = "similarity"
    size = len(COLUMNS)

    def __call__(
        self, original: np.ndarray, result: np.ndarray, before: Detection, after: Detection | None
    ) -> np.ndarray:
        height, width = original.shape[:2]
        centre, half = before.box[:2] + before.box[2:] / 2, before.box[2:] / 2
        y, x = np.ogrid[:height, :width]
        distance = ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2
        inside, outside = distance <= INSIDE**2, distance > OUTSIDE**2
        structure = np.full((height, width), np.nan)
        if min(height, width) >= WINDOW:
            grey = (image.astype(np.float32) @ LUMA for image in (original, result))
            _, structure = structural_similarity(
                *grey, data_range=255.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
            )
        same = (original == result).all(2)
        noise = psnr(original[None], result[None])[0]
        return np.array([_mean(structure, inside), _mean(structure, outside), noise, _mean(same, outside)], np.float32)


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].mean()) if where.any() else float("nan")
