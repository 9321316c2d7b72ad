"""What a trained model does: from a face to a pseudonym, and from a face to its attributes. Pure functions."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from a3gan_jax.networks import Networks

Variables = Any


def to_float(images: Array) -> Array:
    """uint8 images in 0..255 -> float32 in [-1, 1]."""
    return images.astype(jnp.float32) / 127.5 - 1.0


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
        z: (N, Z) ~ N(0, I).
        strength: (N,) in [0, 1].
        gate: forces every suppression gate.

    Returns:
        Images (N, S, S, 3) in [-1, 1], attributes (N, K) they shall show, gates deepest first.
    """
    new, _ = networks.ainet.apply(variables["ainet"], base, jnp.broadcast_to(change, base.shape), z)
    new = jnp.where(strength[:, None] > 0, new, attributes)
    images, gates = networks.generator.apply(variables["generator"], images, attributes, new, z, strength, gate)
    return images, new, gates


def predict_attributes(networks: Networks, discriminator: Variables, images: Array) -> Array:
    """Probabilities (N, K) of the attributes that images (N, S, S, 3) in [-1, 1] show, by the attribute head."""
    return jax.nn.sigmoid(networks.discriminator.apply(discriminator, images).attributes)
