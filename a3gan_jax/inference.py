"""What a trained model does: from a face to a pseudonym, and from a face to its attributes. Pure functions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from a3gan_jax.networks import Networks

Variables = Any

#: A trained model draws its pseudonyms nearer to the middle than training did: fewer broken faces, people less unlike
#: one another (the truncation trick, arXiv 1809.11096). The value is our own choice, by eye and by how many pairs of
#: pseudonyms dlib takes for one person (0.6: .45, 0.8: .26, 1: .18 on CelebA's validation part).
TRUNCATION = 0.8


def to_float(images: Array) -> Array:
    """uint8 images in 0..255 -> float32 in [-1, 1]."""
    return images.astype(jnp.float32) / 127.5 - 1.0


def pseudonym_seeds(keys: Array, z_dim: int) -> Array:
    """Seeds of pseudonyms ~ N(0, TRUNCATION^2 I), one a key: keys of any shape (...) -> (..., z_dim)."""
    z = jax.vmap(lambda key: jax.random.normal(key, (z_dim,)))(keys.reshape(-1))
    return TRUNCATION * z.reshape(*keys.shape, z_dim)


def anonymize(
    networks: Networks,
    variables: dict[str, Variables],
    images: Array,
    attributes: Array,
    change: Array,
    base: Array,
    z: Array,
    strength: Array,
    gate: Array | float | None = None,
) -> tuple[Array, Array, tuple[Array, ...]]:
    """The model's one way from a face to a pseudonym.

    Args:
        networks: the modules.
        variables: ``generator`` and ``ainet``.
        images: (N, S, S, 3) in [-1, 1].
        attributes: (N, K) in [0, 1], of the images.
        change: (N, K) or (K,) in {0, 1}, 1 = AINet may choose.
        base: (N, K) what the others shall be: ``attributes``, with the forced ones in place (``Control.resolve``).
        z: (N, Z), see ``pseudonym_seeds``.
        strength: (N,) in [0, 1].
        gate: forces every suppression gate.

    Returns:
        Images (N, S, S, 3) in [-1, 1], attributes (N, K) they shall show, gates deepest first.
    """
    new, _ = networks.ainet.apply(variables["ainet"], base, jnp.broadcast_to(change, base.shape), z)
    new = jnp.where(strength[:, None] > 0, new, attributes)
    images, gates = networks.generator.apply(variables["generator"], images, attributes, new, z, strength, gate)
    return images, new, gates


def morph(restored: np.ndarray, anonymized: np.ndarray, strength: float) -> np.ndarray:
    """The dial between the two ends of strength: uint8 images of the same shape -> ``strength`` of the way from
    ``restored`` to ``anonymized``, uint8.

    Our own choice: pose and points of the face are the same at both ends, so that every step shows one face, and each
    takes away about as much of the original. The generator's own gates, half shut, do nothing for long and everything
    at once.
    """
    mixed = restored + np.float32(strength) * (anonymized.astype(np.float32) - restored)
    return np.rint(mixed).astype(np.uint8)


def predict_attributes(networks: Networks, discriminator: Variables, images: Array) -> Array:
    """Probabilities (N, K) of the attributes that images (N, S, S, 3) in [-1, 1] show, by the attribute head."""
    return jax.nn.sigmoid(networks.discriminator.apply(discriminator, images).attributes)
