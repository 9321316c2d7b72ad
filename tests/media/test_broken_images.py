"""Broken and hostile images: each gives a picture or one line, and never much memory."""

import io
import resource
import struct
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.media.images import MAX_PIXELS, Picture, UnreadableImage, encode_image, read_image

SEED = 20260101
LIMIT = 2**20  # pixels, in the tests of random damage


def encoded(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def good() -> dict[str, bytes]:
    rng = np.random.default_rng(SEED)
    colour = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8)).resize((24, 16))
    grey, exif = colour.convert("L"), Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8769] = 6, "Maker", {0x829A: 0.01}
    exif = exif.tobytes()
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    return {
        "jpeg": encoded(colour, "JPEG", exif=exif, comment=b"words"),
        "progressive": encoded(colour, "JPEG", progressive=True),
        "grey jpeg": encoded(grey, "JPEG"),
        "cmyk jpeg": encoded(colour.convert("CMYK"), "JPEG"),
        "mpo": encoded(colour, "MPO", save_all=True, append_images=[colour]),
        "png": encoded(colour, "PNG", exif=exif),
        "palette png": encoded(colour.quantize(9), "PNG", transparency=2),
        "16-bit png": encoded(deep, "PNG"),
        "rgba png": encoded(colour.convert("RGBA"), "PNG"),
        "webp": encoded(colour, "WEBP", exif=exif),
        "lossless webp": encoded(colour.convert("RGBA"), "WEBP", lossless=True),
        "tiff": encoded(colour, "TIFF", exif=exif),
        "lzw tiff": encoded(colour, "TIFF", compression="tiff_lzw"),
        "deflate tiff": encoded(colour.convert("RGBA"), "TIFF", compression="tiff_adobe_deflate"),
        "jpeg tiff": encoded(colour, "TIFF", compression="jpeg"),
        "group 4 tiff": encoded(grey.convert("1"), "TIFF", compression="group4"),
        "16-bit tiff": encoded(deep, "TIFF"),
        "cmyk tiff": encoded(colour.convert("CMYK"), "TIFF"),
        "gif": encoded(colour.quantize(16), "GIF"),
        "bmp": encoded(colour, "BMP"),
    }


def animated() -> dict[str, bytes]:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    several = {"save_all": True, "append_images": frames[1:]}
    return {form: encoded(frames[0], form, **several) for form in ("GIF", "PNG", "WEBP", "TIFF")}


def outcome(content: bytes, max_pixels: int = LIMIT) -> Picture | UnreadableImage:
    """What comes of it; every other exception, and every warning (pytest.ini makes it an error), fails the test."""
    try:
        picture = read_image(content, max_pixels=max_pixels)
    except UnreadableImage as error:
        said = str(error)
        assert 10 < len(said) < 300 and "\n" not in said and " object at " not in said and ": " in said, said
        return error
    height, width = picture.pixels.shape[:2]
    assert picture.pixels.dtype == np.uint8 and picture.pixels.shape == (height, width, 3)
    assert picture.alpha is None or picture.alpha.shape == (height, width)
    return picture


def test_what_the_damage_is_done_to_is_good():
    for name, content in good().items():
        assert isinstance(outcome(content), Picture), name


@pytest.mark.parametrize("name", good())
def test_random_damage(name, capfd):
    """60 of each of 20 kinds: 1,200 inputs. What is still a picture can be written, too."""
    whole, rng, results = good()[name], np.random.default_rng([SEED, *name.encode()]), []
    for number in range(60):
        content = bytearray(whole)
        match number % 4:
            case 0:  # cut
                del content[int(rng.integers(len(content))) :]
            case 1:  # single bits
                for place in rng.integers(0, len(content), int(rng.integers(1, 4))):
                    content[place] ^= 1 << int(rng.integers(8))
            case 2:  # a damaged head
                for place in rng.integers(0, min(len(content), 200), 2):
                    content[place] = int(rng.integers(256))
            case 3:  # a hole of zeros
                start = int(rng.integers(len(content)))
                content[start : start + 30] = bytes(len(content[start : start + 30]))
        result = outcome(bytes(content))
        if isinstance(result, Picture):
            encode_image(result, result.pixels, keep_metadata=True)
        results.append(isinstance(result, Picture))
    assert not all(results), "no damage was noticed, so this test says nothing"
    said = capfd.readouterr()
    assert said.out == "" and (said.err == "" or "tiff" in name)  # libtiff names the damage on stderr by itself
    assert "Traceback" not in said.err


def test_cut_files_are_never_half_pictures():
    for name in ("jpeg", "progressive", "png", "lossless webp", "webp", "deflate tiff", "bmp"):
        content = good()[name]
        result = outcome(content[: len(content) * 2 // 3])
        assert isinstance(result, UnreadableImage), name


def test_animated_files_and_pages_are_refused():
    for form, content in animated().items():
        result = outcome(content)
        assert "save each frame or page as a file of its own" in str(result), form


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty, 0 bytes: fetch it again"),
        (bytes(1000), "no image format that is supported"),
        (b"text, " * 50, "no image format that is supported"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "HEIC is not supported: save it as JPEG or PNG"),
        (b"\0\0\0\x18ftypavif" + bytes(50), "AVIF is not supported"),
        (b"8BPS" + bytes(50), "Photoshop is not supported"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"II*\0" + bytes(100), "damaged"),
        (b"RIFF\0\0\0\0WEBP", "damaged"),
    ],
)
def test_what_is_no_image_is_named(content, message):
    assert message in str(outcome(content))


