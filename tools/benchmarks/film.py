"""Videos of faces that move, to measure on: photos that the camera pans over, or the astronaut on her way."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RATE = 25  # frames a second
HOLD = 2 * RATE  # frames for which a photo is shown
MARGIN = 1.1  # of the frame's sides that a photo covers, so that there is somewhere to pan to
LAP = 10 * RATE  # frames of the astronaut's way
ASTRONAUT = 0.8  # of the frame's height


def write_film(path: Path, seconds: float, photos: Path | None, size: tuple[int, int] = (640, 480)) -> int:
    """Writes an H.264 video without sound and returns the number of its frames.

    Args:
        photos: a folder; each of its photos is shown in turn, and then again from the first on. None: the astronaut.
        size: width and height.

    Raises:
        ValueError: the folder has no photo.
    """
    import av

    picture = _astronaut(size) if photos is None else _pans(photos, size)
    frames = max(1, round(seconds * RATE))
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=RATE, width=size[0], height=size[1])
        video.pix_fmt, video.options = "yuv420p", {"preset": "veryfast", "crf": "20"}
        for number in range(frames):
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        output.mux(video.encode(None))
    return frames


def count_frames(path: Path) -> int:
    """Frames of a video's first stream of pictures; all of it is read, none is decoded."""
    import av

    with av.open(str(path)) as container:
        return sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))


def _pans(folder: Path, size: tuple[int, int]) -> "Callable[[int], np.ndarray]":
    """Frame number -> photos that cover the frame and a little more, seen through a window on a slow circle."""
    import numpy as np
    from PIL import Image, ImageOps

    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    if not paths:
        raise ValueError(f"{folder} has no photo: name a folder of photos of faces")
    large = tuple(round(side * MARGIN) for side in size)

    @functools.lru_cache(maxsize=1)
    def photo(number: int) -> np.ndarray:
        with Image.open(paths[number]) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        return np.asarray(ImageOps.fit(upright, large, Image.Resampling.BICUBIC, centering=(0.5, 0.3)))

    def picture(number: int) -> np.ndarray:
        shown = photo(number // HOLD % len(paths))
        turn = 2 * np.pi * (number % HOLD) / HOLD
        left, top = (
            round((b - s) * (1 + wave) / 2)
            for b, s, wave in zip(large, size, (np.cos(turn), np.sin(turn)), strict=True)
        )
        return shown[top : top + size[1], left : left + size[0]]

    return picture


def _astronaut(size: tuple[int, int]) -> "Callable[[int], np.ndarray]":
    """Frame number -> scikit-image's astronaut (public domain), to and fro over a background of colours."""
    import numpy as np
    from PIL import Image
    from skimage.data import astronaut

    width, height = size
    side = round(ASTRONAUT * height)
    person = np.asarray(Image.fromarray(astronaut()).resize((side, side), Image.Resampling.LANCZOS))
    y, x = np.mgrid[:height, :width] / height
    background = np.stack([np.sin(7 * x + 3 * y), np.sin(5 * y - 4 * x), np.sin(9 * x * y)], axis=-1)
    background = np.round(120 + 60 * background).astype(np.uint8)

    def picture(number: int) -> np.ndarray:
        turn, image = 2 * np.pi * number / LAP, background.copy()
        left, top = round((width - side) * (1 + np.sin(turn)) / 2), round((height - side) * (1 + np.sin(2 * turn)) / 2)
        image[top : top + side, left : left + side] = person
        return image

    return picture
