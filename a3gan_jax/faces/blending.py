"""Putting generated crops in the place of the faces of a photo, without a seam and without a rest of the original.

A face's mask is 1 in its core (forehead to chin, cheek to cheek) and fades to 0 before the crop ends, beside the box
that a detector has drawn around the face, and at the outline of the face.
Where two faces come close each keeps its core: a crop also shows its neighbours, as they were, and must not bring them
back.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import ConvexHull
from skimage.measure import points_in_poly

from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.placement import Placement

# Ellipses in a crop of side 1: centre, radii (x, y). Our own choice; the chin lies at 0.93, the hairline at 0.18. A
# wider core, which takes in ears and hair, left rims there; a nearer end leaves necks in boxes that people draw.
CORE = (0.5, 0.57), (0.27, 0.36)
END = (0.5, 0.54), (0.41, 0.47)
# Around the box of the face, in half its sides: where the mask begins and ends to fade whatever the ellipses say. In a
# frontal face that is outside the core.
BOX_FADE = 1.25, 1.5
# At the outline of the face, from temple to temple by way of the chin, hair, neck or background begins: the mask fades
# so far to both sides of it, in shares of the crop's side. Whatever it says, what lies so near to the points that
# the detector has found, or between them, lies inside.
OUTLINE_FADE = 0.02
OUTLINE_LEAST = 0.04
# Of a small face the outline is less sure: it is moved out by so many pixels, less a share of the crop's side.
OUTLINE_PIXELS, OUTLINE_SURE = 3.5, 0.012
OUTLINE_CELLS = 64  # along a crop's side, for which the distance from the outline is computed
# What eyeglasses add to the mask: a band from ear to ear, its middle, and half its width and half its height where it
# begins and ends to fade; and how much farther than the outline it reaches on the side to which a head is turned, where
# a lens may stand before the background; it is turned fully where the nose tip lies so far aside of the middle of the
# eyes (all by eye, in 40 photos).
ARMS_MIDDLE, ARMS_WIDTH, ARMS_HEIGHT = (0.5, 0.46), (0.43, 0.47), (0.07, 0.12)
LENS, TURNED = 0.09, 0.05

COLOR_REACH = 0.12  # standard deviation of the colour match, in shares of the crop's side
COLOR_SCALE = 32.0  # a pixel's difference, in levels, from which on it is one of content more than of colour
COLOR_DOUBT = 0.02  # weight of no difference at all: where no pixels are alike nothing is known of the light


def _distance(x: np.ndarray, y: np.ndarray, ellipse: tuple) -> np.ndarray:
    """1 on the ellipse, 0 in its centre."""
    (cx, cy), (rx, ry) = ellipse
    return np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)


def _fade(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mask at places of a crop of side 1: exactly 1 in the core, exactly 0 from the end on, smooth between."""
    inside = np.maximum(1 - _distance(x, y, END), 0)
    outside = np.maximum(_distance(x, y, CORE) - 1, 0)
    share = inside / (inside + outside)
    return share * share * (3 - 2 * share)


