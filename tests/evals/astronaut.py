"""The face photo of these tests: scikit-image's astronaut, Eileen Collins in 1999 (NASA, public domain)."""

import functools

import numpy as np
import skimage.data

from a3gan_jax.faces.detector import Detection, YuNet


@functools.cache
def astronaut() -> tuple[np.ndarray, Detection]:
    """The photo (512, 512, 3) uint8, read only, and its one face."""
    image = skimage.data.astronaut()
    image.flags.writeable = False
    (face,) = YuNet()(image)
    return image, face


def mirrored(image: np.ndarray, face: Detection) -> tuple[np.ndarray, Detection]:
    """Photo and face seen in a mirror."""
    width = image.shape[1]
    left, top, *size = face.box
    points = (face.landmarks * [-1, 1] + [width - 1, 0])[[1, 0, 2, 4, 3]]
    return np.ascontiguousarray(image[:, ::-1]), Detection(np.array([width - left - size[0], top, *size]), points, 1.0)


def painted(image: np.ndarray, centre: np.ndarray, radii: tuple[float, float], colour: tuple[int, ...]) -> np.ndarray:
    """The photo with a filled ellipse in it."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    inside = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1]) <= 1
    return np.where(inside[..., None], np.array(colour, np.uint8), image)
