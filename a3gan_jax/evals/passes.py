"""What is measured: photos run through a trained model in several ways, or through a baseline."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from PIL import Image, ImageFilter

from a3gan_jax import inference
from a3gan_jax.attributes import Control, control
from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.compilation import network_jit
from a3gan_jax.geometry import face_region
from a3gan_jax.networks import Networks

FACE_WIDTH = 0.49  # of a crop's side, as detected
#: The attributes of the pass that keeps some (those that the model has).
KEPT = ("Eyeglasses", "Male", "Mouth_Slightly_Open", "Young", "Bald")

ORIGINAL, RESTORED, ANONYMIZED = "originals at the model's size", "strength 0", "strength 1"
SECOND_SEED, SOME_KEPT = "strength 1, second seed", "strength 1, some attributes kept"

Batch = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Pass:
    """What a method made of a batch: ``images`` (N, S, S, 3) uint8; of a model also the attributes ``asked`` for and
    ``seen`` (N, K) bool, and by level ``gates`` (N, L, 3): their mean everywhere, in the face, outside."""

    images: np.ndarray
    asked: np.ndarray | None = None
    seen: np.ndarray | None = None
    gates: np.ndarray | None = None


class ModelPasses:
    """The passes of a trained model; the seed of a pseudonym depends on the person alone.

    ``partial``: strengths between 0 and 1 that have passes, too.
    """

    def __init__(self, model: SavedModel, seed: int, batch_size: int, partial: Sequence[float] = ()):
        self.config, self._partial = model.config, tuple(partial)
        self._variables = jax.device_put(model.variables)
        networks = Networks.create(model.config)
        self._generate = network_jit(functools.partial(_generate, networks))
        self._see = network_jit(functools.partial(_see, networks))
        self._key, self._batch_size = jax.random.key(seed), batch_size
        self._free = control(self.config.attributes)
        self._keep = control(self.config.attributes, keep=self.kept)

    @property
    def kept(self) -> tuple[str, ...]:
        """The attributes that the pass ``SOME_KEPT`` keeps."""
        return tuple(name for name in KEPT if name in self.config.attributes)

    def __call__(self, batch: Batch) -> dict[str, Pass]:
        restored, anonymized = (self._run(batch, self._free, 0, strength) for strength in (0.0, 1.0))
        between = {
            f"strength {strength:g}": inference.morph(restored.images, anonymized.images, strength)
            for strength in self._partial
        }
        return {
            ORIGINAL: Pass(batch["image"], seen=self._classify(batch["image"])),
            RESTORED: restored,
            **{name: Pass(images, seen=self._classify(images)) for name, images in between.items()},
            ANONYMIZED: anonymized,
            SECOND_SEED: self._run(batch, self._free, 1, 1.0),
            SOME_KEPT: self._run(batch, self._keep, 0, 1.0),
        }

    def _classify(self, images: np.ndarray) -> np.ndarray:
        rows = np.arange(self._batch_size) % len(images)
        return jax.device_get(self._see(self._variables["discriminator"], images[rows]))[: len(images)]

    def _run(self, batch: Batch, wish: Control, seed: int, strength: float) -> Pass:
        count = len(batch["image"])
        rows = np.arange(self._batch_size) % count  # one compiled shape
        # A photo of a person without a number gets a seed of its own.
        person = np.where(batch["identity"] < 0, -2 - batch["index"], batch["identity"])
        base = wish.resolve(batch["attributes"][rows])
        values = jax.device_get(
            self._generate(
                self._variables,
                batch["image"][rows],
                batch["attributes"][rows],
                wish.change,
                base,
                person[rows],
                jax.random.fold_in(self._key, seed),
                np.full(len(rows), strength, np.float32),
            )
        )
        return Pass(*(value[:count] for value in values))


def _generate(
    networks: Networks,
    variables: Mapping[str, Any],
    images: Array,
    attributes: Array,
    change: Array,
    base: Array,
    person: Array,
    key: Array,
    strength: Array,
) -> tuple[Array, Array, Array, Array]:
    """Anonymised images uint8, attributes asked for and seen, and the gates' means; see ``Pass``."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, person.astype(jnp.uint32))
    z = inference.pseudonym_seeds(keys, networks.config.z_dim)
    images, asked, gates = inference.anonymize(
        networks, variables, inference.to_float(images), attributes.astype(jnp.float32), change, base, z, strength
    )
    images = jnp.clip(jnp.round((images + 1.0) * 127.5), 0, 255).astype(jnp.uint8)  # what would be saved
    seen = _see(networks, variables["discriminator"], images)
    return images, asked > 0.5, seen, jnp.stack([_gate_means(gate) for gate in gates], axis=1)


def _see(networks: Networks, discriminator: Any, images: Array) -> Array:
    """Which attributes the classifier finds on uint8 images: (N, K) bool."""
    return inference.predict_attributes(networks, discriminator, inference.to_float(images)) > 0.5


def _gate_means(gate: Array) -> Array:
    """(N, 3): the mean of a gate (N, H, W, C) everywhere, in the face and outside."""
    face = face_region(gate.shape[1])
    regions = (np.ones_like(face), face > 0.8, face < 0.3)
    return jnp.stack([(gate.mean(-1, keepdims=True) * r).sum((1, 2, 3)) / r.sum() for r in regions], axis=1)


def _blur(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(0.15 * FACE_WIDTH * image.width))


def _pixelate(image: Image.Image) -> Image.Image:
    blocks = round(8 / FACE_WIDTH)  # 8 over the face
    return image.resize((blocks, blocks), Image.Resampling.BOX).resize(image.size, Image.Resampling.NEAREST)


#: What people do without a model: nothing; a blur of 15 % of the face's width; 8 blocks over it.
BASELINES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "identity": lambda image: image,
    "blur": _blur,
    "pixelate": _pixelate,
}


def baseline_passes(name: str, batch: Batch) -> dict[str, Pass]:
    """The passes of a baseline, in the place of a model's."""
    change = BASELINES[name]
    images = np.stack([np.asarray(change(Image.fromarray(image))) for image in batch["image"]])
    return {ORIGINAL: Pass(batch["image"]), name: Pass(images)}
