"""Films made here, of every kind that is read, and what is in them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from a3gan_jax.media.video import VideoReader
from a3gan_jax.media.video_writer import VideoWriter

FRAMES, WIDTH, HEIGHT = 24, 96, 64
TIMES = np.arange(FRAMES)
UNEVEN = np.cumsum([0] + [1, 1, 3, 2, 1, 5, 1, 1, 4, 2, 1, 1] * 2)[:FRAMES]
#: Suffix, codec of the picture and of the sound, as other programs write them.
KINDS = [
    (".mp4", "libx264", "aac"),
    (".mov", "mpeg4", "pcm_s16le"),
    (".mkv", "libx264", "libopus"),
    (".webm", "libvpx", "libopus"),
    (".avi", "mpeg4", "pcm_s16le"),
]


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Three fields of colour, no two of its turns and flips alike, and a bar that moves."""
    image = np.full((height, width, 3), 40, np.uint8)
    image[: height // 2, : width // 2] = [220, 40, 40]
    image[height // 2 :, : width // 2] = [40, 60, 220]
    image[: height // 4, -width // 4 :] = [40, 220, 60]
    image[:, 2 * number % width] = 255
    return image


def film(
    path: Path,
    codec: str = "libx264",
    sound: str | None = None,
    *,
    times: Sequence[int] = TIMES,
    rotation: tuple[float, bool, bool] | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    pix_fmt: str = "yuv420p",
    full_range: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """A video with frames at ``times`` of 1/25 s and tags that give a place away."""
    with av.open(str(path), "w", container_options=options or {}) as output:
        video = output.add_stream(codec, rate=25, width=size[0], height=size[1])
        video.pix_fmt, video.codec_context.time_base = pix_fmt, Fraction(1, 25)
        if codec == "libx264":
            video.options = {"crf": "4"}
        else:
            video.codec_context.bit_rate = 3_000_000
        if full_range:
            video.codec_context.color_range = 2
        if rotation:
            video.set_display_rotation(*rotation)
        audio = output.add_stream(sound, rate=48000) if sound else None
        output.metadata.update(title="tell-tale title", comment="tell-tale comment", location="+48.8577+002.2950/")
        video.metadata["title"] = "tell-tale stream"
        output.set_chapters([dict(id=1, start=0, end=10, time_base=Fraction(1, 25), metadata={"title": "tell-tale"})])
        rng = np.random.default_rng(0)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            frame = frame.reformat(format=pix_fmt, dst_color_range=2 if full_range else None)
            frame.pts, frame.time_base = int(time), Fraction(1, 25)
            output.mux(video.encode(frame))
            if audio:
                noise = rng.normal(0, 3000, (1, 2 * 1920)).astype(np.int16)
                samples = av.AudioFrame.from_ndarray(noise, format="s16", layout="stereo")
                samples.sample_rate, samples.pts = 48000, 1920 * number
                output.mux(audio.encode(samples))
        for stream in output.streams:
            output.mux(stream.encode(None))
    return path


def copy(source: Path, target: Path, *, audio: bool = True) -> VideoReader:
    with VideoReader(source, audio=audio) as reader, VideoWriter(target, reader) as writer:
        for item in reader:
            writer.write(item)
    return reader


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def sound_of(path: Path) -> list[tuple[bytes, float]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [(bytes(p), float(p.pts * p.time_base)) for p in container.demux(stream) if p.size]
