"""``Anonymizer``: a trained model, ready for use on photos and on aligned faces, as numpy arrays."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from a3gan_jax import attributes as attribute_words
from a3gan_jax import inference
from a3gan_jax.attributes import Control
from a3gan_jax.checkpoint import SavedModel, load_model
from a3gan_jax.data.pipeline import aligned_face
from a3gan_jax.faces import replacement
from a3gan_jax.faces.batching import batches
from a3gan_jax.faces.detector import Detection, YuNet
from a3gan_jax.faces.identity import Embed, TemplateEmbedder, references
from a3gan_jax.faces.replacement import MIN_FACE, Face, Outcome
from a3gan_jax.networks import Networks

Detector = Callable[[np.ndarray], list[Detection]]
DETECTOR_SCORE = 0.6  # of the detector that is used by default: what it finds below is seldom a face


@dataclasses.dataclass(frozen=True, eq=False)
class Anonymized:
    """N anonymised faces.

    images: (N, S, S, 3) uint8, at the model's size.
    before: (N, K) uint8 in {0, 1}, the attributes that the originals were taken to show.
    after: (N, K) uint8 in {0, 1}, those that the pseudonyms shall show.
    names: of the K attributes.
    """

    images: np.ndarray
    before: np.ndarray
    after: np.ndarray
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class FaceOutcome:
    """What became of a face.

    box, landmarks, score: as detected (``faces.detector.Detection``).
    outcome: "anonymised", "covered" (pixelated beyond recognition) or "spared" (left as it was).
    reason: why it was covered or spared; empty otherwise.
    seed: of its pseudonym; None where it has none.
    before, after: attributes (name -> 0 or 1) it was taken to show and its pseudonym shall show; likewise.
    cosine: of the recogniser between the original and the pseudonym; None where it was not asked.
    """

    box: np.ndarray
    landmarks: np.ndarray | None
    score: float
    outcome: Outcome
    reason: str
    seed: int | None
    before: dict[str, int] | None
    after: dict[str, int] | None
    cosine: float | None


@dataclasses.dataclass(frozen=True, eq=False)
class AnonymizedPhoto:
    """A photo (H, W, 3) uint8 as it may be shown, and what became of its faces, in the order of their detections."""

    image: np.ndarray
    faces: tuple[FaceOutcome, ...]


class Anonymizer:
    """Turns faces into faces of people who do not exist.

    The same face, control, strength and seed give the same bytes on the same machine, whatever else is in the call.
    """

    def __init__(self, model: SavedModel, *, detector: Detector | None = None, recognizer: Embed | None = None):
        """
        Args:
            model: what ``checkpoint.load_model`` returns.
            detector: a photo (H, W, 3) uint8 -> its faces; None: YuNet, when it is first needed.
            recognizer: faces on the ArcFace template (N, 112, 112, 3) uint8 -> unit embeddings (N, D), whose cosines
                are to be read as ``faces.identity`` says; None: SFace, when it is first needed.
        """
        self.step = model.step
        self._networks = Networks.create(model.config)
        self._variables = jax.device_put(model.variables)
        if detector is not None:
            self.detector = detector
        if recognizer is not None:
            self.recognizer = recognizer

    @classmethod
    def load(
        cls, weights: str | Path | None = None, *, detector: Detector | None = None, recognizer: Embed | None = None
    ) -> Self:
        """Reads an exported model's folder, or the newest checkpoint of a training's workdir.

        Args:
            weights: the folder; None: the weights that come with the package.
            detector, recognizer: as for ``Anonymizer``.

        Raises:
            FileNotFoundError: the folder is neither, or has no checkpoint yet; the package has no weights.
            ValueError: the model was written in a newer format.
        """
        if weights is None:
            from a3gan_jax.weights import packaged_model

            return cls(packaged_model(), detector=detector, recognizer=recognizer)
        return cls(load_model(weights), detector=detector, recognizer=recognizer)

    @functools.cached_property
    def detector(self) -> Detector:
        """Finds the faces of a photo (H, W, 3) uint8."""
        return YuNet(score=DETECTOR_SCORE)

    @functools.cached_property
    def recognizer(self) -> Embed:
        """Says who is on faces that are aligned to the ArcFace template."""
        return TemplateEmbedder()

    @property
    def image_size(self) -> int:
        """Side S of the faces, in pixels."""
        return self._networks.config.image_size

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The K attributes that the model knows, in order."""
        return self._networks.config.attributes

    def predict_attributes(self, images: np.ndarray) -> np.ndarray:
        """Attributes (N, K) uint8 in {0, 1} that images (N, S, S, 3) uint8 show, by the model's own attribute head."""
        shown = np.empty((len(images), len(self.attribute_names)), np.uint8)
        for part, rows in batches(len(images)):
            shown[part] = _predict(self._networks, self._variables["discriminator"], images[rows])[: len(shown[part])]
        return shown

    def __call__(self, image: np.ndarray, **options: Any) -> np.ndarray:
        """A photo (H, W, 3) uint8 without its people, likewise; options as for ``anonymize_photos``."""
        return self.anonymize_photos([image], **options)[0].image

    def anonymize_photos(
        self,
        images: Sequence[np.ndarray],
        *,
        detections: Sequence[Sequence[Detection]] | None = None,
        people: Sequence[Sequence[int]] | None = None,
        attributes: Sequence[np.ndarray] | None = None,
        control: Control | None = None,
        strength: float = 1.0,
        seed: int | Sequence[Sequence[int]] = 0,
        check: bool = True,
        spare: Sequence[np.ndarray] | None = None,
        only: Sequence[np.ndarray] | None = None,
        region: tuple[float, float, float, float] | None = None,
        min_face: float = MIN_FACE,
    ) -> list[AnonymizedPhoto]:
        """Anonymises every face of whole photos; a face with which anything goes wrong is covered.

        Args:
            images: each (H, W, 3) uint8, RGB, upright.
            detections: their faces; None: those that ``detector`` finds.
            people: for each photo one integer a face, 0 <= p < 2**32, who is who: one person has one pseudonym. None:
                every face is a person of its own.
            attributes: for each photo (faces, K) in {0, 1}; None: as the model sees them.
            control: as for ``anonymize_aligned``.
            strength: likewise. Below 1 the original shows through, and there is no check.
            seed: of all pseudonyms, 0 <= seed < 2**32; or for each photo one a face.
            check: a recogniser compares each face of the result with its original. If it finds the same person, other
                seeds are tried, then the face is covered.
            spare: people who stay as they are, by photos (H, W, 3) uint8 or embeddings (D,); only where the recogniser
                is certain.
            only: the only people to anonymise, likewise; whoever might be one of them is anonymised.
            region: (x, y, width, height) in pixels; only faces whose centre lies inside are touched.
            min_face: faces whose box is narrower, in pixels, are covered.

        Returns:
            The photos in their order. All pixels away from faces are bit-identical, as are faces that are spared.

        Raises:
            ValueError: an argument of another shape, type or range; a box that is not finite; no face in a reference.
        """
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength {strength} is not in [0, 1]")
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
                raise ValueError(f"a photo must be uint8 (H, W, 3) and not empty, not {image.dtype} {image.shape}")
        if detections is None:
            detections = [self.detector(image) for image in images]
        faces = _faces(len(images), detections, people, seed)
        labels = None if attributes is None else np.array([row for rows in attributes for row in rows])
        if labels is not None and len(labels) != len(faces):
            raise ValueError(f"attributes are given for {len(labels)} faces, there are {len(faces)}")
        if region is not None:
            replacement.restrict(faces, region)
        check = check and strength == 1.0
        replacement.locate(faces, images, self.image_size, min_face)
        if check or spare is not None or only is not None:
            replacement.look(faces, images, self.recognizer)
        known = [references(who, self.detector, self.recognizer) if who is not None else None for who in (spare, only)]
        replacement.select(faces, *known)
        rows = {id(face): row for row, face in enumerate(faces)}

        def generate(crops: np.ndarray, tried: Sequence[Face]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
            return self._generate(
                crops,
                self.predict_attributes(crops) if labels is None else labels[[rows[id(face)] for face in tried]],
                control,
                strength,
                np.array([face.seed for face in tried]),
                np.array([_fingerprint(face.crop) if face.person is None else face.person for face in tried]),
            )

        results = replacement.replace(images, faces, generate, self.recognizer if check else None)
        outcomes = [(face.photo, self._outcome(face)) for face in faces]
        return [
            AnonymizedPhoto(image, tuple(outcome for photo, outcome in outcomes if photo == i))
            for i, image in enumerate(results)
        ]

    def _outcome(self, face: Face) -> FaceOutcome:
        pseudonym = None, None, None
        if face.outcome == "anonymised":
            before, after = (
                dict(zip(self.attribute_names, values.tolist(), strict=True)) for values in (face.before, face.after)
            )
            pseudonym = face.seed, before, after
        found = face.detection
        return FaceOutcome(found.box, found.landmarks, found.score, face.outcome, face.reason, *pseudonym, face.cosine)

    def anonymize_aligned(
        self,
        images: np.ndarray,
        *,
        attributes: np.ndarray | None = None,
        control: Control | None = None,
        strength: float = 1.0,
        seed: int = 0,
        people: np.ndarray | None = None,
    ) -> Anonymized:
        """Anonymises aligned crops, cut as ``geometry.crop_landmarks`` says.

        Args:
            images: (N, H, H, 3) uint8 RGB, at the model's size S or larger.
            attributes: (N, K) in {0, 1}, of the images; None: as ``predict_attributes`` sees them.
            control: which attributes may change, stay or are forced (``attributes.control``); None: all may change.
            strength: 1 anonymises, 0 gives the original back, in between the original shows through.
            seed: 0 <= seed < 2**32; another one gives other pseudonyms.
            people: (N,) integers, 0 <= p < 2**32, who is who: one person has one pseudonym a seed. None: every face
                is a person of its own, told from the others by its pixels.

        Raises:
            ValueError: an argument of another shape, type or range.
            FloatingPointError: the model's output for a face is not finite; names its position. No face is returned.
        """
        originals = self._at_model_size(images)
        if people is None:
            people = np.array([_fingerprint(face) for face in originals], np.uint32)
        before = self.predict_attributes(originals) if attributes is None else attributes
        new, before, after, finite = self._generate(originals, before, control, strength, seed, people)
        if not finite.all():
            raise FloatingPointError(f"the model's output is not finite for faces {np.flatnonzero(~finite).tolist()}")
        return Anonymized(new, before, after, self.attribute_names)

    def _generate(
        self,
        originals: np.ndarray,
        attributes: np.ndarray,
        control: Control | None,
        strength: float,
        seeds: int | np.ndarray,
        people: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """New faces (N, S, S, 3) uint8, attributes before and after (N, K) uint8, and which faces are finite (N,)."""
        count, k = len(originals), len(self.attribute_names)
        control = attribute_words.control(self.attribute_names) if control is None else control
        if control.change.shape != (k,):
            raise ValueError(f"the control is over {control.change.size} attributes, the model has {k}")
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength {strength} is not in [0, 1]")
        seeds = np.broadcast_to(_unsigned("seed", seeds), count)
        people, before = _unsigned("people", people), np.asarray(attributes)
        if people.shape != (count,):
            raise ValueError(f"people must have shape ({count},), not {people.shape}")
        if before.shape != (count, k) or not np.isin(before, (0, 1)).all():
            raise ValueError(f"attributes must be 0 or 1, of shape ({count}, {k}), not {before.shape}")
        before = before.astype(np.uint8)
        new, after, finite = np.empty_like(originals), np.empty_like(before), np.empty(count, bool)
        for part, rows in batches(count):
            outputs = _anonymize(
                self._networks,
                {name: self._variables[name] for name in ("generator", "ainet")},
                originals[rows],
                before[rows].astype(np.float32),
                control.change,
                np.asarray(control.resolve(before[rows])),
                seeds[rows],
                people[rows],
                np.float32(strength),
            )
            for whole, output in zip((new, after, finite), outputs, strict=True):
                whole[part] = output[: len(whole[part])]
        return new, before, after, finite

    def _at_model_size(self, images: np.ndarray) -> np.ndarray:
        images, size = np.asarray(images), self.image_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or images.shape[1] != images.shape[2]:
            raise ValueError(f"images must be uint8 (N, H, H, 3), not {images.dtype} {images.shape}")
        if images.shape[1] < size:
            raise ValueError(f"images of {images.shape[1]} px are smaller than the model's {size}: enlarge them first")
        if images.shape[1] == size:
            return images
        return np.array([aligned_face(image, "square", size) for image in images], np.uint8).reshape(-1, size, size, 3)


def _faces(
    count: int,
    detections: Sequence[Sequence[Detection]],
    people: Sequence[Sequence[int]] | None,
    seed: int | Sequence[Sequence[int]],
) -> list[Face]:
    """The faces of ``count`` photos, photo by photo."""

    def each(name: str, values: Sequence[Sequence[int]]) -> list[int]:
        if [len(part) for part in values] != [len(part) for part in detections]:
            raise ValueError(f"{name} must hold one integer for each face of each photo")
        return [int(value) for part in values for value in _unsigned(name, part)]

    if len(detections) != count:
        raise ValueError(f"detections are given for {len(detections)} photos, there are {count}")
    found = [(photo, face) for photo, part in enumerate(detections) for face in part]
    persons = [None] * len(found) if people is None else each("people", people)
    seeds = each("seed", seed) if isinstance(seed, Sequence) else [int(_unsigned("seed", seed))] * len(found)
    return [Face(*face, seed, who) for face, seed, who in zip(found, seeds, persons, strict=True)]


def _unsigned(name: str, values: Any) -> np.ndarray:
    """Integers in 0 <= v < 2**32, of any shape, as uint32."""
    array = np.asarray(values)
    if array.size and not (np.issubdtype(array.dtype, np.integer) and 0 <= array.min() and array.max() < 2**32):
        raise ValueError(f"{name} must be integers in 0 <= {name} < 2**32, not {values!r}")
    return array.astype(np.uint32)


def _fingerprint(image: np.ndarray) -> int:
    return int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:4], "little")


