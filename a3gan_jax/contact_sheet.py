"""Contact sheets: labelled columns of small images as one PNG. Numpy and Pillow only."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LABEL_HEIGHT = 14  # pixels, above the columns
GAP = 2  # pixels, between the images

#: Colours of a heat map at 0, 1/4 ... 1: black, violet, red, orange, pale yellow (our own choice, after "inferno").
HEAT = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]])


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1], of any shape, as uint8; values beyond are clipped."""
    return np.clip(np.round((np.asarray(images, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def heat_maps(gates: np.ndarray, size: int) -> np.ndarray:
    """Gates (N, H, W, C) in [0, 1] as heat maps (N, size, size, 3) uint8: the mean over channels, 0 dark, 1 bright."""
    level = np.clip(np.asarray(gates, np.float32).mean(-1), 0, 1)
    colours = np.stack([np.interp(level, np.linspace(0, 1, len(HEAT)), HEAT[:, c]) for c in range(3)], axis=-1)
    return np.stack(
        [np.asarray(Image.fromarray(map_).resize((size, size), Image.Resampling.NEAREST)) for map_ in _bytes(colours)]
    )


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.round(values).astype(np.uint8)


def contact_sheet(columns: Sequence[tuple[str, np.ndarray]], *, scale: int | None = None) -> Image.Image:
    """Puts images side by side, one row a face.

    Args:
        columns: label and images (N, S, S, 3) uint8, the same N and S in all.
        scale: whole factor of enlargement; by default images under 128 pixels are doubled.

    Raises:
        ValueError: the columns differ in shape or are not uint8.
    """
    shapes = {(images.shape, str(images.dtype)) for _, images in columns}
    if len(shapes) != 1 or next(iter(shapes))[1] != "uint8":
        raise ValueError(f"the columns of a contact sheet must be uint8 images of one shape, not {sorted(shapes)}")
    rows, size = columns[0][1].shape[:2]
    scale = scale or (2 if size < 128 else 1)
    cell = size * scale + GAP

    sheet = Image.new("RGB", (len(columns) * cell - GAP, LABEL_HEIGHT + rows * cell - GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    for column, (label, images) in enumerate(columns):
        draw.text((column * cell + 1, 1), label, "black", font)
        for row, image in enumerate(images):
            enlarged = image.repeat(scale, 0).repeat(scale, 1)
            sheet.paste(Image.fromarray(enlarged), (column * cell, LABEL_HEIGHT + row * cell))
    return sheet


def save_png(sheet: Image.Image, path: str | Path) -> None:
    """Writes the PNG whole or not at all; makes the folder."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    sheet.save(temporary, format="PNG")
    temporary.replace(path)
