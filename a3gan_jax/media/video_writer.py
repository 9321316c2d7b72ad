"""Writing videos with PyAV: H.264 or VP9 pictures with the timestamps they came with, and audio copied unchanged.

What is written holds a picture and sound and no more: no tags, places, chapters, covers, subtitles, data streams or
messages inside the coded picture are taken over.
"""

from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np

from a3gan_jax.media.containers import WRITERS, UnreadableVideo
from a3gan_jax.media.video import VideoReader

#: Constant rate factors where none is given (our own choice: losses are hard to see).
QUALITY = {"libx264": 18, "libvpx-vp9": 28}
_OPTIONS = {
    "libx264": {"preset": "veryfast", "a53cc": "0", "udu_sei": "0"},  # neither captions nor messages
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "b": "0"},
}


class VideoWriter:
    """Writes frames and packets of a ``VideoReader`` as a new video, which appears under its name when it is whole.

    H.264 in mp4, mov, mkv and avi, VP9 in webm. Used as a context: where the block ends with an error nothing is left.

    Args:
        path: its suffix is one of ``containers.WRITERS``.
        like: gives the frame rate, the time base and the audio streams; its packets can be copied as they are.
        quality: constant rate factor: 0 (best) to 51 for H.264, to 63 for VP9.

    Raises:
        ValueError: unknown suffix, a quality out of range, or the container cannot hold this audio or these timestamps.
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, like: VideoReader, *, quality: int | None = None):
        if path.suffix.lower() not in WRITERS:
            raise ValueError(f"{path.name}: videos are written as {', '.join(WRITERS)}")
        muxer = WRITERS[path.suffix.lower()]
        if muxer == "avi" and like.container != "avi":
            raise ValueError(f"{path.name}: AVI keeps no timestamps, choose .mkv or .mp4")
        self.path, self._like, self._muxer = path, like, muxer
        self._codec = "libvpx-vp9" if path.suffix.lower() == ".webm" else "libx264"
        self._quality = QUALITY[self._codec] if quality is None else quality
        worst = 51 if self._codec == "libx264" else 63
        if not 0 <= self._quality <= worst:
            raise ValueError(f"{path.name}: quality {quality} is not in 0 (best) to {worst}")
        self._partial = path.with_name(f".{path.name}.part")
        self._video: av.VideoStream | None = None
        self._audio: dict[int, av.AudioStream] = {}  # by the index of the stream they are copied from
        self._durations: dict[int, int] = {}  # of the frames inside the encoder, by pts
        self._waiting: list[av.Packet] = []  # audio before the first frame

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        options = {"movflags": "faststart"} if self._muxer in ("mp4", "mov") else {}
        self._output = av.open(str(self._partial), "w", format=self._muxer, container_options=options)
        self._output.flags |= av.container.Flags.bitexact.value  # no time, no random numbers, no version
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            try:
                if kind is None:
                    self._finish()
            finally:
                self._output.close()
            if kind is None:
                self._partial.replace(self.path)
        finally:
            self._partial.unlink(missing_ok=True)

    def write(self, item: av.VideoFrame | av.Packet) -> None:
        """Adds the next frame or audio packet. Frames are of one size, each later than the last.

        Raises:
            UnreadableVideo: the packets of the source do not follow one another in time.
        """
        try:
            if isinstance(item, av.VideoFrame):
                self._write_frame(item)
            elif self._video is None:
                self._waiting.append(item)
            else:
                self._copy(item)
        except av.error.ArgumentError as error:
            raise UnreadableVideo(f"{self._like.path.name}: damaged, its sound or its times make no sense") from error

    def _write_frame(self, frame: av.VideoFrame) -> None:
        if self._video is None:
            self._start(frame)
        frame = frame.reformat(format=self._video.pix_fmt, dst_color_range=frame.color_range or None)
        frame.pict_type = 0  # the encoder chooses, not the source
        if frame.duration:
            self._durations[frame.pts] = frame.duration
        self._mux(self._video.encode(frame))

    def _start(self, frame: av.VideoFrame) -> None:
        """Opens the streams; what they are like is only known with the first frame."""
        rate = self._like.rate or Fraction(25)
        video = self._output.add_stream(self._codec, rate=rate, width=frame.width, height=frame.height)
        video.options = _OPTIONS[self._codec] | {"crf": str(self._quality)}
        video.pix_fmt = _writable(frame, self._codec)
        video.time_base = video.codec_context.time_base = self._like.time_base
        for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
            setattr(video.codec_context, name, getattr(frame, name))
        if ratio := self._like.sample_aspect_ratio:
            video.codec_context.sample_aspect_ratio = ratio
        if self._muxer == "avi":
            video.codec_context.max_b_frames = 0  # AVI has one time a frame
        for stream in self._like.audio:
            try:
                copied = self._audio[stream.index] = self._output.add_stream_from_template(stream)
            except ValueError as error:
                reason = f"{self.path.suffix} cannot hold its audio as it is ({stream.codec_context.name})"
                raise ValueError(f"{self.path.name}: {reason}: choose .mkv, or leave the audio out") from error
            if stream.codec_context.name == "vorbis":
                copied.codec_context.extradata = _without_comments(
                    stream.codec_context.extradata or b"", self._like.path.name
                )
        self._video = video
        for packet in self._waiting:
            self._copy(packet)
        self._waiting.clear()

    def _copy(self, packet: av.Packet) -> None:
        packet.stream = self._audio[packet.stream.index]
        self._output.mux(packet)

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._output.mux(packet)

    def _finish(self) -> None:
        if self._video is None:
            raise ValueError(f"{self.path.name}: a video needs a frame")
        self._mux(self._video.encode(None))


def _writable(frame: av.VideoFrame, codec: str) -> str:
    """The frame's format where the encoder takes it. H.264 in 4:2:0 has no odd sides, 4:4:4 has."""
    name = frame.format.name if codec == "libx264" else frame.format.name.replace("yuvj", "yuv")
    odd = codec == "libx264" and (frame.width % 2 or frame.height % 2)
    return name.replace("420p", "444p") if odd else name


