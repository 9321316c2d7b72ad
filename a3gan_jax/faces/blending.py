"""Putting generated crops in the place of the faces of a photo, without a seam and without a rest of the original.

Where two faces come close each keeps its core: a crop also shows its neighbours, as they were, and must not bring them
back.
"""

from collections.abc import Sequence

import numpy as np

from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.mask import box_distance, core_distance, crop_mask, extent, face_mask, lines, mask_on_crop
from a3gan_jax.faces.placement import Placement

COLOR_REACH = 0.12  # standard deviation of the colour match, in shares of the crop's side
COLOR_SCALE = 32.0  # a pixel's difference, in levels, from which on it is one of content more than of colour
COLOR_DOUBT = 0.02  # weight of no difference at all: where no pixels are alike nothing is known of the light


def on_crops(generated: np.ndarray, originals: np.ndarray, placements: Sequence[Placement]) -> np.ndarray:
    """Generated crops (N, S, S, 3) uint8 put back into their originals, likewise, as their photos will show them."""
    # seeds of one face, which are tried together, share its placement
    masks = {placement: mask_on_crop(placement, generated.shape[1]) for placement in set(placements)}
    mask = np.stack([masks[placement] for placement in placements])[..., None]
    return np.rint(originals + mask * np.subtract(generated, originals, dtype=np.float32)).astype(np.uint8)


def match_colors(generated: np.ndarray, originals: np.ndarray) -> np.ndarray:
    """Generated crops (N, S, S, 3) uint8 in the light of their originals, likewise.

    In the ring where the mask fades the two show mostly the same things. Their difference there, spread smoothly over
    the face, is added; nothing of the original inside the ring has any part in it. A pixel counts the less the more it
    differs (Geman and McClure's weights): hair against skin says nothing of the light.
    """
    size = generated.shape[1]
    mask = crop_mask(size)
    ring = (4 * mask * (1 - mask))[..., None]
    gaps = np.subtract.outer(np.arange(size), np.arange(size)) / (COLOR_REACH * size)
    ring, spread = ring.astype(np.float32), np.exp(-(gaps**2) / 2).astype(np.float32)
    difference = np.subtract(originals, generated, dtype=np.float32)
    alike = ring / (1 + (difference**2).mean(-1, keepdims=True) / COLOR_SCALE**2) ** 2
    total = np.einsum("hH,nHWc,wW->nhwc", spread, alike * difference, spread, optimize=True)
    weight = np.einsum("hH,nHWc,wW->nhwc", spread, alike + COLOR_DOUBT * ring, spread, optimize=True)
    return np.round(generated + total / weight).clip(0, 255).astype(np.uint8)


def kept(shape: tuple[int, ...], untouched: Sequence[np.ndarray], covered: Sequence[np.ndarray]) -> np.ndarray:
    """(H, W) bool: the pixels in boxes that stay ``untouched`` and do not lie deeper in one that is ``covered``."""
    everywhere = lines((slice(0, shape[0]), slice(0, shape[1])))
    inner, outer = (np.min([box_distance(box, *everywhere) for box in boxes], axis=0) for boxes in (untouched, covered))
    return (inner <= 1) & (inner < outer)


def blend(
    image: np.ndarray, faces: Sequence[tuple[Placement, np.ndarray]], untouched: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """A photo (H, W, 3) uint8 with its faces replaced.

    Args:
        image: stays as it is.
        faces: for each its placement and the crop (S, S, 3) uint8 that takes its place, at the photo's resolution.
        untouched: boxes (left, top, width, height) in which nothing changes, but for pixels that lie deeper in the core
            of a face to replace.

    Returns:
        The new photo; pixels outside every mask are those of ``image``, pixels of a core within the
        outline are those of a crop.
    """
    result = image.copy()
    for i, (placement, crop) in enumerate(faces):
        where = extent(placement, image.shape)
        if where[0].start >= where[0].stop or where[1].start >= where[1].stop:
            continue
        weight = face_mask(placement, where)
        near = [j for j, (other, _) in enumerate(faces) if j != i and _meet(where, extent(other, image.shape))]
        if near or len(untouched):
            own = core_distance(placement, where)
            for j in near:
                weight *= _share(own, core_distance(faces[j][0], where), first=i < j)
            for box in untouched:
                weight *= _share(own, box_distance(box, *lines(where)), first=False)
        (rows, columns), size = where, crop.shape[0]
        shift = np.array([columns.start, rows.start])
        to_crop = placement.to_crop(size)
        back = np.linalg.inv(to_crop[:, :2])
        matrix = np.column_stack([back, -back @ to_crop[:, 2] - shift])
        width, height = columns.stop - columns.start, rows.stop - rows.start
        new = resample(crop, matrix, width, height, smooth=True)
        # Weights of one pixel sum to 1 at most, so that faces can be added one by one.
        change = np.subtract(new, image[where], dtype=np.float32)
        change *= weight[..., None]
        change += result[where]
        result[where] = np.rint(change, out=change).clip(0, 255, out=change)
    return result


def _share(own: np.ndarray, other: np.ndarray, first: bool) -> np.ndarray:
    """How much of a pixel a face keeps beside another one; the two shares sum to 1.

    Distances from the two cores: a core belongs to its face alone, where both overlap to the nearer one (a tie to the
    ``first``), and between them shares change smoothly.
    """
    gap, other_gap = np.maximum(own - 1, 0), np.maximum(other - 1, 0)
    both = gap + other_gap == 0
    nearer = own <= other if first else own < other
    return np.where(both, nearer, other_gap / np.where(both, 1, gap + other_gap))


def _meet(a: tuple[slice, slice], b: tuple[slice, slice]) -> bool:
    return all(p.start < q.stop and q.start < p.stop for p, q in zip(a, b, strict=True))
