"""Reading and writing images of every usual kind: what is kept, and what is decided by the content."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from a3gan_jax.media.formats import SUFFIXES, image_format
from a3gan_jax.media.images import UnreadableImage, encode_image, read_image, write_image

LOSSLESS = [
    ("PNG", {}),
    ("WEBP", {"lossless": True, "exact": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def smooth(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(noise(5, 5, 3)).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def deep_png(values: np.ndarray, colour_type: int) -> bytes:
    """A PNG of 16 bits a channel, values (H, W, C); Pillow writes only grey ones."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(("form", "options"), LOSSLESS)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_lossless_formats_come_back_bit_for_bit(form, options, mode):
    channels = {"RGB": 3, "RGBA": 4, "L": 1, "LA": 2}[mode]
    values = noise(20, 30, channels)
    if mode in ("RGBA", "LA"):
        values[..., -1] |= 1  # no alpha of 0
    source = encoded(Image.fromarray(values.squeeze()), form, **options)
    picture = read_image(source)
    assert (picture.pixels.shape, picture.pixels.dtype) == ((20, 30, 3), np.uint8)
    np.testing.assert_array_equal(picture.pixels, values[..., :3] if channels >= 3 else values[..., :1].repeat(3, -1))
    if mode in ("RGBA", "LA"):
        np.testing.assert_array_equal(picture.alpha, values[..., -1])
    else:
        assert picture.alpha is None

    changed = picture.pixels.copy()
    changed[5:9, 5:9] = 77
    written = encode_image(picture, changed)
    again = opened(written)
    # WebP knows no grey: there it is a colour image of grey pixels
    assert again.format == form and (again.mode == mode or form == "WEBP" and mode in ("L", "LA"))
    np.testing.assert_array_equal(np.asarray(again.convert("RGB")), changed)
    if picture.alpha is not None:
        np.testing.assert_array_equal(np.asarray(again.getchannel("A")), picture.alpha)


def test_colour_under_an_alpha_of_0_is_not_kept():
    values = noise(8, 8, 4)
    values[..., 3] = [0, 1, 128, 255, 0, 1, 128, 255]
    for form, options in LOSSLESS:
        picture = read_image(encoded(Image.fromarray(values), form, **options))
        visible = values[..., 3] > 0
        np.testing.assert_array_equal(picture.pixels[visible], values[visible, :3])
        assert not picture.pixels[~visible].any()


@pytest.mark.parametrize("quality", [30, 75, 92])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_keeps_its_tables_and_subsampling(quality, subsampling):
    source = encoded(smooth(), "JPEG", quality=quality, subsampling=subsampling)
    picture = read_image(source)
    before, after = opened(source), opened(encode_image(picture, picture.pixels))
    assert after.format == "JPEG" and after.quantization == before.quantization
    assert after.layer == before.layer and picture.subsampling == subsampling
    assert np.abs(np.asarray(after, int) - picture.pixels).mean() < 3


def test_jpeg_with_three_tables_or_one():
    tables = [[3] * 64, [5] * 64, [9] * 64]
    for count in (1, 2, 3):
        source = encoded(smooth(), "JPEG", qtables=tables[:count], subsampling=0)
        assert opened(source).quantization == dict(enumerate(tables[:count]))
        picture = read_image(source)
        assert opened(encode_image(picture, picture.pixels)).quantization == dict(enumerate(tables[:count]))


def test_grey_stays_grey_even_if_the_pixels_are_not():
    for form, options in [("JPEG", {"quality": 60}), ("PNG", {}), ("TIFF", {})]:
        picture = read_image(encoded(smooth().convert("L"), form, **options))
        assert picture.grey
        assert opened(encode_image(picture, noise(48, 64, 3))).mode == "L"
    assert not read_image(encoded(smooth(), "PNG")).grey


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "TIFF with libtiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright_and_nothing_turns_them_again(form, orientation):
    upright = np.zeros((48, 32, 3), np.uint8)
    upright[:16, :16], upright[:16, 16:], upright[32:, :16] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    stored = {  # the EXIF standard's words: where row 0 and column 0 of what is stored lie in the upright picture
        1: lambda u: u,
        2: lambda u: u[:, ::-1],
        3: lambda u: u[::-1, ::-1],
        4: lambda u: u[::-1],
        5: lambda u: u.swapaxes(0, 1),
        6: lambda u: u[:, ::1].swapaxes(0, 1)[::-1],
        7: lambda u: u[::-1, ::-1].swapaxes(0, 1),
        8: lambda u: u[:, ::1].swapaxes(0, 1)[:, ::-1],
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"subsampling": 0, "quality": 95}, "WEBP": {"lossless": True}}.get(form, {})
    if form == "TIFF with libtiff":
        form, options = "TIFF", {"compression": "tiff_lzw"}
    picture = read_image(encoded(Image.fromarray(np.ascontiguousarray(stored)), form, exif=exif, **options))
    assert picture.pixels.shape == upright.shape
    assert np.abs(picture.pixels.astype(int) - upright).max() <= 8
    for keep in (False, True):
        again = opened(encode_image(picture, picture.pixels, keep_metadata=keep))
        assert again.size == (32, 48) and again.getexif().get(0x0112, 1) == 1