def _extent(placement: Placement, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a photo of this shape beyond which a face's mask is 0."""
    rows, columns = placement.bounds(shape)
    if placement.eyeglasses:
        return rows, columns
    centre, radii = END
    linear = np.linalg.inv(placement.matrix[:, :2])
    middle, reach = linear @ (np.array(centre) - placement.matrix[:, 2]), np.linalg.norm(linear * radii, axis=1)
    start, end = np.floor(middle - reach).astype(int), np.ceil(middle + reach).astype(int) + 1
    return (
        slice(max(rows.start, start[1]), min(rows.stop, end[1])),
        slice(max(columns.start, start[0]), min(columns.stop, end[0])),
    )


def _places(matrix: np.ndarray, where: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels of a rectangle of the photo lie in a crop of side 1."""
    rows = np.arange(where[0].start, where[0].stop, dtype=np.float64)[:, None]
    columns = np.arange(where[1].start, where[1].stop, dtype=np.float64)
    (a, b, c), (d, e, f) = matrix
    return (a * columns + (b * rows + c)).astype(np.float32), (d * columns + (e * rows + f)).astype(np.float32)


def crop_mask(size: int) -> np.ndarray:
    """The mask of a frontal face over its whole crop: (size, size) float64."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    return _fade(x, y)


def on_crops(generated: np.ndarray, originals: np.ndarray, placements: Sequence[Placement]) -> np.ndarray:
    """Generated crops (N, S, S, 3) uint8 put back into their originals, likewise, as their photos will show them."""
    size = generated.shape[1]
    y, x = ((np.mgrid[:size, :size] + 0.5) / size).astype(np.float32)
    masks = {}
    for placement in placements:
        if id(placement) not in masks:
            back = np.linalg.inv(placement.matrix[:, :2])
            columns, rows = np.tensordot(back, np.stack([x, y]) - placement.matrix[:, 2, None, None], 1)
            masks[id(placement)] = _mask(placement, _box_distance(placement.box, rows, columns), x, y)
    mask = np.stack([masks[id(placement)] for placement in placements])[..., None]
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


def _box_distance(box: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """How far pixels lie from a box's centre, in half its sides: 1 on its border."""
    centre = box[:2] + box[2:] / 2
    x, y = (np.abs(line - c) * 2 / side for line, c, side in zip((columns, rows), centre, box[2:], strict=True))
    return np.maximum(x, y).astype(np.float32)


def _lines(where: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """Rows (h, 1) and columns (w,) of a rectangle's pixels."""
    rows, columns = (np.arange(part.start, part.stop) for part in where)
    return rows[:, None], columns


def face_mask(placement: Placement, where: tuple[slice, slice]) -> np.ndarray:
    """The mask of a face at the pixels of a rectangle of its photo: (h, w) in [0, 1]."""
    return _mask(placement, _box_distance(placement.box, *_lines(where)), *_places(placement.matrix, where))


def _mask(placement: Placement, box_distance: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``face_mask`` at places of the crop."""
    begin, end = BOX_FADE
    weight = _fade(x, y) * ((end - box_distance) / (end - begin)).clip(0, 1)
    lens = np.float32(0)
    if placement.eyeglasses:
        (cx, cy), points = ARMS_MIDDLE, placement.points
        across, along = (
            ((end - np.abs(line - c)) / (end - begin)).clip(0, 1)
            for line, c, (begin, end) in ((x, cx, ARMS_WIDTH), (y, cy, ARMS_HEIGHT))
        )
        weight = np.maximum(weight, across * along)
        turn = np.clip((points[2, 0] - points[:2, 0].mean()) / TURNED, -1, 1)
        lens = LENS * along * np.maximum(turn * np.sign(x - cx), 0).astype(np.float32)
    if placement.contour is not None:
        unsure = max(OUTLINE_PIXELS * np.sqrt(np.linalg.det(placement.matrix[:, :2])) - OUTLINE_SURE, 0)
        share = ((_inside_outline(placement, x, y) + unsure + lens) / (2 * OUTLINE_FADE) + 0.5).clip(0, 1)
        weight *= share * share * (3 - 2 * share)
    return weight


def _inside_outline(placement: Placement, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far places of a crop lie inside the outline of the face; negative outside. Above the temples it goes straight
    on."""
    contour, points, above = placement.contour[1:-1], placement.points, -1.0
    # Coarsely first: the distance is smooth.
    cells = ((np.arange(OUTLINE_CELLS) + 0.5) / OUTLINE_CELLS).astype(np.float32)
    inside = _inside(cells, np.array([(contour[0, 0], above), *contour, (contour[-1, 0], above)]))
    hull = points[ConvexHull(points).vertices]
    inside = np.maximum(inside, OUTLINE_LEAST + _inside(cells, np.concatenate([hull, hull[:1]])))
    at = np.stack(np.broadcast_arrays(y, x)) * OUTLINE_CELLS - 0.5
    return map_coordinates(inside, at, order=1, mode="nearest")


def _inside(cells: np.ndarray, line: np.ndarray) -> np.ndarray:
    """How far the places of a grid (C, C), at ``cells`` (C,) in both directions, lie from the nearest piece of a line
    through points (M, 2); negative outside of what it surrounds."""
    x, y = (each.reshape(-1, 1) for each in np.meshgrid(cells, cells))
    within = points_in_poly(np.concatenate([x, y], axis=1), line)
    (left, top), (right, down) = line[:-1].T.astype(np.float32), np.diff(line, axis=0).T.astype(np.float32)
    right_of, below = x - left, y - top
    share = ((right_of * right + below * down) / np.maximum(right**2 + down**2, 1e-9)).clip(0, 1)
    away = np.sqrt(((right_of - share * right) ** 2 + (below - share * down) ** 2).min(1))
    return np.where(within, away, -away).reshape(len(cells), len(cells))


def kept(shape: tuple[int, ...], untouched: Sequence[np.ndarray], covered: Sequence[np.ndarray]) -> np.ndarray:
    """(H, W) bool: the pixels in boxes that stay ``untouched`` and do not lie deeper in one that is ``covered``."""
    everywhere = _lines((slice(0, shape[0]), slice(0, shape[1])))
    inner, outer = (
        np.min([_box_distance(box, *everywhere) for box in boxes], axis=0) for boxes in (untouched, covered)
    )
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
        The new photo; pixels outside every mask are those of ``image``, pixels of a core are those of a crop.
    """
    result = image.copy()
    for i, (placement, crop) in enumerate(faces):
        where = _extent(placement, image.shape)
        if where[0].start >= where[0].stop or where[1].start >= where[1].stop:
            continue
        places = _places(placement.matrix, where)
        weight = _mask(placement, _box_distance(placement.box, *_lines(where)), *places)
        own = _distance(*places, CORE)
        for j, (other, _) in enumerate(faces):
            if j != i and _meet(where, _extent(other, image.shape)):
                weight *= _share(own, _distance(*_places(other.matrix, where), CORE), first=i < j)
        for box in untouched:
            weight *= _share(own, _box_distance(box, *_lines(where)), first=False)
        (rows, columns), size = where, crop.shape[0]
        shift = np.array([columns.start, rows.start])
        to_crop = placement.to_crop(size)
        back = np.linalg.inv(to_crop[:, :2])
        matrix = np.column_stack([back, -back @ to_crop[:, 2] - shift])
        width, height = columns.stop - columns.start, rows.stop - rows.start
        new = resample(crop, matrix, width, height, smooth=True)
        # Weights of one pixel sum to 1 at most, so that faces can be added one by one.
        change = weight[..., None] * np.subtract(new, image[where], dtype=np.float32)
        result[where] = np.rint(result[where] + change).clip(0, 255)
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
