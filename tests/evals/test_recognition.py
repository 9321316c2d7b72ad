"""Attackers look where the face is, also where the detector sees none."""

import sys

import jax
import numpy as np
import pytest

from a3gan_jax.evals.dlib_recognizer import DlibAttacker
from a3gan_jax.evals.recognition import TemplateAttacker, embed_all, locate
from a3gan_jax.faces.alignment import align
from a3gan_jax.faces.detector import Detection
from a3gan_jax.geometry import crop_landmarks

FACE = Detection(np.array([1.0, 2, 3, 4]), crop_landmarks(192) + 1, 0.9)


def test_a_missed_face_is_where_alignment_put_it():
    crop = np.zeros((192, 192, 3), np.uint8)
    face, found = locate(lambda image: [], crop)
    assert not found
    np.testing.assert_allclose(face.landmarks, crop_landmarks(192))
    assert (face.landmarks > face.box[:2]).all() and (face.landmarks < face.box[:2] + face.box[2:]).all()
    assert locate(lambda image: [FACE, None], crop) == (FACE, True)


def test_every_attacker_gets_the_same_faces():
    class Attacker:
        def __init__(self, name, factor):
            self.name, self.factor = name, factor

        def embed(self, images, faces):
            return np.array([[face.box[0] * self.factor] for face in faces])

    crops = np.stack([np.zeros((64, 64, 3), np.uint8), np.ones((64, 64, 3), np.uint8)])
    found, embeddings = embed_all(lambda crop: [FACE] * int(crop.max()), [Attacker("a", 1), Attacker("b", 2)], crops)
    assert found.tolist() == [False, True]
    np.testing.assert_array_equal(embeddings["b"], 2 * embeddings["a"])
    assert embeddings["a"][1] == 1


def test_a_part_batch_gives_the_recognisers_own_embeddings():
    attacker = TemplateAttacker("sface", batch_size=2)
    images = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3)).astype(np.uint8)
    faces = [Detection(np.zeros(4), crop_landmarks(96) + shift, 1.0) for shift in range(3)]
    got = attacker.embed(images, faces)
    aligned = np.stack([align(image, face.landmarks) for image, face in zip(images, faces, strict=True)])
    expected = jax.jit(attacker._recognizer.embed)(attacker._variables, aligned.astype(np.float32) / 127.5 - 1)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    np.testing.assert_allclose(attacker.similarity(got, got).diagonal(), 1, rtol=1e-5)
    assert attacker.threshold == 0.363


def test_dlibs_similarity_is_a_negative_distance():
    a, b = np.array([[0.0, 0], [3, 4]], np.float32), np.array([[0.0, 0], [0, 4], [6, 8]], np.float32)
    np.testing.assert_allclose(DlibAttacker.similarity(a, b), [[0, -4, -10], [-5, -3, -5]], atol=1e-6)


def test_without_dlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ModuleNotFoundError, match=r'needs dlib: pip install "a3gan-jax\[eval\]"'):
        DlibAttacker()