def _without_comments(headers: bytes, name: str) -> bytes:
    """Vorbis's three headers, as Matroska keeps them in one (Xiph lacing), the second of them without its tags."""
    sizes, place = [], 1
    for _ in range(2):
        size = 0
        while headers[place : place + 1] == b"\xff":
            size, place = size + 255, place + 1
        sizes.append(size + (headers[place] if place < len(headers) else 0))
        place += 1
    first, third = headers[place : place + sizes[0]], headers[place + sum(sizes) :]
    if headers[:1] != b"\x02" or not (first.startswith(b"\x01vorbis") and third.startswith(b"\x05vorbis")):
        raise UnreadableVideo(f"{name}: damaged, its sound has no headers of Vorbis: leave the audio out")
    empty = b"\x03vorbis" + bytes(8) + b"\x01"  # no vendor, no tags
    lacing = b"\xff" * (len(first) // 255) + bytes([len(first) % 255, len(empty)])
    return b"\x02" + lacing + first + empty + third


def pixels(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> np.ndarray:
    """A frame as RGB (H, W, 3) uint8, averaged down to ``size`` (width, height) on the way."""
    if size is None:
        return frame.reformat(format="rgb24").to_ndarray()
    return frame.reformat(width=size[0], height=size[1], format="rgb24", interpolation="AREA").to_ndarray()


def with_pixels(frame: av.VideoFrame, image: np.ndarray) -> av.VideoFrame:
    """A frame in the format and with the times of ``frame`` that shows an RGB image (H, W, 3) uint8 of its size."""
    shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    shown.colorspace = frame.colorspace
    shown = shown.reformat(format=frame.format.name, dst_color_range=frame.color_range or None)
    for name in ("colorspace", "color_range", "color_primaries", "color_trc", "pts", "time_base", "duration"):
        setattr(shown, name, getattr(frame, name))
    return shown
