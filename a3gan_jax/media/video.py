"""Reading videos with PyAV: upright frames with their timestamps, and the audio as it is coded."""

import contextlib
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
from av.filter import Graph

from a3gan_jax.media.containers import UnreadableVideo, container_of

#: Pixels of the largest frame that is decoded (16K): a file of a few bytes can ask for more memory than there is.
MAX_PIXELS = 2**27

# FFmpeg's filters for the display matrix ((a, b), (c, d)): x' = a x + c y, y' = b x + d y.
_UPRIGHT: dict[tuple[int, int, int, int], tuple[tuple[str, str | None], ...]] = {
    (1, 0, 0, 1): (),
    (-1, 0, 0, 1): (("hflip", None),),
    (1, 0, 0, -1): (("vflip", None),),
    (-1, 0, 0, -1): (("hflip", None), ("vflip", None)),
    (0, 1, -1, 0): (("transpose", "clock"),),
    (0, -1, 1, 0): (("transpose", "cclock"),),
    (0, 1, 1, 0): (("transpose", "cclock_flip"),),
    (0, -1, -1, 0): (("transpose", "clock_flip"),),
}
# Formats that encoders take and that can be turned by 90 degrees; what is none of them becomes yuv420p.
_KEPT_FORMATS = ("yuv420p", "yuvj420p", "yuv444p", "yuvj444p")


class VideoReader:
    """A video, read once from start to end: iterating gives upright frames and audio packets in the file's order.

    A frame is an ``av.VideoFrame`` in one of four planar formats of 8 bits, with ``pts`` set and in units of
    ``time_base``; a packet is an ``av.Packet`` whose ``stream`` is one of ``audio``.

    rate: average frames a second, None if unknown.  total: frames as the file says, None if it does not.
    warnings: one line for each thing of the file that is not read.

    Raises (here and while iterating):
        OSError: the file cannot be read.
        UnreadableVideo: not a video, cut short, damaged, or without a single frame. A damaged frame ends the reading:
            what a decoder guesses in its place is not what a detector should be asked about.
    """

    def __init__(self, path: Path, *, audio: bool = True):
        self.path, self.container = path, container_of(path)
        with self._explained(), contextlib.ExitStack() as stack:
            limits = {"max_pixels": str(MAX_PIXELS)}
            self._input = stack.enter_context(
                av.open(str(path), format=self.container, options=limits, metadata_errors="replace")
            )
            pictures = [s for s in self._input.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
            if not pictures or pictures[0].codec_context is None:
                raise UnreadableVideo(f"{path.name}: holds no video that can be decoded")
            self._video = pictures[0]
            self._video.thread_type = "AUTO"
            self._video.codec_context.options = limits | {"err_detect": "explode"}
            self.audio = tuple(self._input.streams.audio) if audio else ()
            if any(stream.codec_context is None for stream in self.audio):
                raise UnreadableVideo(f"{path.name}: its sound is of an unknown kind, leave the audio out")
            stack.pop_all()
        self.rate: Fraction | None = self._video.average_rate
        self.time_base: Fraction = self._video.time_base
        self.total = self._count()
        self.warnings = [f"{len(pictures) - 1} more video streams are left out"] if len(pictures) > 1 else []
        self._turn: Callable[[av.VideoFrame], av.VideoFrame] | None = None
        self._turned = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._input.close()

    @property
    def sample_aspect_ratio(self) -> Fraction | None:
        """Width by height of an upright frame's pixels; known once the first frame was read."""
        ratio = self._video.sample_aspect_ratio
        return 1 / ratio if ratio and self._turned else ratio

    def __iter__(self) -> Iterator[av.VideoFrame | av.Packet]:
        number, first, last, step, size = 0, None, None, self._step(), None
        for item in self._decoded():
            if isinstance(item, av.Packet):
                yield item
                continue
            if item.is_corrupt:
                raise UnreadableVideo(f"{self.path.name}: frame {number} is damaged")
            if size not in (None, (item.width, item.height)):
                raise UnreadableVideo(f"{self.path.name}: the size of its frames changes at frame {number}")
            size = item.width, item.height
            with self._explained():
                frame = self._upright(item)
            if frame.pts is None:
                frame.pts = 0 if last is None else last + step
            if self.container == "avi":  # counts frames, and FFmpeg begins with 1 or 2 where H.264 is in it
                first = frame.pts if first is None else first
                frame.pts -= first
            if last is not None and frame.pts <= last:
                raise UnreadableVideo(f"{self.path.name}: time goes backwards at frame {number}")
            last, step = frame.pts, frame.duration or step
            number += 1
            yield frame
        if number == 0:
            raise UnreadableVideo(f"{self.path.name}: holds no frame")

    def _decoded(self) -> Iterator[av.VideoFrame | av.Packet]:
        packets = self._input.demux(self._video, *self.audio)
        while True:
            with self._explained():
                packet = next(packets, None)
                if packet is None:
                    return
                if packet.is_corrupt:
                    raise UnreadableVideo(f"{self.path.name}: damaged or cut short at byte {packet.pos}")
                frames = self._video.decode(packet) if packet.stream is self._video else []
            if packet.stream is self._video:
                yield from frames
            elif packet.dts is not None:  # the last one of a stream is empty
                yield packet

    def _upright(self, frame: av.VideoFrame) -> av.VideoFrame:
        if frame.format.name not in _KEPT_FORMATS:
            frame = frame.reformat(format="yuv420p")
        if self._turn is None:
            filters = _UPRIGHT[_orientation(frame)]
            self._turned = filters[:1] != () and filters[0][0] == "transpose"
            self._turn = _filtered(frame, self.time_base, filters) if filters else lambda same: same
        return self._turn(frame)

    def _count(self) -> int | None:
        if self._video.frames:
            return self._video.frames
        length = self._input.duration  # in microseconds
        return round(length / av.time_base * self.rate) if length and self.rate else None

    def _step(self) -> int:
        return max(1, round(1 / (self.rate * self.time_base))) if self.rate else 1

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:  # the file itself could be read: ``container_of`` did
            raise UnreadableVideo(f"{self.path.name}: damaged ({error.strerror})") from error


def _orientation(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """The nearest of the eight turns and flips by which a frame's pixels come to stand upright."""
    for side in frame.side_data:
        if side.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = struct.unpack("=9i", bytes(side))[:5]
            straight = abs(a) + abs(d) >= abs(b) + abs(c)
            sign = lambda value: 1 if value >= 0 else -1  # noqa: E731
            return (sign(a), 0, 0, sign(d)) if straight else (0, sign(b), sign(c), 0)
    return 1, 0, 0, 1


def _filtered(
    first: av.VideoFrame, time_base: Fraction, filters: tuple[tuple[str, str | None], ...]
) -> Callable[[av.VideoFrame], av.VideoFrame]:
    """A function that sends frames like ``first`` through FFmpeg's filters, each of which gives one for one."""
    graph = Graph()
    source = graph.add_buffer(width=first.width, height=first.height, format=first.format, time_base=time_base)
    graph.link_nodes(source, *(graph.add(*each) for each in filters), graph.add("buffersink")).configure()

    def turn(frame: av.VideoFrame) -> av.VideoFrame:
        graph.vpush(frame)
        return graph.vpull()

    return turn
