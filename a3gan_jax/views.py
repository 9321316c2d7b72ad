"""Views: what the critics see of a face.

A critic that sees the bare image is fooled by faint noise; one that sees it blurred, shifted and half grey is not. That
such random views are needed is our own finding; the transformations are those of robust adversarial examples (arXiv
1707.07397).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from a3gan_jax.faces.mask import crop_mask
from a3gan_jax.geometry import ARCFACE_SIZE, crop_to_arcface, resample, resampling_matrix

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def _blur_matrix(size: int, sigma: Array) -> Array:
    """A normalised Gaussian along one axis as a matrix (size, size); ``sigma`` in pixels."""
    position = jnp.arange(size, dtype=jnp.float32)
    kernel = jnp.exp(-0.5 * ((position[:, None] - position) / sigma) ** 2)
    return kernel / kernel.sum(1, keepdims=True)


def blurred(key: Array, images: Array, strongest: float = 0.0172) -> Array:
    """Images (N, S, S, C) under one Gaussian blur of random width, up to ``strongest`` of the side (1.1 px of 64)."""
    size = images.shape[1]
    sigma = 0.3 + jax.random.uniform(key) * jnp.maximum(strongest * size - 0.3, 0.0)
    blur = _blur_matrix(size, sigma)
    return resample(images, blur, blur)


def pasted(images: Array, originals: Array) -> Array:
    """Anonymised crops (N, S, S, 3) put back into their originals, likewise, as a photo shows a frontal face."""
    mask = crop_mask(images.shape[1])[..., None].astype(np.float32)
    return originals + mask * (images - originals)


def arcface_view(images: Array) -> Array:
    """Aligned crops (N, S, S, 3) as a recogniser sees them: (N, 112, 112, 3) on the ArcFace template."""
    size = images.shape[1]
    scale, (x, y) = crop_to_arcface(size)
    return resample(
        images, resampling_matrix(ARCFACE_SIZE, size, scale, y), resampling_matrix(ARCFACE_SIZE, size, scale, x)
    )


def random_arcface_view(
    key: Array, images: Array, blur: float = 0.0172, grey: float = 0.7, shift: float = 2.5, zoom: float = 0.05
) -> Array:
    """As ``arcface_view``, each image with its own chance.

    Blur up to ``blur`` of the side; up to ``grey`` of its colour lost; shifted up to ``shift`` template pixels; scaled
    up to ``zoom``; mirrored half of the time.
    """
    size = images.shape[1]
    scale, offset = crop_to_arcface(size)
    centre = (ARCFACE_SIZE - 1) / 2

    def matrices(key: Array) -> tuple[Array, Array, Array]:
        u = jax.random.uniform(key, (6,), minval=-1.0)
        zoomed = 1.0 + zoom * u[0]
        gaussian = _blur_matrix(size, 0.3 + jnp.abs(u[1]) * max(blur * size - 0.3, 0.0))

        def axis(start: float, move: Array) -> Array:
            return resampling_matrix(
                ARCFACE_SIZE, size, scale * zoomed, start + scale * (shift * move + centre * (1.0 - zoomed))
            )

        columns = axis(offset[0], u[2])
        columns = jnp.where(u[3] < 0, columns, columns[::-1])
        return axis(offset[1], u[4]) @ gaussian, columns @ gaussian, grey * jnp.abs(u[5])

    rows, columns, lost = jax.vmap(matrices)(jax.random.split(key, images.shape[0]))
    view = resample(images, rows, columns)
    luma = (view @ LUMA)[..., None]
    return luma + (view - luma) * (1.0 - lost[:, None, None, None])
