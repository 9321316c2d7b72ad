"""``FaceModel``: a trained model, ready for use on aligned faces as numpy arrays."""

import dataclasses
import functools
import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from a3gan_jax import attributes as attribute_words
from a3gan_jax import inference
from a3gan_jax.attributes import Control
from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.compilation import network_jit
from a3gan_jax.data.pipeline import aligned_face
from a3gan_jax.faces.batching import batches
from a3gan_jax.networks import Networks


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


class FaceModel:
    """Turns aligned faces into those of people who do not exist.

    The same face, control, strength and seed give the same bytes on the same machine, whatever else is in the call.
    """

    def __init__(self, model: SavedModel):
        """``model``: what ``checkpoint.load_model`` returns."""
        self.step = model.step
        self._networks = Networks.create(model.config)
        self._variables = jax.device_put(model.variables)

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

    def naturalness(self, images: np.ndarray) -> np.ndarray:
        """How real images (N, S, S, 3) uint8 look to the discriminator as a whole: scores (N,) float32, of no unit."""
        scores = np.empty(len(images), np.float32)
        for part, rows in batches(len(images)):
            scores[part] = _naturalness(self._networks, self._variables["discriminator"], images[rows])[
                : len(scores[part])
            ]
        return scores

    def anonymize(
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
            strength: 1 anonymises, 0 gives the original back, in between the original shows through
                (``inference.morph``).
            seed: 0 <= seed < 2**32; another one gives other pseudonyms.
            people: (N,) integers, 0 <= p < 2**32, who is who: one person has one pseudonym a seed. None: every face
                is a person of its own, told from the others by its pixels.

        Raises:
            ValueError: an argument of another shape, type or range.
            FloatingPointError: the model's output for a face is not finite; names its position. No face is returned.
        """
        originals = self._at_model_size(images)
        if people is None:
            people = np.array([fingerprint(face) for face in originals], np.uint32)
        before = self.predict_attributes(originals) if attributes is None else attributes
        new, before, after, finite = self.generate(originals, before, control, strength, seed, people)
        if not finite.all():
            raise FloatingPointError(f"the model's output is not finite for faces {np.flatnonzero(~finite).tolist()}")
        return Anonymized(new, before, after, self.attribute_names)

    def generate(
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
        seeds = np.broadcast_to(unsigned("seed", seeds), count)
        people, before = unsigned("people", people), np.asarray(attributes)
        if people.shape != (count,):
            raise ValueError(f"people must have shape ({count},), not {people.shape}")
        if before.shape != (count, k) or not np.isin(before, (0, 1)).all():
            raise ValueError(f"attributes must be 0 or 1, of shape ({count}, {k}), not {before.shape}")
        before = before.astype(np.uint8)
        new, after, finite = np.empty_like(originals), np.empty_like(before), np.empty(count, bool)
        for part, rows in batches(count):
            run = functools.partial(
                _anonymize,
                self._networks,
                {name: self._variables[name] for name in ("generator", "ainet")},
                originals[rows],
                before[rows].astype(np.float32),
                control.change,
                np.asarray(control.resolve(before[rows])),
                seeds[rows],
                people[rows],
            )
            images, shown, fine = jax.device_get(run(np.ceil(np.float32(strength))))
            if 0.0 < strength < 1.0:
                restored, _, restored_fine = jax.device_get(run(np.float32(0.0)))
                images, fine = inference.morph(restored, images, strength), fine & restored_fine
            for whole, output in zip((new, after, finite), (images, shown, fine), strict=True):
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


def unsigned(name: str, values: Any) -> np.ndarray:
    """Integers in 0 <= v < 2**32, of any shape, as uint32."""
    array = np.asarray(values)
    if array.size and not (np.issubdtype(array.dtype, np.integer) and 0 <= array.min() and array.max() < 2**32):
        raise ValueError(f"{name} must be integers in 0 <= {name} < 2**32, not {values!r}")
    return array.astype(np.uint32)


def fingerprint(image: np.ndarray) -> int:
    return int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:4], "little")


@functools.partial(network_jit, static_argnums=0)
def _predict(networks: Networks, discriminator: Any, images: Array) -> Array:
    probabilities = inference.predict_attributes(networks, discriminator, inference.to_float(images))
    return (probabilities > 0.5).astype(jnp.uint8)


@functools.partial(network_jit, static_argnums=0)
def _naturalness(networks: Networks, discriminator: Any, images: Array) -> Array:
    return networks.discriminator.apply(discriminator, inference.to_float(images)).real


@functools.partial(network_jit, static_argnums=0)
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
    z = inference.pseudonym_seeds(keys, networks.config.z_dim)
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