def test_files_that_cannot_be_opened_are_named(tmp_path):
    for path, message in [
        (tmp_path / "nowhere.png", "cannot be opened: No such file"),
        (tmp_path, "no regular file"),
        ("a\0b.png", "cannot be opened"),
    ]:
        with pytest.raises(UnreadableImage, match=message):
            read_image(path)
    large = tmp_path / "large.jpg"
    with large.open("wb") as file:
        file.truncate(2**30 + 1)  # takes no room
    with pytest.raises(UnreadableImage, match="larger than 1024 MiB"):
        read_image(large)


def png(width: int, height: int, rows: bytes) -> bytes:
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def bombs() -> dict[str, bytes]:
    """Small files that promise or unpack to far more than 2**20 pixels."""
    black = encoded(Image.new("L", (3000, 3000)), "TIFF", compression="tiff_adobe_deflate")
    jpeg = bytearray(encoded(Image.new("RGB", (8, 8)), "JPEG"))
    size = jpeg.find(b"\xff\xc0") + 5
    jpeg[size : size + 4] = struct.pack(">HH", 50_000, 50_000)
    tiff = bytearray(encoded(Image.new("L", (8, 8)), "TIFF"))
    for tag in (256, 257):
        place = tiff.find(struct.pack("<H", tag))
        tiff[place : place + 12] = struct.pack("<HHII", tag, 4, 1, 50_000)
    bmp = bytearray(encoded(Image.new("RGB", (8, 8)), "BMP"))
    bmp[18:26] = struct.pack("<ii", 50_000, 50_000)
    gif = bytearray(encoded(Image.new("P", (8, 8)), "GIF"))
    gif[6:10] = struct.pack("<HH", 50_000, 50_000)
    vp8x = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (50_000 - 1).to_bytes(3, "little") * 2
    vp8l = encoded(Image.new("RGB", (8, 8)), "WEBP", lossless=True)[12:]
    webp = b"RIFF" + struct.pack("<I", 4 + len(vp8x) + len(vp8l)) + b"WEBP" + vp8x + vp8l
    return {
        "png header": png(50_000, 50_000, zlib.compress(bytes(1000))),
        "png below Pillow's limits": png(9_000, 9_000, zlib.compress(bytes(10**7))),
        "png above its warning": png(10_000, 10_000, zlib.compress(bytes(1000))),
        "jpeg": bytes(jpeg),
        "tiff": bytes(tiff),
        "unpacking tiff": black,
        "unpacking webp": encoded(Image.new("RGB", (4000, 4000)), "WEBP", lossless=True),
        "bmp": bytes(bmp),
        "gif": bytes(gif),
        "webp": webp,
    }


def resident_peak() -> int:
    """The most memory that this process ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_bombs_take_no_memory():
    made = bombs()
    for _ in range(2):  # the first time imports what the second does not
        before = resident_peak()
        tracemalloc.start()
        for name, content in made.items():
            result = outcome(content)
            assert isinstance(result, UnreadableImage), name
            assert "limit" in str(result) or "damaged" in str(result), (name, str(result))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2**25 and resident_peak() - before < 2**27


def test_the_default_limit_lets_a_large_photo_pass():
    assert isinstance(outcome(png(10_000, 10_000, b""), MAX_PIXELS), UnreadableImage)  # cut, not too large
    assert "damaged" in str(outcome(png(10_000, 10_000, b""), MAX_PIXELS))
    assert "limit of 134,217,728" in str(outcome(png(12_000, 12_000, b""), MAX_PIXELS))


def test_a_tile_far_larger_than_its_image_is_refused():
    tiff = bytearray(encoded(Image.new("L", (8, 8)), "TIFF", compression="tiff_adobe_deflate"))
    place = tiff.find(struct.pack("<HHI", 278, 3, 1))  # rows per strip
    assert place > 0
    tiff[place : place + 12] = struct.pack("<HHII", 322, 4, 1, 65_536)
    order = tiff.find(struct.pack("<HHI", 279, 4, 1))
    tiff[order : order + 12] = struct.pack("<HHII", 323, 4, 1, 65_536)
    assert "tiles far larger" in str(outcome(bytes(tiff)))


def test_a_tiff_that_lacks_pixels_is_refused():
    tiff = bytearray(encoded(Image.new("L", (8, 8)), "TIFF"))
    place = tiff.find(struct.pack("<HHI", 257, 4, 1))
    tiff[place + 8 : place + 12] = struct.pack("<I", 9_000)  # rows, of which 8 are there
    assert "lacks a part of its pixels" in str(outcome(bytes(tiff)))


def test_damage_in_memory_is_bounded():
    """A sample of the damaged inputs, measured: none takes more than a few copies of the limit."""
    rng = np.random.default_rng(SEED)
    for name, whole in good().items():
        for _ in range(4):
            content = bytearray(whole)
            for place in rng.integers(0, min(len(content), 100), 2):
                content[place] = int(rng.integers(256))
            tracemalloc.start()
            outcome(bytes(content))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 8 * LIMIT, name
