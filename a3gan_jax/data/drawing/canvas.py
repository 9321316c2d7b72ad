"""Soft-edged painting on a small float image: polygons become coverage masks, masks blend colours.

Polygons are rasterised by Pillow at four times the resolution and averaged down to masks; colours are blended at the
final resolution. That is as smooth as drawing the picture four times as large, and ten times as fast.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SUPERSAMPLING = 4


class Mask(NamedTuple):
    """How much of each pixel of a rectangle is covered: ``alpha`` (h, w) float32 in [0, 1]."""

    rows: slice
    columns: slice
    alpha: np.ndarray

    def within(self, coverage: np.ndarray) -> "Mask":
        """This mask, cut to a coverage (S, S) of the whole canvas."""
        return self._replace(alpha=self.alpha * coverage[self.rows, self.columns])


class Canvas:
    """An image ``pixels`` (S, S, 3) float32, sRGB in [0, 1], and the brushes to paint on it."""

    def __init__(self, size: int):
        self.size = size
        self.pixels = np.zeros((size, size, 3), np.float32)

    def mask(self, *polygons: np.ndarray, soft: float = 0.0) -> Mask:
        """The union of polygons, each (n, 2) in pixel centres; ``soft``: blur of the edge in sides of the canvas."""
        blur = soft * self.size
        margin = 2 + 2.5 * blur
        corners = np.concatenate(polygons)
        (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
        left, right = max(0, int(left - margin)), min(self.size, int(right + margin) + 1)
        top, bottom = max(0, int(top - margin)), min(self.size, int(bottom + margin) + 1)
        if right <= left or bottom <= top:
            return Mask(slice(0, 0), slice(0, 0), np.zeros((0, 0), np.float32))
        image = Image.new("L", ((right - left) * SUPERSAMPLING, (bottom - top) * SUPERSAMPLING))
        draw = ImageDraw.Draw(image)
        for polygon in polygons:
            points = polygon * SUPERSAMPLING + ((0.5 - left) * SUPERSAMPLING - 0.5, (0.5 - top) * SUPERSAMPLING - 0.5)
            draw.polygon(points.ravel().tolist(), fill=255)
        image = image.reduce(SUPERSAMPLING)
        if blur > 0.2:
            image = image.filter(ImageFilter.GaussianBlur(blur))
        return Mask(slice(top, bottom), slice(left, right), np.asarray(image) * np.float32(1 / 255))

    def coverage(self, *polygons: np.ndarray, soft: float = 0.0) -> np.ndarray:
        """As :meth:`mask`, over the whole canvas: (S, S)."""
        mask = self.mask(*polygons, soft=soft)
        whole = np.zeros((self.size, self.size), np.float32)
        whole[mask.rows, mask.columns] = mask.alpha
        return whole

    def paint(self, mask: Mask | np.ndarray, color, opacity: float = 1.0) -> None:
        """Lay a colour (3,), or a picture (S, S, 3), over the mask."""
        region, alpha, color = self._region(mask, color)
        region += (alpha * opacity)[..., None] * (color - region)

    def shade(self, mask: Mask | np.ndarray, factor, opacity: float = 1.0) -> None:
        """Multiply by a factor (3,) or (S, S, 3), within the mask: shadows, and tints that keep what lies below."""
        region, alpha, factor = self._region(mask, factor)
        region *= 1 + (alpha * opacity)[..., None] * (factor - 1)

    def _region(self, mask: Mask | np.ndarray, color):
        color = np.asarray(color, np.float32)
        if not isinstance(mask, Mask):
            return self.pixels, mask, color
        if color.ndim == 3:
            color = color[mask.rows, mask.columns]
        return self.pixels[mask.rows, mask.columns], mask.alpha, color


@cache
def _spline_weights(steps: int) -> np.ndarray:
    t = np.arange(steps)[:, None] / steps
    return 0.5 * np.concatenate(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], axis=1
    )


def smooth(points, closed: bool = False, steps: int = 6) -> np.ndarray:
    """A Catmull-Rom curve through points (n, d): (about n * steps, d), ends included."""
    points = np.asarray(points, float)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    quads = np.stack([padded[i : len(padded) - 3 + i] for i in range(4)], axis=1)  # (segments, 4, d)
    curve = (_spline_weights(steps) @ quads).reshape(-1, points.shape[1])
    return curve if closed else np.concatenate([curve, points[-1:]])


def ribbon(points, widths) -> np.ndarray:
    """The outline of a stroke along points (n, 2), of width (n,), a scalar, or a pair (middle, ends)."""
    points = np.asarray(points, float)
    if isinstance(widths, tuple):
        middle, ends = widths
        widths = ends + (middle - ends) * np.sin(np.linspace(0, np.pi, len(points)))
    along = np.empty_like(points)
    along[1:-1] = points[2:] - points[:-2]
    along[0], along[-1] = points[1] - points[0], points[-1] - points[-2]
    across = along[:, ::-1] * (-1, 1)
    across *= (np.broadcast_to(widths, len(points)) / (2 * np.sqrt((along**2).sum(1)) + 1e-9))[:, None]
    return np.concatenate([points + across, (points - across)[::-1]])


@cache
def _circle(count: int) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def ellipse(center, radii, turn: float = 0.0, count: int = 24) -> np.ndarray:
    """An ellipse (count, 2) of radii (x, y), turned by ``turn`` radians."""
    points = _circle(count) * radii
    if turn:
        cos, sin = np.cos(turn), np.sin(turn)
        points = points @ np.array([[cos, sin], [-sin, cos]])
    return points + center


def mirror(right) -> np.ndarray:
    """A closed symmetric outline from its right half (n, 2), top to bottom."""
    right = np.asarray(right, float)
    return np.concatenate([right, right[::-1] * (-1, 1)])


def cloud(rng: np.random.Generator, size: int, cells: int, channels: int = 1) -> np.ndarray:
    """Smooth noise (S, S, channels) in [-1, 1], with ``cells`` bumps a side."""
    grid = rng.uniform(-1, 1, (channels, cells, cells)).astype(np.float32)
    planes = [Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC) for plane in grid]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)
