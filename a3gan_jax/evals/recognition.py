"""Recognisers as attackers: who is on an aligned crop, asked in the same way of every one of them."""

from collections.abc import Sequence
from typing import Any, Protocol

import jax
import numpy as np

from a3gan_jax.compilation import network_jit
from a3gan_jax.convert.recognizers import load_recognizer
from a3gan_jax.faces.alignment import align
from a3gan_jax.faces.detector import Detection, YuNet
from a3gan_jax.geometry import celeba_to_crop, crop_landmarks
from a3gan_jax.models.recognizers import Recognizer

#: Where YuNet sees the face in an aligned CelebA photo: left, top, right, bottom, in its pixels (our own measurement).
CELEBA_BOX = np.array([[52, 78], [126, 176]])


CERTAIN = 9.0  # above every cosine and every negative distance


class Attacker(Protocol):
    """What an evaluation asks of a recogniser."""

    name: str
    threshold: float  # of the similarity, published

    def embed(self, images: np.ndarray, faces: Sequence[Detection]) -> np.ndarray:
        """Embeddings (N, D) float32 of one face in each of the images (N, S, S, 3) uint8, RGB."""

    def similarity(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Embeddings (N, D) and (M, D) -> (N, M): a cosine or a negative distance."""


def similarities(attacker: Attacker, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """As ``attacker.similarity`` of embeddings (N, D) and (M, D), in float64: (N, M).

    Where a[i] is nan, a face that could not be embedded, it is taken for everybody: a failure is no protection. Where
    b[j] is, it is found by nobody else.
    """
    values = np.array(attacker.similarity(a, b), np.float64)
    values[:, np.isnan(b).any(1)] = -CERTAIN
    values[np.isnan(a).any(1)] = CERTAIN
    return values


def locate(detector: YuNet, crop: np.ndarray) -> tuple[Detection, bool]:
    """The face in an aligned crop (S, S, 3) uint8, and whether the detector found it.

    Where it did not, the face is where alignment has put it: a face that is only not found must not pass for one that
    nobody recognises.
    """
    detections = detector(crop)
    if detections:
        return detections[0], True
    size = crop.shape[0]
    start, end = celeba_to_crop(CELEBA_BOX, size)
    return Detection(np.concatenate([start, end - start]), crop_landmarks(size), 0.0), False


def embed_all(
    detector: YuNet, attackers: Sequence[Attacker], crops: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What every attacker sees on aligned crops (N, S, S, 3) uint8, each detected once.

    Returns whether a face was found (N,) bool, and the embeddings (N, D) by the attackers' names.
    """
    faces, found = zip(*(locate(detector, crop) for crop in crops), strict=True)
    return np.array(found), {attacker.name: attacker.embed(crops, faces) for attacker in attackers}


class TemplateAttacker:
    """A recogniser of ``models.recognizers`` on faces that are aligned to the ArcFace template by their five points."""

    def __init__(self, name: str, batch_size: int = 16):
        """``name``: see ``load_recognizer``; ValueError where the recogniser has no published threshold."""
        recognizer, variables = load_recognizer(name)
        if recognizer.threshold is None:
            raise ValueError(f"{name} has no published threshold to report matches at; choose sface")
        self.name, self.threshold = name, recognizer.threshold
        self._variables, self._batch_size = jax.device_put(variables), batch_size
        self._embed = network_jit(_embed_bytes, static_argnums=0)
        self._recognizer = recognizer

    def embed(self, images: np.ndarray, faces: Sequence[Detection]) -> np.ndarray:
        aligned = np.stack([align(image, face.landmarks) for image, face in zip(images, faces, strict=True)])
        parts = []
        for start in range(0, len(aligned), self._batch_size):
            batch = aligned[np.arange(start, start + self._batch_size) % len(aligned)]  # one compiled shape
            parts.append(jax.device_get(self._embed(self._recognizer, self._variables, batch)))
        return np.concatenate(parts)[: len(aligned)]

    @staticmethod
    def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a @ b.T


def _embed_bytes(recognizer: Recognizer, variables: Any, images: jax.Array) -> jax.Array:
    return recognizer.embed(variables, images.astype(np.float32) / 127.5 - 1.0)
