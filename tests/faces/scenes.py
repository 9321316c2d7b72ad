"""Photos with faces at known places, for tests: smooth and different everywhere, so that a wrong pixel shows."""

import numpy as np

from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.placement import BOX_CENTRE, BOX_SIZE, Placement
from a3gan_jax.geometry import crop_landmarks


def photo(height: int, width: int, seed: int = 0, smooth: float = 1.0) -> np.ndarray:
    """A smooth colour picture (H, W, 3) uint8, in 20 .. 235; the waves are 60 to 250 pixels long, times ``smooth``."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin((x / rng.uniform(15, 40) + y / rng.uniform(15, 40)) / smooth + rng.uniform(0, 6)) for _ in range(3)]
    return np.round(127.5 + 107.5 * np.stack(waves, axis=-1)).astype(np.uint8)


def face(x: float, y: float, side: float, angle: float = 0.0, score: float = 0.9) -> Detection:
    """A detection whose crop has its centre at (x, y), this side, and this turn, as place() shall find it."""
    to_photo = side * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (crop_landmarks(1) + 0.5 - 0.5) @ to_photo.T + [x, y]
    centre, size = to_photo @ (BOX_CENTRE - 0.5) + [x, y], np.abs(to_photo) @ BOX_SIZE
    return Detection(np.concatenate([centre - size / 2, size]), points, score)


def ellipse(shape: tuple[int, ...], placement: Placement, centre, radii) -> np.ndarray:
    """(H, W) bool: the pixels in an ellipse of the crop of side 1, said once more in another way than in the code."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    u, v = np.einsum("ij,jyx->iyx", placement.matrix[:, :2], np.stack([x, y])) + placement.matrix[:, 2, None, None]
    return ((u - centre[0]) / radii[0]) ** 2 + ((v - centre[1]) / radii[1]) ** 2 <= 1


def crops_of(image: np.ndarray, placements: list[Placement], size: int = 64) -> list[np.ndarray]:
    """The crops (size, size, 3) of faces."""
    return [resample(image, placement.to_crop(size), size, size) for placement in placements]


def flat(color, size: int = 64) -> np.ndarray:
    """A crop (size, size, 3) of one colour."""
    return np.broadcast_to(color, (size, size, 3)).astype(np.uint8)