def test_alpha_is_turned_with_the_pixels():
    exif = Image.Exif()
    exif[0x0112] = 6
    values = noise(10, 20, 4) | 1
    picture = read_image(encoded(Image.fromarray(values), "PNG", exif=exif))
    np.testing.assert_array_equal(np.dstack([picture.pixels, picture.alpha]), np.rot90(values, -1))


def test_16_bits_become_their_upper_8():
    values = np.random.default_rng(0).integers(0, 2**16, (9, 7, 4)).astype(np.uint16)
    values[..., 3] |= 0x100
    upper = (values >> 8).astype(np.uint8)
    for source in (
        encoded(Image.fromarray(values[..., 0]), "PNG"),
        encoded(Image.fromarray(values[..., 0]), "TIFF"),
        encoded(Image.fromarray(values[..., 0]), "TIFF", compression="tiff_lzw"),
    ):
        picture = read_image(source)
        assert picture.grey and picture.alpha is None
        np.testing.assert_array_equal(picture.pixels, upper[..., :1].repeat(3, -1))
        assert np.asarray(opened(encode_image(picture, picture.pixels))).tolist() == upper[..., 0].tolist()
    for colour_type, channels in ((2, [0, 1, 2]), (6, [0, 1, 2, 3]), (4, [0, 3])):
        picture = read_image(deep_png(values[..., channels], colour_type))
        assert picture.grey == (colour_type == 4)
        np.testing.assert_array_equal(picture.pixels, upper[..., [0, 0, 0] if colour_type == 4 else [0, 1, 2]])
        if 3 in channels:
            np.testing.assert_array_equal(picture.alpha, upper[..., 3])
        assert opened(encode_image(picture, picture.pixels)).mode == {2: "RGB", 6: "RGBA", 4: "LA"}[colour_type]


def test_16_bit_tiff_in_which_0_is_white():
    values = np.array([[0, 0x8000, 0xFFFF]], np.uint16)
    source = bytearray(encoded(Image.fromarray(values), "TIFF"))
    place = source.find(b"\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00")  # photometric interpretation, 1
    source[place + 8] = 0
    assert read_image(bytes(source)).pixels[0, :, 0].tolist() == [255, 127, 0]


def test_values_without_a_range_are_refused():
    for values in (noise(4, 4).astype(np.int32), noise(4, 4).astype(np.float32)):
        with pytest.raises(UnreadableImage, match="no fixed range: save it with 8 or 16 bits"):
            read_image(encoded(Image.fromarray(values), "TIFF"))


def test_palettes_with_and_without_transparency():
    colours = smooth().quantize(40)
    expected = np.asarray(colours.convert("RGB"))
    for form in ("PNG", "GIF", "BMP", "TIFF"):
        picture = read_image(encoded(colours, form))
        np.testing.assert_array_equal(picture.pixels, expected)
        written = opened(encode_image(picture, picture.pixels))
        assert (written.format, written.mode) == ("TIFF" if form == "TIFF" else "PNG", "RGB")
    picture = read_image(encoded(colours, "PNG", transparency=3))
    clear = np.asarray(colours) == 3
    np.testing.assert_array_equal(picture.alpha, np.where(clear, 0, 255))
    np.testing.assert_array_equal(picture.pixels[~clear], expected[~clear])
    bilevel = smooth().convert("1")
    picture = read_image(encoded(bilevel, "TIFF", compression="group4"))
    assert picture.grey and set(np.unique(picture.pixels)) == {0, 255}


def test_transparent_grey_of_16_bits():
    values = np.array([[0, 300, 301], [65535, 300, 7]], np.uint16)
    picture = read_image(encoded(Image.fromarray(values), "PNG", transparency=300))
    assert picture.alpha.tolist() == [[255, 0, 255], [255, 0, 255]]


def test_cmyk_becomes_rgb():
    cmyk = smooth().convert("CMYK")
    expected = np.asarray(cmyk.convert("RGB"), int)
    for form in ("JPEG", "TIFF"):
        picture = read_image(encoded(cmyk, form))
        assert np.abs(picture.pixels - expected).mean() < 4
        assert opened(encode_image(picture, picture.pixels)).mode == "RGB"


def wide_profile() -> bytes:
    """An RGB profile that swaps red and green: no viewer could take it for sRGB. sRGB's own tags, two exchanged."""
    content = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return content.replace(b"rXYZ", b"____").replace(b"gXYZ", b"rXYZ").replace(b"____", b"gXYZ")


