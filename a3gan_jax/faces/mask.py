"""Which pixels of a photo a new face takes, and how far it fades into them.

A face's mask is 1 in its core (forehead to chin, cheek to cheek) and fades to 0 before the crop ends, beside the box
that a detector has drawn around the face, and, the core too, at the outline of the face.
"""

import numpy as np
from PIL import Image
from scipy.spatial import ConvexHull
from skimage.measure import points_in_poly

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
# Above the temples, where hair begins or a skull, it goes straight up, to beyond the crop; on the side to which a head
# is turned it leans inwards with this slope, as foreheads do (by eye, in 40 photos).
OUTLINE_LEAN, OUTLINE_TOP = 0.4, -0.3
# A head is turned fully where the nose tip lies so far aside of the middle of the eyes, in shares of the crop's side.
TURNED = 0.05
# Of a small face the outline is less sure: it is moved out by so many pixels, less a share of the crop's side.
OUTLINE_PIXELS, OUTLINE_SURE = 3.5, 0.012
# Of a grid for which the distance from the outline is computed: cells along a side, and how far it reaches beyond a
# crop.
OUTLINE_CELLS, OUTLINE_MARGIN = 48, 0.1
# What eyeglasses add to the mask: a band from ear to ear, its middle, and half its width and half its height where it
# begins and ends to fade; and how much farther than the outline it reaches on the side to which a head is turned, where
# a lens may stand before the background (all by eye, in 40 photos).
ARMS_MIDDLE, ARMS_WIDTH, ARMS_HEIGHT = (0.5, 0.46), (0.43, 0.47), (0.07, 0.12)
LENS = 0.09


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


def extent(placement: Placement, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a photo of this shape beyond which a face's mask is 0."""
    rows, columns = placement.bounds(shape)
    if placement.eyeglasses:
        return rows, columns
    centre, radii = END
    linear = np.linalg.inv(placement.matrix[:, :2])
    middle, reach = linear @ (np.array(centre) - placement.matrix[:, 2]), np.linalg.norm(linear * radii, axis=1)
    start, end = middle - reach, middle + reach
    if placement.contour is not None:
        far = OUTLINE_FADE + _unsure(placement)
        around = np.concatenate([placement.contour, placement.points - OUTLINE_LEAST, placement.points + OUTLINE_LEAST])
        (left, _), (right, bottom) = around.min(0) - far, around.max(0) + far
        top = centre[1] - radii[1]
        corners = np.array([(left, top), (right, top), (left, bottom), (right, bottom)])
        corners = (corners - placement.matrix[:, 2]) @ linear.T
        start, end = np.maximum(start, corners.min(0)), np.minimum(end, corners.max(0))
    start, end = np.floor(start).astype(int), np.ceil(end).astype(int) + 1
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


def core_distance(placement: Placement, where: tuple[slice, slice]) -> np.ndarray:
    """How far the pixels of a rectangle of the photo lie from the middle of a face: 1 on the border of its core."""
    return _distance(*_places(placement.matrix, where), CORE)


def crop_mask(size: int) -> np.ndarray:
    """The mask of a frontal face over its whole crop: (size, size) float64."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    return _fade(x, y)


def box_distance(box: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """How far pixels lie from a box's centre, in half its sides: 1 on its border."""
    centre = box[:2] + box[2:] / 2
    x, y = (np.abs(line - c) * 2 / side for line, c, side in zip((columns, rows), centre, box[2:], strict=True))
    return np.maximum(x, y).astype(np.float32)


def lines(where: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """Rows (h, 1) and columns (w,) of a rectangle's pixels."""
    rows, columns = (np.arange(part.start, part.stop) for part in where)
    return rows[:, None], columns


def face_mask(placement: Placement, where: tuple[slice, slice]) -> np.ndarray:
    """The mask of a face at the pixels of a rectangle of its photo: (h, w) in [0, 1]."""
    (rows, columns), matrix = where, placement.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ [columns.start, rows.start]
    return _mask(placement, box_distance(placement.box, *lines(where)), matrix)


def mask_on_crop(placement: Placement, size: int) -> np.ndarray:
    """The same at the pixels of the face's crop: (size, size)."""
    matrix = np.array([[1, 0, 0.5], [0, 1, 0.5]]) / size
    columns, rows = np.tensordot(
        np.linalg.inv(placement.matrix[:, :2]),
        np.stack(_places(matrix, (slice(0, size),) * 2)) - placement.matrix[:, 2, None, None],
        1,
    )
    return _mask(placement, box_distance(placement.box, rows, columns), matrix)


def _mask(placement: Placement, beside_box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """``face_mask`` at pixels (h, w) whose indices ``matrix`` (2, 3) brings to the crop; ``beside_box`` (h, w) is their
    ``box_distance``."""
    (height, width), (begin, end) = beside_box.shape, BOX_FADE
    x, y = _places(matrix, (slice(0, height), slice(0, width)))
    weight = _fade(x, y) * ((end - beside_box) / (end - begin)).clip(0, 1)
    lens = np.float32(0)
    if placement.eyeglasses:
        cx, cy = ARMS_MIDDLE
        across, along = (
            ((end - np.abs(line - c)) / (end - begin)).clip(0, 1)
            for line, c, (begin, end) in ((x, cx, ARMS_WIDTH), (y, cy, ARMS_HEIGHT))
        )
        weight = np.maximum(weight, across * along)
        lens = LENS * along * np.maximum(_turn(placement) * np.sign(x - cx), 0)
    if placement.contour is not None:
        inside = _inside_outline(placement, matrix, (width, height)) + (lens + np.float32(_unsure(placement)))
        share = (inside / (2 * OUTLINE_FADE) + np.float32(0.5)).clip(0, 1)
        weight *= share * share * (3 - 2 * share)
    return weight


def _turn(placement: Placement) -> float:
    """How far a head is turned to the right of its crop: in [-1, 1]."""
    points = placement.points
    return float(np.clip((points[2, 0] - points[:2, 0].mean()) / TURNED, -1, 1))


def _unsure(placement: Placement) -> float:
    """How much farther the mask reaches than the outline of a small face, in shares of the crop's side."""
    return max(OUTLINE_PIXELS * float(np.sqrt(np.linalg.det(placement.matrix[:, :2]))) - OUTLINE_SURE, 0.0)


def _inside_outline(placement: Placement, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """How far pixels, as ``_mask`` has them, lie inside the outline of the face; negative outside."""
    contour, points, lean = placement.contour[1:-1], placement.points, OUTLINE_LEAN * _turn(placement)
    right, left = (
        (x - inwards * (y - OUTLINE_TOP), OUTLINE_TOP)
        for (x, y), inwards in zip(contour[[0, -1]], (max(lean, 0), min(lean, 0)), strict=True)
    )
    # Coarsely first: the distance is smooth.
    span = 1 + 2 * OUTLINE_MARGIN
    cells = ((np.arange(OUTLINE_CELLS) + 0.5) / OUTLINE_CELLS * span - OUTLINE_MARGIN).astype(np.float32)
    inside = _inside(cells, np.array([right, *contour, left]))
    hull = points[ConvexHull(points).vertices]
    inside = np.maximum(inside, OUTLINE_LEAST + _inside(cells, np.concatenate([hull, hull[:1]])))
    to_grid = matrix + [[0, 0, OUTLINE_MARGIN]] * 2
    to_grid[:, 2] -= to_grid[:, :2].sum(1) / 2  # Pillow counts from the corner of the top left pixel
    grid = Image.fromarray(inside)
    affine = (to_grid * OUTLINE_CELLS / span).reshape(-1).tolist()
    return np.asarray(grid.transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR))


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
