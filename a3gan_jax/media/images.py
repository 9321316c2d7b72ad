"""Reading still images of any usual kind as upright sRGB pixels, and writing pixels back in the same kind.

What a file hides beside its pixels does not come along: it is not copied and struck out, but never read into what is
written. JPEG, PNG, WebP and TIFF are written as what they were, BMP and GIF as PNG; the content decides, not the name.
"""

import contextlib
import dataclasses
import io
import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin, UnidentifiedImageError

from a3gan_jax.media.colour import GREY_MODES, to_srgb
from a3gan_jax.media.formats import HEAD, WRITTEN_AS, image_format, unsupported
from a3gan_jax.media.metadata import harmless_exif

#: Default limit: every phone's photo but the largest (200 megapixels). Reading takes up to about 16 bytes a pixel.
MAX_PIXELS = 2**27
LARGEST_FILE = 2**30  # bytes

LOSSLESS = {
    "PNG": {},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}

_TURNS = {  # EXIF orientation -> what makes it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TILE_SIDES = (322, 323)  # TIFF tags


class UnreadableImage(ValueError):
    """A file that cannot be read as one still image: one line with the cause and the remedy, not the file's name."""


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A decoded image.

    pixels: (H, W, 3) uint8, RGB in sRGB, upright.
    alpha: (H, W) uint8, or None where every pixel is opaque by the file's kind.
    format: JPEG, PNG, WEBP or TIFF, as what it is written back.
    grey: it has no colour, and what is written back has none either.
    quantization: the JPEG's tables, luminance first, each of 64 numbers; () for the other formats.
    subsampling: of the JPEG's colour: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0; rarer ones count as 0.
    exif: the harmless part of the metadata (``metadata.harmless_exif``).
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    format: str
    grey: bool
    quantization: tuple[tuple[int, ...], ...]
    subsampling: int
    exif: bytes


def read_image(source: str | os.PathLike | bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Reads a still image.

    Of 16 bits a channel the upper 8 are kept; CMYK and any other colours with a profile become sRGB. A JPEG's further
    views (MPF: previews, depth and gain maps) are not read.

    Args:
        source: a file, or its content.
        max_pixels: a larger image is refused before it is decoded, one of more than 178,956,970 pixels always
            (Pillow's own limit).

    Raises:
        UnreadableImage: whatever is wrong with the file, in one line.
    """
    try:
        with _opened(source) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's words on damaged metadata and on sizes; both are seen to here
            return _decoded(file, max_pixels)
    except UnreadableImage:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableImage(f"more pixels than the limit of {max_pixels:,}: make it smaller first") from error
    except MemoryError as error:
        raise UnreadableImage("it does not fit into memory: make it smaller first") from error
    except Exception as error:  # a broken file may make Pillow raise anything
        cause = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImage(f"truncated or damaged ({cause}): fetch it again, or open and save it anew") from error


def encode_image(picture: Picture, pixels: np.ndarray, *, keep_metadata: bool = False) -> bytes:
    """Pixels (H, W, 3) uint8 as a file of the picture's kind, with its alpha, and no metadata but ``picture.exif``.

    JPEG keeps the tables and the subsampling of the source, all others are lossless. A grey picture stays grey.

    Raises:
        ValueError: pixels of another shape or type than the picture's.
    """
    if pixels.shape != picture.pixels.shape or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8 {picture.pixels.shape}, not {pixels.dtype} {pixels.shape}")
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if picture.grey:
        image = image.convert("L")
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    options = dict(LOSSLESS[picture.format]) if picture.format != "JPEG" else _jpeg_options(picture)
    if keep_metadata and picture.exif:
        options["exif"] = picture.exif
        if picture.format == "TIFF":
            options["compression"] = "raw"  # with any other one Pillow's libtiff fails to write the Exif directory
    file = io.BytesIO()
    image.save(file, picture.format, **options)
    return file.getvalue()


def write_image(path: Path, picture: Picture, pixels: np.ndarray, *, keep_metadata: bool = False) -> None:
    """``encode_image`` to a file, whole or not at all. Its name should end as ``formats.SUFFIXES`` says."""
    write_whole(path, encode_image(picture, pixels, keep_metadata=keep_metadata))


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:  # x: does not write through a link that stands there
            file.write(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(source: str | os.PathLike | bytes) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        state = os.stat(source)
        if not stat.S_ISREG(state.st_mode):
            raise UnreadableImage("no regular file: name an image file")
        if state.st_size > LARGEST_FILE:
            raise UnreadableImage(f"larger than {LARGEST_FILE >> 20} MiB: no photo, or make it smaller first")
        file = open(source, "rb")  # by Pillow opened by its name it might be mapped, and change under us
    except (OSError, ValueError) as error:
        if isinstance(error, UnreadableImage):
            raise
        raise UnreadableImage(f"cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    with file:
        yield file


def _decoded(file: BinaryIO, max_pixels: int) -> Picture:
    head = file.read(HEAD)
    file.seek(0)
    form = image_format(head)
    if form is None:
        raise UnreadableImage(unsupported(head))
    try:
        image = Image.open(file, formats=[form])
    except UnidentifiedImageError as error:
        raise UnreadableImage(
            f"a {form} file by its first bytes, but damaged or of a rare kind: save it anew"
        ) from error
    with image:
        if image.width * image.height > max_pixels:
            size = f"{image.width} x {image.height}"
            raise UnreadableImage(f"{size} pixels, more than the limit of {max_pixels:,}: make it smaller first")
        if form == "TIFF":
            _check_tiles(image)
        grey = image.mode in GREY_MODES or (form == "PNG" and head[25] == 4)  # of 16 bits Pillow gives that as RGBA
        tables, subsampling = _jpeg_facts(image)
        if form != "JPEG" and _has_second_frame(image):
            raise UnreadableImage("animated, or of several pages: save each frame or page as a file of its own")
        image.seek(0)
        image.load()
        exif, orientation = harmless_exif(image), _orientation(image)
        colour, alpha = to_srgb(image)
    if (turn := _TURNS.get(orientation)) is not None:
        colour, alpha = colour.transpose(turn), alpha and alpha.transpose(turn)
    return Picture(
        np.asarray(colour),
        None if alpha is None else np.asarray(alpha),
        WRITTEN_AS[form],
        grey,
        tables,
        subsampling,
        exif,
    )


def _has_second_frame(image: Image.Image) -> bool:
    """Without counting them: a hostile file may claim millions."""
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def _check_tiles(image: Image.Image) -> None:
    """Two things in a TIFF that Pillow does not look at.

    Raises:
        UnreadableImage: a tile, which is decoded whole, is far larger than the image; or the strips and tiles leave a
            part of the image out, which would be black.
    """
    sides = [image.tag_v2.get(tag, 0) for tag in _TILE_SIDES]
    area = image.width * image.height
    if not all(isinstance(side, int) for side in sides) or sides[0] * sides[1] > max(2**20, 4 * area):
        raise UnreadableImage("a TIFF with tiles far larger than the image: save it anew")
    boxes = [tile.extents for tile in image.tile]
    if sum((right - left) * (bottom - top) for left, top, right, bottom in boxes) < area:
        raise UnreadableImage("a TIFF that lacks a part of its pixels: fetch it again")


def _jpeg_facts(image: Image.Image) -> tuple[tuple[tuple[int, ...], ...], int]:
    """Tables and subsampling of a JPEG as ``Picture`` holds them."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return (), 0
    tables = tuple(tuple(image.quantization[number]) for number in sorted(image.quantization))
    return tables, max(0, JpegImagePlugin.get_sampling(image))


def _jpeg_options(picture: Picture) -> dict:
    return {"qtables": [list(table) for table in picture.quantization], "subsampling": picture.subsampling}


def _orientation(image: Image.Image) -> int:
    """EXIF's (or XMP's) word on how to turn the image; 1, no turn, where it cannot be read, as viewers do."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken block may make Pillow raise anything
        return 1
