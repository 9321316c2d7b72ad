"""What is in a written file beside its pixels, found by readers of our own that share nothing with Pillow."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from a3gan_jax.media.images import encode_image, read_image
from a3gan_jax.media.metadata import harmless_exif

FORMS = ("JPEG", "PNG", "WEBP", "TIFF")
HARMLESS = {  # tag -> what it holds, in the main and in the Exif directory
    0x010F: "Maker",
    0x0110: "Model 7",
    0x011A: 300.0,
    0x011B: 300.0,
    0x0128: 2,
    0x0132: "2024:05:06 07:08:09",
    0x013B: "An Artist",
    0x8298: "2024 An Artist",
}
HARMLESS_DETAIL = {0x829A: 0.01, 0x829D: 2.8, 0x8827: 400, 0x9003: "2024:05:06 07:08:09", 0x920A: 50.0, 0xA434: "50mm"}
SECRETS = [
    f"SECRET-{word}".encode() for word in "DESCRIPTION COMMENT MAKERNOTE SERIAL XMP IPTC TEXT OWNER TAIL".split()
]
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}  # TIFF's types -> bytes


def photo(width: int = 48, height: int = 32, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


THUMBNAIL = encoded(photo(16, 16, seed=9), "JPEG")


def full_exif() -> Image.Exif:
    exif = Image.Exif()
    exif.update(HARMLESS)
    exif[0x010E], exif[0x0131], exif[0x0112] = "SECRET-DESCRIPTION", "SECRET-TEXT", 1
    exif[0x9C9B] = "SECRET-COMMENT".encode("utf-16le")
    exif[0x8769] = HARMLESS_DETAIL | {
        0x927C: b"SECRET-MAKERNOTE" + THUMBNAIL,
        0x9286: b"ASCII\0\0\0SECRET-COMMENT",
        0xA431: "SECRET-SERIAL",
        0xA430: "SECRET-OWNER",
    }
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.5), 3: "E", 4: (2.0, 17.0, 40.2)}
    return exif


def with_thumbnail(exif: bytes) -> bytes:
    """An EXIF block with a thumbnail in its second directory."""
    head, tiff = exif[:6], bytearray(exif[6:])
    order = {b"II": "<", b"MM": ">"}[bytes(tiff[:2])]
    (first,) = struct.unpack_from(order + "I", tiff, 4)
    (entries,) = struct.unpack_from(order + "H", tiff, first)
    struct.pack_into(order + "I", tiff, first + 2 + 12 * entries, len(tiff))
    place = len(tiff) + 2 + 2 * 12 + 4
    tiff += struct.pack(order + "HHHIIHHIII", 2, 0x0201, 4, 1, place, 0x0202, 4, 1, len(THUMBNAIL), 0) + THUMBNAIL
    return head + bytes(tiff)


def laden(form: str) -> bytes:
    """A photo with all that a file can hide."""
    exif, profile = with_thumbnail(full_exif().tobytes()), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    common = {"icc_profile": profile.tobytes()}
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>SECRET-XMP</x:xmpmeta>"
    tail = b"SECRET-TAIL" + THUMBNAIL
    if form == "JPEG":
        iptc = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", 16) + b"\x1c\x02\x78\0\x0bSECRET-IPTC"
        preview = b"MPF\0II*\0\x08\0\0\0\0\0"
        extra = b"".join(
            b"\xff" + marker + struct.pack(">H", 2 + len(content)) + content
            for marker, content in ((b"\xed", iptc), (b"\xe2", preview), (b"\xef", b"SECRET-TEXT"))
        )
        options = common | {"exif": exif, "xmp": xmp, "comment": b"SECRET-COMMENT", "extra": extra, "dpi": (300, 300)}
        return encoded(photo(), form, **options) + tail
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", "SECRET-COMMENT")
        text.add_text("Raw profile type exif", "SECRET-TEXT", zip=True)
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        text.add(b"prVt", b"SECRET-TEXT")
        return encoded(photo(), form, exif=exif, pnginfo=text, dpi=(300, 300), **common) + tail
    if form == "WEBP":
        return encoded(photo(), form, exif=exif, xmp=xmp, lossless=True, **common) + tail
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    source = Image.Exif()
    source.load(full_exif().tobytes())
    tags.update(HARMLESS)
    tags[0x010E], tags[0x0131], tags[0x02BC], tags[0x83BB] = "SECRET-DESCRIPTION", "SECRET-TEXT", xmp, b"SECRET-IPTC"
    tags[0x8649] = b"8BIM\x04\x0c\0\0SECRET-TEXT" + THUMBNAIL
    tags[0x8769], tags[0x8825] = source.get_ifd(0x8769), source.get_ifd(0x8825)
    return encoded(photo(), form, tiffinfo=tags, **common) + tail


def directory(tiff: bytes) -> dict[int, object]:
    """All tags of a TIFF structure, those of the Exif directory under (0x8769, tag); and that no second one follows."""
    order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]

    def read(place: int) -> tuple[dict, int]:
        (count,) = struct.unpack_from(order + "H", tiff, place)
        found = {}
        for entry in range(place + 2, place + 2 + 12 * count, 12):
            tag, kind, length = struct.unpack_from(order + "HHI", tiff, entry)
            size = SIZES[kind] * length
            at = entry + 8 if size <= 4 else struct.unpack_from(order + "I", tiff, entry + 8)[0]
            content = tiff[at : at + size]
            if kind == 2:
                found[tag] = content.rstrip(b"\0").decode()
            elif kind in (5, 10):
                parts = struct.unpack(f"{order}{2 * length}{'I' if kind == 5 else 'i'}", content)
                found[tag] = tuple(a / b for a, b in zip(parts[::2], parts[1::2], strict=True))
            else:
                found[tag] = struct.unpack(
                    f"{order}{length}{ {1: 'B', 3: 'H', 4: 'I', 7: 'c', 9: 'i'}[kind] }", content
                )
        return found, struct.unpack_from(order + "I", tiff, place + 2 + 12 * count)[0]

    main, following = read(struct.unpack_from(order + "I", tiff, 4)[0])
    assert following == 0, "a second directory, the place of thumbnails"
    if 0x8769 in main:
        detail, following = read(main.pop(0x8769)[0])
        assert following == 0
        main |= {(0x8769, tag): value for tag, value in detail.items()}
    return main


def parts(content: bytes) -> dict:
    """The blocks of a file by name, none of them unknown to this reader and nothing after the last one."""
    if content[:2] == b"\xff\xd8":
        found, at = {}, 2
        while (marker := content[at + 1]) != 0xDA:
            assert content[at] == 0xFF
            (length,) = struct.unpack_from(">H", content, at + 2)
            found.setdefault(marker, []).append(content[at + 4 : at + 2 + length])
            at += 2 + length
        assert content.find(b"\xff\xd9", at) == len(content) - 2, "bytes after the end"
        return found
    if content[:4] == b"\x89PNG":
        found, at = {}, 8
        while at < len(content):
            (length,) = struct.unpack_from(">I", content, at)
            body = content[at + 4 : at + 8 + length]
            assert zlib.crc32(body) == struct.unpack_from(">I", content, at + 8 + length)[0]
            found.setdefault(body[:4], []).append(body[4:])
            at += 12 + length
        return found
    assert content[:4] == b"RIFF" and struct.unpack_from("<I", content, 4)[0] == len(content) - 8
    found, at = {}, 12
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at + 4)
        found.setdefault(content[at : at + 4], []).append(content[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return found


@pytest.mark.parametrize("form", FORMS)
def test_the_laden_photos_hide_what_they_should(form):
    """Else the tests below would say nothing."""
    content = laden(form)
    expected = {
        "JPEG": "DESCRIPTION COMMENT MAKERNOTE SERIAL XMP IPTC TEXT OWNER TAIL",
        "PNG": "DESCRIPTION COMMENT MAKERNOTE SERIAL XMP TEXT OWNER TAIL",
        "WEBP": "DESCRIPTION MAKERNOTE SERIAL XMP TEXT OWNER TAIL",
        "TIFF": "DESCRIPTION COMMENT MAKERNOTE SERIAL XMP IPTC TEXT OWNER TAIL",
    }[form]
    assert [word for word in expected.split() if f"SECRET-{word}".encode() not in content] == []
    assert THUMBNAIL[20:] in content
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the MPF block is a broken one
        assert Image.open(io.BytesIO(content)).getexif().get_ifd(0x8825)[2] == (48.0, 51.0, 29.5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("keep", [False, True])
def test_no_secret_comes_out(form, keep):
    picture = read_image(laden(form))
    content = encode_image(picture, picture.pixels, keep_metadata=keep)
    wide = [secret.decode().encode("utf-16le") for secret in SECRETS]
    assert [
        secret for secret in [*SECRETS, *wide, b"SECRET", b"ICC_PROFILE", b"adobe", b"8BIM"] if secret in content
    ] == []
    assert THUMBNAIL[-60:] not in content and content.count(b"\xff\xd8\xff") == (form == "JPEG")
    assert struct.pack("<II", 48, 1) not in content or form == "TIFF"  # GPS degrees


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_by_default_there_is_no_block_but_pixels(form):
    picture = read_image(laden(form))
    found = parts(encode_image(picture, picture.pixels))
    if form == "JPEG":
        assert set(found) == {0xE0, 0xDB, 0xC0, 0xC4}
        assert (
            len(found[0xE0]) == 1 and found[0xE0][0][:5] == b"JFIF\0" and found[0xE0][0][-2:] == b"\0\0"
        )  # no thumbnail
    else:
        assert set(found) == {"PNG": {b"IHDR", b"IDAT", b"IEND"}, "WEBP": {b"VP8L"}}[form]


def test_by_default_a_tiff_has_the_tags_of_its_pixels():
    picture = read_image(laden("TIFF"))
    found = directory(encode_image(picture, picture.pixels))
    # sizes, bits, compression, photometric, strips, samples, planes, predictor, sample format
    assert set(found) <= {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 339}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_harmless_is_kept_on_request_and_nothing_else(form):
    picture = read_image(laden(form))
    content = encode_image(picture, picture.pixels, keep_metadata=True)
    if form == "JPEG":
        found = parts(content)
        assert set(found) == {0xE0, 0xE1, 0xDB, 0xC0, 0xC4} and len(found[0xE1]) == 1
        assert found[0xE1][0][:6] == b"Exif\0\0"
        tags = directory(found[0xE1][0][6:])
    elif form == "PNG":
        found = parts(content)
        assert set(found) == {b"IHDR", b"eXIf", b"IDAT", b"IEND"}
        tags = directory(found[b"eXIf"][0])
    elif form == "WEBP":
        found = parts(content)
        assert set(found) == {b"VP8X", b"VP8L", b"EXIF"}
        block = found[b"EXIF"][0]
        tags = directory(block[6:] if block[:6] == b"Exif\0\0" else block)
    else:
        found = directory(content)
        structure = {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 339}
        tags = {tag: value for tag, value in found.items() if tag not in structure}
    expected = HARMLESS | {(0x8769, tag): value for tag, value in HARMLESS_DETAIL.items()}
    assert set(tags) == set(expected)
    for tag, value in expected.items():
        shown = tags[tag] if isinstance(tags[tag], str) else tags[tag][0]
        assert shown == (pytest.approx(value) if isinstance(value, float) else value), tag


def test_a_harmless_tag_can_hold_nothing_else():
    exif = Image.Exif()
    exif[0x010F] = "A" * 201  # too long for a name
    exif[0x0110] = "line\nline"
    exif[0x0132] = "SECRET-TEXT"  # no date
    exif[0x013B] = b"SECRET" + THUMBNAIL
    exif[0x8298] = "right"
    exif[0x8769] = {0x829A: "SECRET-TEXT", 0x8827: tuple(range(50)), 0x9003: "2024:05:06 07:08:09 SECRET", 0x829D: 4.0}
    kept = harmless_exif(Image.open(io.BytesIO(encoded(photo(), "JPEG", exif=exif))))
    tags = directory(kept[6:])
    assert tags == {0x8298: "right", (0x8769, 0x829D): (4.0,)}


def test_a_broken_block_is_dropped_and_the_picture_is_read():
    good = full_exif().tobytes()
    for exif in (good[:40], b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense", good[:8] + bytes(60)):
        picture = read_image(encoded(photo(), "JPEG", exif=exif, quality=90))
        assert picture.pixels.shape == (32, 48, 3)
        content = encode_image(picture, picture.pixels, keep_metadata=True)
        assert b"SECRET" not in content


def test_further_views_of_a_jpeg_are_left_out():
    """MPO: a phone's preview or depth map stands behind the photo."""
    both = encoded(photo(), "MPO", save_all=True, append_images=[photo(seed=5)])
    assert Image.open(io.BytesIO(both)).format == "MPO" and both.count(b"\xff\xd8\xff") == 2
    picture = read_image(both)
    assert picture.format == "JPEG" and np.abs(picture.pixels.astype(int) - np.asarray(photo())).mean() < 8
    content = encode_image(picture, picture.pixels, keep_metadata=True)
    assert content.count(b"\xff\xd8\xff") == 1 and b"MPF" not in content
