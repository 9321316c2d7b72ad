"""The face mesh against the interpreter of its own file: the same points, however the convolutions are written."""

import jax
import numpy as np
import pytest

from a3gan_jax.convert.face_mesh import read_face_mesh
from a3gan_jax.evals.face_mesh import IRIS_FILE, MARGIN, MESH_FILE, MESH_PACKAGE, _model
from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.contour import mesh_view
from a3gan_jax.faces.placement import place
from a3gan_jax.models.face_mesh import CHIN, CONTOUR, POINTS, SIZE, FaceMesh
from a3gan_jax.pretrained import wheel_file
from tests.evals.astronaut import astronaut


@pytest.fixture(scope="module")
def file():
    return wheel_file(*MESH_FILE, install=MESH_PACKAGE)


@pytest.fixture(scope="module")
def pictures():
    """The astronaut, noise, and coloured squares."""
    image, face = astronaut()
    rng = np.random.default_rng(0)
    noise, squares = (
        rng.integers(0, 256, (SIZE, SIZE, 3)),
        np.kron(rng.integers(0, 256, (6, 6, 3)), np.ones((32, 32, 1))),
    )
    return np.stack([resample(image, mesh_view(place(face), MARGIN), SIZE, SIZE), noise, squares]).astype(np.uint8)


@pytest.mark.parametrize("form", ["lax", "matmul"])
def test_it_finds_what_its_own_interpreter_finds(file, pictures, form):
    network, variables = FaceMesh(conv=form), read_face_mesh(file)
    found, logits = jax.jit(network.apply)(variables, pictures.astype(np.float32) / 255)
    points, score = (np.stack(part) for part in zip(*map(_model(file), pictures), strict=True))
    assert found.shape == (3, 3 * POINTS) and np.ptp(points) > 100
    np.testing.assert_allclose(found, points, atol=1e-3)  # pixels of 192
    np.testing.assert_allclose(logits, score[:, 0], atol=1e-3)
    assert logits[0] > 5 and (logits[1:] < -5).all()


def test_some_points_are_those_of_all(file, pictures):
    pictures = pictures.astype(np.float32) / 255
    whole = FaceMesh().apply(read_face_mesh(file), pictures)[0].reshape(3, POINTS, 3)
    some = FaceMesh(2 * len(CONTOUR)).apply(read_face_mesh(file, CONTOUR, axes=2), pictures)[0].reshape(3, -1, 2)
    np.testing.assert_allclose(some, whole[:, list(CONTOUR), :2], atol=1e-3)
    outline = some[0]  # from the right over the chin to the left
    assert len(set(CONTOUR)) == len(CONTOUR) and outline[:, 1].argmax() in range(CHIN - 2, CHIN + 3)
    assert outline[:CHIN, 0].min() > outline[CHIN, 0] > outline[CHIN + 1 :, 0].max()


def test_the_variables_are_those_of_the_module(file):
    expected = jax.eval_shape(FaceMesh().init, jax.random.key(0), np.zeros((1, SIZE, SIZE, 3), np.float32))
    assert jax.tree.map(np.shape, read_face_mesh(file)) == jax.tree.map(np.shape, expected)


def test_another_graph_is_refused():
    with pytest.raises(ValueError, match="is no face mesh of 468 points"):
        read_face_mesh(wheel_file(*IRIS_FILE, install=MESH_PACKAGE))
