"""Which image format a file is of, by its first bytes, and what each is written as."""

#: Formats that are read -> how each is written, without loss but for JPEG.
WRITTEN_AS = {"JPEG": "JPEG", "PNG": "PNG", "WEBP": "WEBP", "TIFF": "TIFF", "BMP": "PNG", "GIF": "PNG"}

#: Formats that are written -> the endings of their names, the usual one first.
SUFFIXES = {"JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "PNG": (".png",), "WEBP": (".webp",), "TIFF": (".tif", ".tiff")}

HEAD = 32  # bytes of a file that are enough here

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
)
_FOREIGN = (  # what people try: (place, bytes, name)
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
)


def image_format(head: bytes) -> str | None:
    """The format (a key of WRITTEN_AS) that the first HEAD bytes of a file promise; None if it is none of them."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def foreign_format(head: bytes) -> str | None:
    """The name of another format of pictures that the first HEAD bytes of a file promise, if we know it."""
    return next((name for place, magic, name in _FOREIGN if head[place : place + len(magic)] == magic), None)


def unsupported(head: bytes) -> str:
    """What is wrong with a file of none of our formats, and what to do: one line."""
    if not head:
        return "empty, 0 bytes: fetch it again"
    if name := foreign_format(head):
        return f"{name} is not supported: save it as JPEG or PNG"
    return "no image format that is supported: use JPEG, PNG, WebP, TIFF, BMP or GIF"
