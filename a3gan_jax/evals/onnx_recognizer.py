"""SFace as its publisher runs it: the ONNX file on onnxruntime. It shares no code with the product, which it judges.

What ``faces.identity`` does by our port to Flax, by its own least squares and resampling, is done here once more in
another way, so that a mistake there cannot excuse itself.
"""

import math

import numpy as np
from PIL import Image

from a3gan_jax.convert.recognizers import SFACE_FILE, SFACE_PACKAGE
from a3gan_jax.geometry import ARCFACE_LANDMARKS, ARCFACE_SIZE
from a3gan_jax.pretrained import read_onnx, wheel_file

MATCH = 0.363  # cosine from which on two faces are one person's: OpenCV's documentation of FaceRecognizerSF
SAMPLES = 16  # a side of a template's pixel at most, where a large face is shrunk


class OnnxSFace:
    """A face in its photo -> who it is: a unit embedding (128,) float32.

    Args:
        threads: of onnxruntime.

    Raises:
        ModuleNotFoundError: onnxruntime, or the package that brings the weights, is not installed.
    """

    def __init__(self, threads: int = 1):
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("recognising faces needs onnxruntime: pip install onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # warnings about unused initialisers say nothing to a user
        content = read_onnx(wheel_file(*SFACE_FILE, install=SFACE_PACKAGE)).SerializeToString()
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def __call__(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """``image`` (H, W, 3) uint8, RGB; ``landmarks`` (5, 2), as a detector gives them."""
        return self.embed(on_template(image, landmarks)[None])[0]

    def embed(self, templates: np.ndarray) -> np.ndarray:
        """Unit embeddings (N, 128) of faces on the ArcFace template (N, 112, 112, 3) uint8, RGB."""
        pixels = templates.astype(np.float32).transpose(0, 3, 1, 2)
        embeddings = np.concatenate([self._session.run(["fc1"], {"data": face[None]})[0] for face in pixels])
        return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def on_template(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """A face (112, 112, 3) uint8 on the ArcFace template, black beyond the photo's border.

    Bilinear, as OpenCV does it, with several samples a pixel where the face is shrunk.

    Raises:
        ValueError: the points are not finite, or all in one place.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all() or not np.ptp(points, axis=0).any():
        raise ValueError("a face needs five finite points (x, y) that differ")
    # A similarity is z -> a z + b in complex numbers; from the template to the photo, as resampling needs it.
    template, photo = (p[:, 0] + 1j * p[:, 1] for p in (ARCFACE_LANDMARKS, points))
    (a, b), *_ = np.linalg.lstsq(np.stack([photo, np.ones(5)], 1), template, rcond=None)
    a, b = 1 / a, -b / a
    samples = min(SAMPLES, max(1, math.ceil(abs(a))))
    # Pillow counts from the corner of the top left pixel, half a pixel from its centre.
    shift = b + (0.5 + 0.5j) - a * (0.5 + 0.5j)
    a /= samples
    matrix = a.real, -a.imag, shift.real, a.imag, a.real, shift.imag
    side = ARCFACE_SIZE * samples
    seen = Image.fromarray(image).transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(seen.reduce(samples) if samples > 1 else seen)