def test_a_profile_is_applied_so_that_colours_stay_without_it():
    flat = Image.new("RGB", (16, 16), (200, 90, 30))
    for form, options in [("JPEG", {"quality": 95}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})]:
        picture = read_image(encoded(flat, form, icc_profile=wide_profile(), **options))
        assert np.abs(picture.pixels[8, 8].astype(int) - (90, 200, 30)).max() <= 3, form
        assert "icc_profile" not in opened(encode_image(picture, picture.pixels)).info
    transparent = Image.new("RGBA", (4, 4), (200, 90, 30, 9))
    picture = read_image(encoded(transparent, "PNG", icc_profile=wide_profile()))
    assert picture.alpha[0, 0] == 9 and np.abs(picture.pixels[0, 0].astype(int) - (90, 200, 30)).max() <= 3


def profile(space: bytes, tags: dict[bytes, bytes], device: bytes, connection: bytes) -> bytes:
    """An ICC profile (version 2) of these tags."""
    header = bytearray(128)
    header[8:12], header[12:16], header[16:20], header[20:24] = b"\x02\x10\0\0", device, space, connection
    header[36:40], header[68:80] = b"acsp", bytes.fromhex("0000f6d6000100000000d32d")  # D50
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header[:4] = struct.pack(">I", 128 + len(table) + len(body))
    return bytes(header) + table + body


WHITE = b"XYZ \0\0\0\0" + bytes.fromhex("0000f6d6000100000000d32d")


def test_grey_of_another_gamma_stays_as_bright():
    linear = b"curv\0\0\0\0" + struct.pack(">I", 0)
    icc = profile(b"GRAY", {b"wtpt": WHITE, b"kTRC": linear}, b"mntr", b"XYZ ")
    levels = np.array([[0, 55, 128, 255]], np.uint8)
    for form in ("PNG", "TIFF"):
        picture = read_image(encoded(Image.fromarray(levels), form, icc_profile=icc))
        assert picture.grey and (picture.pixels == picture.pixels[..., :1]).all()
        linear_light = levels / 255
        expected = np.where(linear_light > 0.0031308, 1.055 * linear_light ** (1 / 2.4) - 0.055, 12.92 * linear_light)
        assert np.abs(picture.pixels[..., 0] / 255 - expected).max() < 0.01


def test_cmyk_with_a_profile_has_the_profiles_colours():
    """A profile of a press whose black ink is white: 2 grid points an ink, lightness is the amount of black."""
    straight = bytes(range(256))
    grid = b"".join(bytes([255 if black else 0, 128, 128]) for _ in range(8) for black in (0, 1))
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + straight * 4 + grid + straight * 3
    icc = profile(b"CMYK", {b"wtpt": WHITE, b"A2B0": lut}, b"prtr", b"Lab ")
    inks = Image.merge("CMYK", [Image.new("L", (16, 16), level) for level in (10, 200, 30, 255)])
    for form, options in (("JPEG", {"quality": 95}), ("TIFF", {})):
        assert read_image(encoded(inks, form, **options)).pixels.max() < 10
        assert read_image(encoded(inks, form, icc_profile=icc, **options)).pixels.min() > 245


def test_srgb_damaged_and_foreign_profiles_leave_the_pixels_alone():
    values, srgb = noise(20, 20, 3), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, srgb[:300], b"no profile", wide_profile()[:-400]):
        np.testing.assert_array_equal(
            read_image(encoded(Image.fromarray(values), "PNG", icc_profile=profile)).pixels, values
        )
    grey = read_image(encoded(Image.fromarray(values[..., 0]), "PNG", icc_profile=wide_profile()))
    np.testing.assert_array_equal(grey.pixels[..., 0], values[..., 0])


def test_the_content_decides_not_the_name(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(smooth(), "JPEG"))
    picture = read_image(path)
    assert picture.format == "JPEG" and ".jpg" in SUFFIXES["JPEG"]
    write_image(tmp_path / "new" / "photo.jpg", picture, picture.pixels)
    assert image_format((tmp_path / "new" / "photo.jpg").read_bytes()[:16]) == "JPEG"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["photo.jpg"]


def test_formats_are_known_by_their_first_bytes():
    for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"):
        assert image_format(encoded(smooth(), form)[:16]) == form
    assert image_format(encoded(smooth(), "TIFF", big_tiff=True)[:16]) == "TIFF"
    assert image_format(b"") is None and image_format(b"RIFF\0\0\0\0AVI LIST") is None


def test_pixels_of_another_shape_are_refused():
    picture = read_image(encoded(smooth(), "PNG"))
    for wrong in (noise(48, 63, 3), noise(48, 64), noise(48, 64, 3).astype(float)):
        with pytest.raises(ValueError, match=r"pixels must be uint8 \(48, 64, 3\)"):
            encode_image(picture, wrong)
