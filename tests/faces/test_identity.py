"""Recognisers on faces in photos, and people given by photos or embeddings."""

import jax
import numpy as np
import pytest

from a3gan_jax.faces.alignment import align
from a3gan_jax.faces.identity import TemplateEmbedder, on_template, references
from tests.faces.scenes import face, photo


def mean_color(faces):
    colors = faces.mean((1, 2)) - 127.5
    return colors / np.linalg.norm(colors, axis=1, keepdims=True)


def test_the_template_is_the_recognisers_own_where_nothing_is_shrunk():
    image, landmarks = photo(200, 200), face(100, 100, 150, 0.3).landmarks
    difference = on_template(image, landmarks).astype(int) - align(image, landmarks)
    assert np.abs(difference).max() <= 1


def test_a_large_face_is_shrunk_without_aliasing():
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3)).astype(np.uint8)
    landmarks = face(450, 450, 800).landmarks
    assert on_template(noise, landmarks).std() < 0.4 * align(noise, landmarks).std()


def test_references_are_photos_or_embeddings():
    red, blue = (np.broadcast_to(np.array(color, np.uint8), (80, 80, 3)) for color in ([255, 0, 0], [0, 0, 255]))
    both = np.concatenate([red, blue], axis=1)
    found = [face(40, 40, 30), face(120, 40, 40)]  # the second one is larger, and blue
    vectors = references([both, np.array([3.0, 4.0, 0.0])], lambda image: found, mean_color)
    np.testing.assert_allclose(vectors, [mean_color(blue[None])[0], [0.6, 0.8, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([], "a list of people is empty"),
        ([np.zeros((8, 8, 3), np.uint8)], "no face is found in reference photo 0"),
        ([np.ones(3), np.zeros((8, 8), np.uint8)], "reference 1 is neither"),
        ([np.array([1, 2])], "reference 0 is neither"),
        ([np.full(4, np.nan)], "reference 0 is no direction"),
        ([np.zeros(4)], "reference 0 is no direction"),
    ],
)
def test_wrong_references(people, message):
    with pytest.raises(ValueError, match=message):
        references(people, lambda image: [], mean_color)


def test_the_recogniser_in_any_company():
    embedder = TemplateEmbedder()
    faces = np.random.default_rng(0).integers(0, 256, (9, 112, 112, 3)).astype(np.uint8)
    embeddings = embedder(faces)
    assert embeddings.shape == (9, 128)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(embedder(faces[8:]), embeddings[8:])
    expected = jax.jit(embedder._recognizer.embed)(embedder._variables, faces[:2].astype(np.float32) / 127.5 - 1)
    np.testing.assert_allclose(embeddings[:2], expected, atol=1e-5)
