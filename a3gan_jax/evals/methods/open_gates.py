"""A3GAN's network with its suppression gates open: it edits a face and does not hide whose it is."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from a3gan_jax import inference
from a3gan_jax.attributes import EYEGLASSES, control
from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.compilation import network_jit
from a3gan_jax.evals.methods.pasting import paste
from a3gan_jax.face_model import FaceModel, fingerprint
from a3gan_jax.faces.batching import batches
from a3gan_jax.faces.detector import Detection
from a3gan_jax.networks import Networks

FLIPPED = 0.5  # probability of an attribute in a random edit (our own choice)


class OpenGates:
    """The same weights with every gate forced to 0; a ``Method``.

    All features of the encoder reach the decoder, as in STGAN (arXiv 1904.09709) where nothing is to change; attributes
    and seed speak through the style and the injection alone. The weights have not been trained so: in training the
    gates are open only as far as the strength is below 1. No recogniser checks the result.

    Two methods: ``a3gan-no-scu``, the ablation, with seed and attributes as the product draws them; and
    ``random-edit``, an attribute edit of STGAN's type without suppression, for which each attribute is flipped with
    probability ``FLIPPED`` and the seed of the pseudonym is 0 in all coordinates.
    """

    def __init__(self, model: SavedModel, weights: str, *, random_edit: bool, seed: int = 0):
        """
        Args:
            model: what ``checkpoint.load_model`` returns.
            weights: words for the report, see ``a3gan.read_weights``.
            random_edit: which of the two.
            seed: 0 <= seed < 2**32; also of the flips.
        """
        self.name = "random-edit" if random_edit else "a3gan-no-scu"
        edit = f"each attribute flipped with probability {FLIPPED}" if random_edit else "attributes by AINet"
        self.description = f"A3GAN with all gates open, {edit}, {weights}, seed {seed}, unchecked"
        self._model, self._networks = FaceModel(model), Networks.create(model.config)
        self._variables = jax.device_put(model.variables)
        self._random_edit, self._seed = random_edit, seed

    def __call__(
        self, images: Sequence[np.ndarray], faces: Sequence[Sequence[Detection]], files: Sequence[str]
    ) -> list[np.ndarray]:
        return paste(images, faces, self._networks.config.image_size, self._edit, self._eyeglasses)

    def _eyeglasses(self, crops: np.ndarray) -> np.ndarray:
        names = self._model.attribute_names
        shown = self._model.predict_attributes(crops)
        return shown[:, names.index(EYEGLASSES)] if EYEGLASSES in names else np.zeros(len(crops), bool)

    def _edit(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        config = self._networks.config
        people = np.array([fingerprint(crop) for crop in crops], np.uint32)
        k = len(config.attributes)
        wanted, flips = control(config.attributes, in_photo=True), np.zeros((len(crops), k))
        if self._random_edit:
            draws = [np.random.default_rng((self._seed, int(person))).random(k) for person in people]
            wanted, flips = control(config.attributes, change=()), np.array(draws) < FLIPPED
        new, finite = np.empty_like(crops), np.empty(len(crops), bool)
        for part, rows in batches(len(crops)):
            z = np.zeros((len(rows), config.z_dim), np.float32)
            if not self._random_edit:
                z = _pseudonyms(config.z_dim, np.uint32(self._seed), people[rows])
            edited = _open(
                self._networks,
                self._variables,
                crops[rows],
                wanted.change,
                wanted.forced,
                wanted.value,
                flips[rows].astype(np.float32),
                z,
            )
            for whole, value in zip((new, finite), edited, strict=True):
                whole[part] = value[: len(whole[part])]
        return new, finite


@functools.partial(jax.jit, static_argnums=0)
def _pseudonyms(z_dim: int, seed: Array, people: Array) -> Array:
    """The seeds (B, Z) that ``FaceModel`` gives to people (B,)."""
    keys = jax.vmap(lambda person: jax.random.fold_in(jax.random.key(seed), person))(people)
    return inference.pseudonym_seeds(keys, z_dim)


@functools.partial(network_jit, static_argnums=0)
def _open(
    networks: Networks,
    variables: dict[str, Any],
    crops: Array,
    change: Array,
    forced: Array,
    value: Array,
    flips: Array,
    z: Array,
) -> tuple[Array, Array]:
    """One batch: new crops (B, S, S, 3) uint8, and which are finite (B,); ``flips`` (B, K) are of the attributes."""
    images = inference.to_float(crops)
    shown = inference.predict_attributes(networks, variables["discriminator"], images) > 0.5
    before = shown.astype(jnp.float32)
    base = jnp.where(forced, value, jnp.abs(before - flips))
    y, new, _ = inference.anonymize(
        networks, variables, images, before, change, base, z, jnp.ones(len(crops)), gate=0.0
    )
    finite = jnp.isfinite(y).all((1, 2, 3)) & jnp.isfinite(new).all(1)
    return jnp.clip(jnp.round((y + 1.0) * 127.5), 0, 255).astype(jnp.uint8), finite
