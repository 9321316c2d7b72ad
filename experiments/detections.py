"""Faces that somebody else found, and those that we found, as a JSON file."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from a3gan_jax.faces.detector import Detection

FORM = (
    'a JSON object from file names to lists of faces {"box": [left, top, width, height], "landmarks": five [x, y] or '
    'null, "score": 0..1}, in pixels of the upright picture; landmarks and score may be left out'
)


def read_detections(path: Path) -> dict[str, list[Detection]]:
    """File name -> its faces.

    Raises:
        ValueError: another form than FORM, naming the file and face.
        OSError: the file cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no JSON ({error}); write {FORM}") from error
    if not isinstance(content, dict) or not all(isinstance(faces, list) for faces in content.values()):
        raise ValueError(f"{path} has another form; write {FORM}")
    found = {}
    for name, faces in content.items():
        for number, face in enumerate(faces):
            try:
                found.setdefault(name, []).append(_detection(face))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ValueError(f"{path}: face {number} of {name} has another form; write {FORM}") from error
        found.setdefault(name, [])
    return found


def _detection(face: Mapping[str, Any]) -> Detection:
    box, score = np.array(face["box"], np.float64), float(face.get("score", 1.0))
    points = face.get("landmarks")
    landmarks = None if points is None else np.array(points, np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= 0).any() or not 0 <= score <= 1:
        raise ValueError("box or score")
    if landmarks is not None and (landmarks.shape != (5, 2) or not np.isfinite(landmarks).all()):
        raise ValueError("landmarks")
    return Detection(box, landmarks, score)


def written_detections(found: Mapping[str, Sequence[Detection]]) -> bytes:
    """The file that ``read_detections`` reads."""
    faces = {
        name: [
            {
                "box": np.asarray(face.box, float).tolist(),
                "landmarks": None if face.landmarks is None else np.asarray(face.landmarks, float).tolist(),
                "score": float(face.score),
            }
            for face in detections
        ]
        for name, detections in found.items()
    }
    return (json.dumps(faces, indent=1) + "\n").encode()


def detect(
    detector: Callable[[np.ndarray], list[Detection]], image: np.ndarray, max_resolution: int | None
) -> list[Detection]:
    """The faces of a photo (H, W, 3) uint8, searched with its longer side shrunk to ``max_resolution`` pixels."""
    height, width = image.shape[:2]
    if max_resolution is None or max(height, width) <= max_resolution:
        return detector(image)
    scale = max_resolution / max(height, width)
    small = Image.fromarray(image).resize(
        (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX
    )
    factor = np.array([width / small.width, height / small.height])
    return [
        Detection(
            face.box * np.tile(factor, 2), None if face.landmarks is None else face.landmarks * factor, face.score
        )
        for face in detector(np.asarray(small))
    ]
