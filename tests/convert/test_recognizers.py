"""Converted recognisers: one interface, unit embeddings, gradients to the image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.convert.converted_model import describe
from a3gan_jax.convert.layouts import LAYOUTS, skeleton
from a3gan_jax.convert.recognizers import load_recognizer
from a3gan_jax.evals.recognition import TemplateAttacker
from a3gan_jax.model_folder import write_model_folder

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
ARGUMENTS = {
    "arcface": dict(blocks=(1, 1, 1, 1), width=4, features=8, image_size=32),
    "facenet": dict(num_classes=None, repeats=(1, 1, 1)),
    "sface": {},
    "mtcnn_rnet": {},
}
EMBEDDING = {"arcface": 8, "facenet": 512, "sface": 128}


def folder_of(path, name):
    """What ``tools/convert.py`` writes, with random weights that keep the size of signals."""
    layout, random = LAYOUTS[name], np.random.default_rng(0)
    arguments = ARGUMENTS[name]
    leaves = skeleton(layout.network(**arguments), layout.inputs(arguments))

    def value(path, leaf):
        if path[-1].key == "kernel":
            fan_in = np.prod(leaf.shape[:-1]) if leaf.ndim > 1 else 1
            return random.normal(0, (2 / fan_in) ** 0.5, leaf.shape).astype(np.float32)
        low = 0.5 if path[-1].key in ("scale", "var") else -0.2
        return random.uniform(low, low + 0.5, leaf.shape).astype(np.float32)

    variables = jax.tree_util.tree_map_with_path(value, leaves)
    description = describe(layout, arguments, {"file": "x.pth", "sha256": "0" * 64})
    write_model_folder(path / f"my_{name}", variables, description, overwrite=False)
    return path / f"my_{name}"


@pytest.mark.parametrize("name", EMBEDDING)
def test_a_converted_recogniser_embeds_and_passes_gradients(tmp_path, name):
    recognizer, variables = load_recognizer(str(folder_of(tmp_path, name)))
    assert recognizer.name == f"my_{name}"
    assert recognizer.threshold == (0.363 if name == "sface" else None)
    images = np.random.default_rng(1).uniform(-1, 1, (2, 40, 40, 3)).astype(np.float32)

    def likeness(images, variables):
        embedding = recognizer.embed(variables, images)
        return (embedding[0] * embedding[1]).sum(), embedding

    run = jax.jit(jax.value_and_grad(likeness, has_aux=True), compiler_options=QUICK)
    (_, embedding), gradient = run(images, variables)
    assert embedding.shape == (2, EMBEDDING[name])
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-5)
    assert np.abs(embedding[0] - embedding[1]).max() > 1e-3
    assert np.isfinite(gradient).all() and (np.abs(gradient).max((1, 2)) > 1e-9).all()
    assert gradient.shape == images.shape


@pytest.mark.parametrize(("name", "size", "value"), [("arcface", 32, 1.0), ("facenet", 160, 127.5 / 128)])
def test_each_does_its_own_resize_and_normalisation(tmp_path, monkeypatch, name, size, value):
    recognizer, _ = load_recognizer(str(folder_of(tmp_path, name)))
    given = []
    monkeypatch.setattr(type(recognizer.network), "apply", lambda self, variables, x: given.append(x) or x[:, 0, 0])
    recognizer.embed({}, jnp.ones((1, 50, 50, 3)))  # white: 255
    assert given[0].shape == (1, size, size, 3)
    np.testing.assert_allclose(given[0], value, rtol=1e-6)


def test_a_recogniser_is_the_same_static_argument_twice(tmp_path):
    folder = str(folder_of(tmp_path, "arcface"))
    assert hash(load_recognizer(folder)[0]) == hash(load_recognizer(folder)[0])
    assert load_recognizer(folder, conv="matmul")[0].network.conv == "matmul"


def test_without_a_published_threshold_there_is_nothing_to_report(tmp_path):
    with pytest.raises(ValueError, match="no published threshold"):
        TemplateAttacker(str(folder_of(tmp_path, "arcface")))


def test_what_is_no_recogniser_is_refused(tmp_path):
    with pytest.raises(ValueError, match="mtcnn_rnet, which recognises nobody; choose arcface, facenet or sface"):
        load_recognizer(str(folder_of(tmp_path, "mtcnn_rnet")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no model.json"):
        load_recognizer(str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="give sface, or a folder"):
        load_recognizer(str(tmp_path / "absent"))
