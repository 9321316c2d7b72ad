"""Covering a face that cannot be replaced: a few flat blocks of its mean colours."""

import numpy as np

ENLARGE = 1.3  # of a detector's box, which ends at brows and cheeks
BLOCKS = 5  # across the shorter side of the enlarged box; at 8 across the face recognisers already fail (measured)
SMALLEST = 4  # side of a block, in pixels
LEVELS = 32  # step of the blocks' colours


def cover(image: np.ndarray, box: np.ndarray, keep: np.ndarray | None = None) -> None:
    """Pixelates, in place, a face of an image (H, W, 3) uint8 beyond recognition.

    Args:
        image: what is already replaced in it is pixelated as it is.
        box: (left, top, width, height) in pixels, finite.
        keep: (H, W) bool, pixels that stay as they are.
    """
    height, width = image.shape[:2]
    centre, half = box[:2] + box[2:] / 2, ENLARGE / 2 * box[2:]
    block = max(SMALLEST, int(np.ceil(2 * half.min() / BLOCKS)))
    left, top = np.floor(centre - half).clip(0, (width, height)).astype(int)
    right, bottom = np.ceil(centre + half).clip(0, (width, height)).astype(int)
    for y in range(top, bottom, block):
        for x in range(left, right, block):
            where = slice(y, min(y + block, bottom)), slice(x, min(x + block, right))
            part = image[where]
            mean = (part.mean((0, 1)) // LEVELS * LEVELS + LEVELS // 2).astype(np.uint8)
            part[...] = mean if keep is None else np.where(keep[where][..., None], part, mean)
