"""Any decoded image as 8-bit sRGB, so that a colour profile can be dropped and the colours stay."""

import io

import numpy as np
from PIL import Image, ImageCms

GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L")
DEEP_MODES = ("I;16", "I;16B", "I;16L")  # one channel of 16 bits; Pillow reduces 16-bit colour itself
_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}  # an image's mode -> the colour space a fitting profile is of
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # TIFF tags


def to_srgb(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """A decoded image as RGB of 8 bits in sRGB, and its alpha (mode L) or None.

    16 bits are reduced to their upper 8, as libpng does. Colour under an alpha of 0 is not kept: nobody sees it, and it
    may be what somebody erased. A profile that is damaged, or made for another kind of image, is taken for sRGB, as
    viewers do.

    Raises:
        ValueError: the values have no fixed range (32-bit integers, floating point), or the mode is no colour of ours.
    """
    profile = image.info.get("icc_profile")
    if image.mode in DEEP_MODES:
        image, alpha = _reduced(image)
    else:
        if image.mode in ("I", "F"):
            raise ValueError("32-bit or signed values have no fixed range: save it with 8 or 16 bits a channel")
        transparent = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
        if transparent:
            image = image.convert("LA" if image.mode == "La" else "RGBA" if image.mode != "LA" else "LA")
        alpha = image.getchannel("A") if transparent else None
    image = _without_alpha(image)
    colour = _through_profile(image, profile) if profile else image
    if image.mode == "L":
        colour = colour.convert("L")
    colour = colour.convert("RGB")
    if alpha is not None:
        colour.paste((0, 0, 0), mask=alpha.point([255] + [0] * 255))
    return colour, alpha


def _without_alpha(image: Image.Image) -> Image.Image:
    """The same colours in mode L, RGB or CMYK."""
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode in ("1", "LA") else "RGB")


def _reduced(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """One channel of 16 bits (12 in some TIFF) as mode L, and the alpha of its transparent value."""
    values = np.asarray(image).astype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    shift = 4 if tags.get(_BITS_PER_SAMPLE) == (12,) else 8
    grey = (values >> shift).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == 0:  # 0 is white; of 16 bits Pillow leaves it so
        grey = 255 - grey
    key = image.info.get("transparency")
    alpha = None if key is None else Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
    return Image.fromarray(grey), alpha


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """The image in sRGB, in mode RGB; unchanged where the profile is sRGB itself, damaged or of another kind."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space != _SPACES[image.mode]:
            return image
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            image.mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    if image.mode == "RGB" and _changes_nothing(transform):
        return image  # so that pixels stay bit for bit
    return ImageCms.applyTransform(image, transform)


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether no colour of a lattice moves by more than one level."""
    levels = np.linspace(0, 255, 18).astype(np.uint8)
    lattice = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    moved = np.asarray(ImageCms.applyTransform(Image.fromarray(lattice), transform))
    return int(np.abs(moved.astype(int) - lattice).max()) <= 1
