"""The harmless part of a photo's metadata, built anew from a white list."""

import math
import re
from collections.abc import Mapping
from typing import Any

from PIL import Image, TiffImagePlugin

_EXIF_DIRECTORY = 0x8769
_TEXT, _DATE, _NUMBER = "text", "date", "number"

#: What may stay, and as what. Not here, for they can name or show somebody or tell where it was: GPS, thumbnails, maker
#: notes, comments, descriptions, XMP, IPTC, software, host, serial numbers, owner, unique ids, Windows' own tags, and
#: every tag that is not known.
_MAIN = {
    0x010F: _TEXT,  # Make
    0x0110: _TEXT,  # Model
    0x011A: _NUMBER,  # XResolution
    0x011B: _NUMBER,  # YResolution
    0x0128: _NUMBER,  # ResolutionUnit
    0x0132: _DATE,  # DateTime
    0x013B: _TEXT,  # Artist
    0x8298: _TEXT,  # Copyright
}
_EXIF = {
    0x829A: _NUMBER,  # ExposureTime
    0x829D: _NUMBER,  # FNumber
    0x8822: _NUMBER,  # ExposureProgram
    0x8827: _NUMBER,  # PhotographicSensitivity
    0x9003: _DATE,  # DateTimeOriginal
    0x9004: _DATE,  # DateTimeDigitized
    0x9201: _NUMBER,  # ShutterSpeedValue
    0x9202: _NUMBER,  # ApertureValue
    0x9203: _NUMBER,  # BrightnessValue
    0x9204: _NUMBER,  # ExposureBiasValue
    0x9205: _NUMBER,  # MaxApertureValue
    0x9207: _NUMBER,  # MeteringMode
    0x9208: _NUMBER,  # LightSource
    0x9209: _NUMBER,  # Flash
    0x920A: _NUMBER,  # FocalLength
    0xA402: _NUMBER,  # ExposureMode
    0xA403: _NUMBER,  # WhiteBalance
    0xA405: _NUMBER,  # FocalLengthIn35mmFilm
    0xA432: _NUMBER,  # LensSpecification
    0xA433: _TEXT,  # LensMake
    0xA434: _TEXT,  # LensModel
}
_LONGEST = 200  # characters of a text: a name fits, a picture does not
_DATE_FORM = re.compile(r"\d{4}:\d{2}:\d{2} \d{2}:\d{2}:\d{2}")


def harmless_exif(image: Image.Image) -> bytes:
    """EXIF with nothing but what the white list names; b"" if there is none of it, or it cannot be read.

    Only short texts, dates and numbers pass, each checked, so that no tag can hold something else than it says. The
    orientation is not among them: pixels are upright.
    """
    try:
        found = image.getexif()
        main, detail = dict(found), dict(found.get_ifd(_EXIF_DIRECTORY))
    except Exception:  # a broken block may make Pillow raise anything; it is dropped, like all the rest
        return b""
    kept = Image.Exif()
    if (dots := image.info.get("dpi")) and (image.format == "PNG" or image.info.get("jfif_unit")):
        kept.update(_passed({0x011A: dots[0], 0x011B: dots[1], 0x0128: 2}, _MAIN))
    kept.update(_passed(main, _MAIN))
    if detail := _passed(detail, _EXIF):
        kept[_EXIF_DIRECTORY] = detail
    try:
        return kept.tobytes() if len(kept) else b""
    except Exception:  # a number that fits no EXIF type
        return b""


def _passed(tags: Mapping[int, Any], allowed: Mapping[int, str]) -> dict[int, Any]:
    kept = {}
    for tag, form in allowed.items():
        value = tags.get(tag)
        if form == _NUMBER and _is_number(value):
            kept[tag] = tuple(map(_plain, value)) if isinstance(value, tuple) else _plain(value)
        elif form != _NUMBER and isinstance(value, str):
            text = value.rstrip("\0 ")
            if form == _DATE and _DATE_FORM.fullmatch(text) or form == _TEXT and 0 < len(text) <= _LONGEST:
                if text.isprintable():
                    kept[tag] = text
    return kept


def _plain(value: Any) -> Any:
    """A number as EXIF writes it: an integer, or a fraction."""
    return value if isinstance(value, int) else TiffImagePlugin.IFDRational(value)


def _is_number(value: Any) -> bool:
    """Whether it is a finite number, or up to four of them."""
    values = value if isinstance(value, tuple) else (value,)
    try:
        return 0 < len(values) <= 4 and all(not isinstance(v, str | bytes) and math.isfinite(float(v)) for v in values)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return False
