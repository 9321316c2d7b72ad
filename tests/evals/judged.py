"""Photos with faces at known places, a stand-in for the recogniser, and results that keep or break promises."""

import numpy as np

from a3gan_jax.anonymizer import AnonymizedPhoto, FaceOutcome
from a3gan_jax.evals.onnx_recognizer import on_template
from a3gan_jax.faces.blending import blend
from a3gan_jax.faces.covering import cover
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.placement import place
from tests.faces.scenes import face, photo

FOUND = [face(90, 100, 130, 0.3), face(240, 120, 90)]


def grained(image: np.ndarray, seed: int, grain: int) -> np.ndarray:
    """With a grain of so many pixels, by which ``look`` tells one face from another."""
    height, width = image.shape[:2]
    noise = np.random.default_rng(seed).integers(-40, 41, (-(-height // grain), -(-width // grain), 3))
    return (image + noise.repeat(grain, 0).repeat(grain, 1)[:height, :width]).clip(0, 255).astype(np.uint8)


def street() -> np.ndarray:
    return grained(photo(220, 320, smooth=5), 0, 4)


def look(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The grain of a face, as a unit vector: enough to know a face again, and nothing is left of it under blocks."""
    fine = on_template(image, landmarks).reshape(28, 4, 28, 4, 3).mean((1, 3))
    coarse = fine.reshape(7, 4, 7, 4, 3).mean((1, 3))
    vector = (fine - coarse.repeat(4, 0).repeat(4, 1)).ravel()
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def told(detection: Detection, outcome: str = "anonymised", reason: str = "") -> FaceOutcome:
    return FaceOutcome(detection.box, detection.landmarks, detection.score, outcome, reason, 0, None, None, 0.0)


def replaced(image: np.ndarray, found: list[Detection] = FOUND, *, covered: tuple[int, ...] = ()) -> AnonymizedPhoto:
    """Every face becomes another picture, by the product's own masks; some are covered."""
    crops = [grained(photo(64, 64, seed=5 + number), number, 2) for number in range(len(found))]
    pairs = [(place(each), crop) for each, crop in zip(found, crops, strict=True)]
    result = blend(image, [pair for number, pair in enumerate(pairs) if number not in covered])
    for number in covered:
        cover(result, found[number].box)
    outcomes = (told(each, "covered", "too small") if n in covered else told(each) for n, each in enumerate(found))
    return AnonymizedPhoto(result, tuple(outcomes))
