"""Who is in a photo: a recogniser on faces in their photos, and the people that a user names by photos of them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from a3gan_jax.compilation import network_jit
from a3gan_jax.convert.recognizers import load_recognizer
from a3gan_jax.faces.alignment import resample, similarity
from a3gan_jax.faces.batching import batches
from a3gan_jax.faces.detector import Detection
from a3gan_jax.geometry import ARCFACE_LANDMARKS, ARCFACE_SIZE
from a3gan_jax.models.recognizers import Recognizer

#: Faces on the ArcFace template (N, 112, 112, 3) uint8 -> unit embeddings (N, D) float32.
Embed = Callable[[np.ndarray], np.ndarray]

#: Faces in a recogniser's batch: on a CPU SFace, whose arrays are large, takes no longer for two batches of four than
#: for one of eight, and often there are few faces.
BATCH = 4

# Cosines of SFace; its publisher calls two faces one person's from 0.363 on. Our own choices on the safe side of that:
DIFFERENT = 0.30  # below it a pseudonym passes for another person than its original
CERTAIN = 0.50  # from here on a face is surely that of a reference, and may be spared
STRANGER = 0.15  # below it a face surely is not


class TemplateEmbedder:
    """A recogniser of ``models.recognizers`` as an ``Embed``."""

    def __init__(self, name: str = "sface"):
        self._recognizer, variables = load_recognizer(name)
        self._variables = jax.device_put(variables)
        self._embed = network_jit(_embed, static_argnums=0)

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        parts = [self._embed(self._recognizer, self._variables, faces[rows]) for _, rows in batches(len(faces), BATCH)]
        return np.concatenate(parts)[: len(faces)] if parts else np.empty((0, 0), np.float32)


def _embed(recognizer: Recognizer, variables: Any, faces: jax.Array) -> jax.Array:
    return recognizer.embed(variables, faces.astype(np.float32) / 127.5 - 1.0)


def on_template(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """A face (112, 112, 3) uint8 for a recogniser, from a photo (H, W, 3) and its five points (5, 2) in it.

    Unlike ``alignment.align`` a large face is shrunk without aliasing: the best look at it that its photo gives.
    """
    return resample(image, similarity(landmarks, ARCFACE_LANDMARKS), ARCFACE_SIZE, ARCFACE_SIZE)


def references(
    people: Sequence[np.ndarray], detector: Callable[[np.ndarray], list[Detection]], embed: Embed
) -> np.ndarray:
    """Unit embeddings (M, D) of people, each given by a photo (H, W, 3) uint8 or by an embedding (D,).

    Of a photo's faces the largest one counts.

    Raises:
        ValueError: no person; neither a photo nor an embedding, or one of no or no finite length; a photo in which no
            face is found.
    """
    if not len(people):
        raise ValueError("a list of people is empty: leave it out, or give a photo of somebody")
    embeddings = []
    for number, person in enumerate(people):
        person = np.asarray(person)
        if person.ndim == 1 and np.issubdtype(person.dtype, np.floating):
            if not 0 < (length := np.linalg.norm(person)) < np.inf:
                raise ValueError(f"reference {number} is no direction: its length is {length:g}")
            embeddings.append(person / length)
        elif person.ndim == 3 and person.dtype == np.uint8:
            found = detector(person)
            if not found:
                raise ValueError(f"no face is found in reference photo {number}: give one that shows the face well")
            largest = max(found, key=lambda face: face.box[2] * face.box[3])
            embeddings.append(embed(on_template(person, largest.landmarks)[None])[0])
        else:
            raise ValueError(f"reference {number} is neither a photo (H, W, 3) uint8 nor an embedding (D,) of floats")
    return np.stack(embeddings)
