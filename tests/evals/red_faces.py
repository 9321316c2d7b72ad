"""Frames with a face that is a reddish square of blocks: which blocks says who it is."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from a3gan_jax.evals.onnx_recognizer import on_template
from a3gan_jax.faces.detector import Detection

FRAMES, WIDTH, HEIGHT, SIDE = 14, 128, 96, 48
POINTS = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.75], [0.65, 0.75]]) * SIDE


def frame(number: int, who: int) -> np.ndarray:
    """(96, 128, 3) uint8: the face moves by two pixels a frame."""
    image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    blocks = np.random.default_rng(who).integers(0, 2, (8, 8)).repeat(SIDE // 8, 0).repeat(SIDE // 8, 1)
    left, top = 8 + 2 * number, 20 + number % 3
    image[top : top + SIDE, left : left + SIDE] = np.where(blocks[..., None], [240, 120, 120], [150, 20, 20])
    return image


def red_faces(image: np.ndarray) -> list[Detection]:
    rows, columns = np.nonzero(image[..., 0].astype(int) - image[..., 2] > 60)
    if len(rows) < 100:
        return []
    corner = np.array([columns.min(), rows.min()], float)
    return [Detection(np.array([*corner, SIDE, SIDE]), POINTS + corner, 0.9)]


def look(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Its pattern, coarsely, as a unit vector."""
    blocks = on_template(image, landmarks)[8:104, 8:104].reshape(12, 8, 12, 8, 3).mean((1, 3, 4))
    vector = (blocks - blocks.mean()).ravel()
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def write(path: Path, people: Sequence[int], size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """A video in which each frame shows one of the people."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, width=size[0], height=size[1])
        video.pix_fmt, video.options = "yuv444p", {"crf": "8", "preset": "ultrafast"}
        for number, who in enumerate(people):
            image = np.ascontiguousarray(frame(number, who)[: size[1], : size[0]])
            output.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(video.encode(None))
    return path
