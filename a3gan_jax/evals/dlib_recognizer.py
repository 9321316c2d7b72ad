"""dlib's face recogniser (King 2017, a ResNet of 29 layers): an attacker that nothing here is trained against."""

from collections.abc import Sequence

import numpy as np

from a3gan_jax.faces.detector import Detection
from a3gan_jax.pretrained import wheel_file

PACKAGE = "face_recognition_models==0.3.0"
NETWORK = (  # import name, file, sha256
    "face_recognition_models",
    "models/dlib_face_recognition_resnet_model_v1.dat",
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
POINTS = (
    "face_recognition_models",
    "models/shape_predictor_5_face_landmarks.dat",
    "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
)


class DlibAttacker:
    """dlib on boxes from a detector; its own five points align the face. 80 ms a face on a CPU core.

    Raises:
        ModuleNotFoundError: dlib, or the package that brings its weights, is not installed.
    """

    name = "dlib"
    threshold = -0.6  # negative distance, the documentation's own value

    def __init__(self):
        try:
            import dlib
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError('this recogniser needs dlib: pip install "a3gan-jax[eval]"') from error
        self._dlib = dlib
        self._network = dlib.face_recognition_model_v1(str(wheel_file(*NETWORK, install=PACKAGE)))
        self._points = dlib.shape_predictor(str(wheel_file(*POINTS, install=PACKAGE)))

    def embed(self, images: np.ndarray, faces: Sequence[Detection]) -> np.ndarray:
        """Embeddings (N, 128) float32, their length nearly 1, of images (N, S, S, 3) uint8."""
        return np.stack([self._embed(image, face) for image, face in zip(images, faces, strict=True)])

    def _embed(self, image: np.ndarray, face: Detection) -> np.ndarray:
        image = np.ascontiguousarray(image)
        left, top, width, height = (int(round(value)) for value in face.box)
        points = self._points(image, self._dlib.rectangle(left, top, left + width, top + height))
        return np.array(self._network.compute_face_descriptor(image, points), np.float32)

    @staticmethod
    def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Negative Euclidean distances (N, M)."""
        squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
        return -np.sqrt(np.maximum(squared, 0.0))