@functools.partial(jax.jit, static_argnums=0)
def _predict(networks: Networks, discriminator: Any, images: Array) -> Array:
    probabilities = inference.predict_attributes(networks, discriminator, inference.to_float(images))
    return (probabilities > 0.5).astype(jnp.uint8)


@functools.partial(jax.jit, static_argnums=0)
def _anonymize(
    networks: Networks,
    variables: dict[str, Any],
    images: Array,
    attributes: Array,
    change: Array,
    base: Array,
    seeds: Array,
    people: Array,
    strength: Array,
) -> tuple[Array, Array, Array]:
    """One batch: images (B, S, S, 3) and attributes (B, K) as uint8, and which faces are finite (B,)."""
    keys = jax.vmap(lambda seed, person: jax.random.fold_in(jax.random.key(seed), person))(seeds, people)
    z = jax.vmap(lambda key: jax.random.normal(key, (networks.config.z_dim,)))(keys)
    y, new, _ = inference.anonymize(
        networks,
        variables,
        inference.to_float(images),
        attributes,
        change,
        base,
        z,
        jnp.broadcast_to(strength, people.shape),
    )
    finite = jnp.isfinite(y).all((1, 2, 3)) & jnp.isfinite(new).all(1)
    return jnp.clip(jnp.round((y + 1.0) * 127.5), 0, 255).astype(jnp.uint8), (new > 0.5).astype(jnp.uint8), finite
