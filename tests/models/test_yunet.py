"""YuNet in Flax is the network of the ONNX file, in both forms of its convolutions, with a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.convert.layouts.yunet import load_yunet
from a3gan_jax.faces import detector
from tests.evals.astronaut import astronaut
from tests.models.conftest import QUICK


@pytest.mark.parametrize("form", ["lax", "matmul"])
def test_points_and_scores_are_those_of_the_detector(form):
    photo, _ = astronaut()
    (expected,) = detector.YuNet()(photo)
    network, variables = load_yunet(form)
    side = detector.SIDE
    square = np.zeros((side, side, 3), np.float32)
    square[: photo.shape[0], : photo.shape[1]] = photo
    sights = jax.jit(network.apply, compiler_options=QUICK)(variables, square[None] / 127.5 - 1)
    assert sights.scores.shape == (1, sum((side // stride) ** 2 for stride in detector.STRIDES))
    best = sights.scores[0].argmax()
    assert sights.scores[0, best] == pytest.approx(expected.score, abs=1e-3)
    np.testing.assert_allclose(sights.points[0, best], expected.landmarks, atol=0.05)


def test_a_face_moves_its_points_with_a_gradient():
    """Of a crop that training sees: eight pixels to the right is one cell of the finest grid."""
    photo, face = astronaut()
    centre = (face.box[:2] + face.box[2:] / 2).astype(int)
    crop = photo[centre[1] - 64 : centre[1] + 64, centre[0] - 72 : centre[0] + 64].astype(np.float32) / 127.5 - 1
    network, variables = load_yunet("matmul")

    @jax.jit
    def seen(images):
        sights = network.apply(variables, images)
        best = jnp.argmax(sights.scores, axis=1)
        return jnp.take_along_axis(sights.points, best[:, None, None, None], axis=1)[:, 0]

    left, right = seen(jnp.stack([crop[:, 8:], crop[:, :-8]]))
    np.testing.assert_allclose(right - left, [[8, 0]] * 5, atol=2)
    gradient = jax.grad(lambda image: seen(image[None])[0, 2, 0])(jnp.asarray(crop[:, 8:]))
    assert jnp.isfinite(gradient).all() and jnp.abs(gradient).max() > 0
