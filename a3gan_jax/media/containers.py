"""Which video container a file is, told from its bytes, and whether all of it is there."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: Suffixes of the videos that are read and written, each with FFmpeg's name of its writer.
WRITERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi"}

_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp")
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


class UnreadableVideo(ValueError):
    """A file that is no video of a known container, is cut short, or is damaged. The message is one line."""


def container_of(path: Path) -> str:
    """FFmpeg's name of the reader for a file: ``mov`` (mp4 too), ``matroska`` (webm too) or ``avi``.

    The suffix does not count, and FFmpeg is not asked to guess: some of what it knows (playlists) reads other files
    or the network.

    Raises:
        OSError: the file cannot be read.
        UnreadableVideo: none of the three, or the outermost parts say that they are longer than the file is.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        file.seek(0)
        if start[4:8] in _ISO_BOXES:
            name, ends = "mov", _iso_ends(file, size)
        elif start.startswith(_EBML):
            name, ends = "matroska", _ebml_ends(file)
        elif start.startswith(b"RIFF") and start[8:] == b"AVI ":
            name, ends = "avi", _riff_ends(file)
        else:
            raise UnreadableVideo(f"{path.name}: not a video that can be read (mp4, mov, mkv, webm, avi)")
        missing = max(ends, default=0) - size
    if missing > 0:
        raise UnreadableVideo(f"{path.name}: cut short, {missing} bytes are missing at its end")
    return name


def _iso_ends(file: BinaryIO, size: int) -> Iterator[int]:
    """Where the boxes of an ISO base media file (ISO 14496-12, 4.2) end."""
    offset = 0
    while offset < size:
        file.seek(offset)
        header = file.read(16)
        length = int.from_bytes(header[:4])
        if length == 0:  # up to the end, however far that is
            return
        if length == 1:
            length = int.from_bytes(header[8:])
        offset += max(length, 8)  # a shorter one is not valid, and would never get us on
        yield offset


def _ebml_ends(file: BinaryIO) -> Iterator[int]:
    """Where the two outermost elements of a Matroska file (RFC 8794, 4 to 6) end; nothing for one of unknown size."""
    offset = 0
    for identity in (_EBML, _SEGMENT):
        file.seek(offset)
        header = file.read(12)
        if len(header) < 5 or not header.startswith(identity) or header[4] == 0:
            yield offset + 12  # no header where one must be
            return
        width = 9 - header[4].bit_length()  # bytes of the length, told by the first one's leading zeros
        length = int.from_bytes(header[4 : 4 + width]) & ((1 << 7 * width) - 1)
        if length == (1 << 7 * width) - 1:  # unknown: written as a stream
            return
        offset += 4 + width + length
        yield offset


def _riff_ends(file: BinaryIO) -> Iterator[int]:
    """Where the chunks of an AVI end: one, or several of at most a gigabyte each (OpenDML)."""
    offset = 0
    while (header := file.read(8))[:4] == b"RIFF" and len(header) == 8:
        length = int.from_bytes(header[4:], "little")
        if length == 0:  # never filled in
            return
        offset += 8 + length
        yield offset
        file.seek(offset + offset % 2, os.SEEK_SET)
