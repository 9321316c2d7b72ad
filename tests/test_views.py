"""The crop's geometry against the ArcFace template, and the random views."""

import jax
import jax.numpy as jnp
import numpy as np

from a3gan_jax.faces.blending import blend
from a3gan_jax.faces.placement import Placement
from a3gan_jax.geometry import (
    ARCFACE_LANDMARKS,
    crop_landmarks,
    crop_to_arcface,
    face_region,
    head_region,
    resample,
    resampling_matrix,
)
from a3gan_jax.views import arcface_view, blurred, pasted, random_arcface_view


def _dot(size, x, y, width=1.5):
    """A bright blob at (x, y) on black."""
    rows, columns = np.mgrid[:size, :size]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))[None, ..., None].repeat(3, -1)


def _centre(image):
    weight = np.asarray(image)[..., 0]
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


def test_the_five_points_land_on_the_arcface_template():
    for size in (64, 128):
        scale, offset = crop_to_arcface(size)
        back = (crop_landmarks(size) - offset) / scale
        # The two templates are not the same face: no scale and shift brings the five points closer than this.
        assert np.abs(back - ARCFACE_LANDMARKS).max() < 2.5
        np.testing.assert_allclose(back.mean(0), ARCFACE_LANDMARKS.mean(0), atol=1e-6)
        for point in crop_landmarks(size):
            seen = _centre(arcface_view(_dot(size, *point))[0])
            np.testing.assert_allclose(seen, (point - offset) / scale, atol=0.1)


def test_pasting_is_what_blending_does_to_a_frontal_face():
    rng = np.random.default_rng(0)
    original, made = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    whole = np.array([[1 / 64, 0, 0.5 / 64], [0, 1 / 64, 0.5 / 64]])  # the photo is the crop
    placement = Placement(whole, crop_landmarks(64), np.array([0.0, 0.0, 64.0, 64.0]))
    blended = blend(original, [(placement, made)])
    seen = np.asarray(pasted(made[None].astype(np.float32), original[None].astype(np.float32)))[0]
    np.testing.assert_allclose(seen, blended, atol=1.01)  # blending rounds, and resamples through half a pixel
    assert (seen[0] == original[0]).all() and (seen[32, 32] == made[32, 32]).all()


def test_resampling_by_the_identity_and_by_a_shift():
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, 3))
    same = resampling_matrix(8, 8, 1.0, 0.0)
    np.testing.assert_allclose(resample(x, same, same), x, atol=1e-6)
    shifted = resampling_matrix(8, 8, 1.0, 1.0)
    np.testing.assert_allclose(resample(x, shifted, same)[:, :-1], x[:, 1:], atol=1e-6)
    each = jnp.stack([same, shifted])
    np.testing.assert_allclose(resample(x, each, jnp.stack([same, same]))[1, :-1], x[1, 1:], atol=1e-6)


def test_blur_keeps_the_mean_and_takes_the_detail():
    noise = jax.random.normal(jax.random.key(0), (1, 64, 64, 3))
    spread = [float(blurred(jax.random.key(k), noise).std()) for k in range(8)]
    assert max(spread) < 1.01 and min(spread) < 0.6 and len(set(spread)) == 8
    flat = jnp.full((1, 64, 64, 3), 0.3)
    np.testing.assert_allclose(blurred(jax.random.key(0), flat), flat, atol=1e-5)


def test_random_views_differ_by_image_stay_near_and_carry_gradient():
    point = crop_landmarks(64)[2]
    images = jnp.asarray(np.concatenate([_dot(64, *point)] * 16))
    views = random_arcface_view(jax.random.key(0), images)
    assert views.shape == (16, 112, 112, 3)
    centres = np.array([_centre(view) for view in views])
    nose = _centre(arcface_view(images[:1])[0])
    mirrored = np.minimum(np.abs(centres[:, 0] - nose[0]), np.abs(111 - centres[:, 0] - nose[0]))
    assert mirrored.max() < 2.5 + 0.05 * 56 and np.abs(centres[:, 1] - nose[1]).max() < 2.5 + 0.05 * 56
    assert centres.std(0).min() > 0.3
    np.testing.assert_array_equal(random_arcface_view(jax.random.key(0), images), views)
    gradient = jax.grad(lambda x: random_arcface_view(jax.random.key(1), x).sum())(images)
    assert jnp.abs(gradient).max() > 0


def test_colour_is_lost_and_brightness_is_not():
    red = jnp.zeros((8, 64, 64, 3)).at[..., 0].set(1.0)
    views = random_arcface_view(jax.random.key(0), red, blur=0.0, shift=0.0, zoom=0.0)
    luma = views @ jnp.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(luma, 0.299, atol=1e-5)
    lost = 1 - (views[..., 0] - views[..., 1]).mean((1, 2))
    assert lost.min() >= 0 and lost.max() <= 0.7 and lost.std() > 0.05


def test_regions_hold_the_landmarks():
    for size in (64, 128):
        face, head = face_region(size)[..., 0], head_region(size)[..., 0]
        for x, y in crop_landmarks(size).round().astype(int):
            assert face[y, x] > 0.9
        assert (head >= face).all() and face[0].max() < 0.01 and head[size // 2, 0] < 0.2
