"""tools/convert.py refuses ONNX files that are broken, or hold another network, and writes nothing."""

import os

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from a3gan_jax import pretrained
from a3gan_jax.convert.recognizers import SFACE_FILE, SFACE_PACKAGE


def graph(arrays, nodes=()):
    """An ONNX file of these initialisers and nodes."""
    initializers = [numpy_helper.from_array(value, name) for name, value in arrays.items()]
    return helper.make_model(helper.make_graph(list(nodes), "g", [], [], initializers))


def used(name):
    return helper.make_node("Identity", [name], [f"{name}_used"])


def dequantized(**attributes):
    return helper.make_node("DequantizeLinear", ["q", "s"], ["weights"], **attributes)


def broken_onnx():
    plain = graph({"a": np.ones((4, 3), np.float32)}, [used("a")])
    whole = plain.SerializeToString()
    files = {f"cut at {percent} %": whole[: len(whole) * percent // 100] for percent in range(0, 100, 5)}
    quantized = {"q": np.ones((2, 4), np.int8), "s": np.ones((2, 1), np.float32)}
    files["another network"] = whole
    files["huge block"] = graph(quantized, [dequantized(axis=1, block_size=2**31 - 1)]).SerializeToString()
    files["blocks too few"] = graph(quantized, [dequantized(axis=1, block_size=1)]).SerializeToString()
    files["axis beyond"] = graph(quantized, [dequantized(axis=7, block_size=2)]).SerializeToString()
    files["no scale"] = graph({"q": quantized["q"]}, [dequantized()]).SerializeToString()
    twice = graph({"a": np.ones(3, np.float32)}, [used("a")])
    twice.graph.initializer.append(twice.graph.initializer[0])
    huge = graph({"a": np.ones(3, np.float32)}, [used("a")])
    huge.graph.initializer[0].dims[0] = 1 << 40
    outside = graph({"a": np.ones(3, np.float32)}, [used("a")])
    tensor = outside.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    odd = graph({"a": np.ones(3, np.float32)}, [used("a")])
    odd.graph.initializer[0].data_type = 99
    files |= {"name twice": twice, "huge shape": huge, "weights elsewhere": outside, "unknown type": odd}
    files |= {"text": b"these are my weights\n", "nothing": b"", "noise": np.random.default_rng(0).bytes(1000)}
    return {name: file if isinstance(file, bytes) else file.SerializeToString() for name, file in files.items()}


@pytest.mark.parametrize(("name", "content"), broken_onnx().items(), ids=broken_onnx())
def test_a_broken_onnx_file_is_refused(run_convert, tmp_path, name, content):
    (tmp_path / "x.onnx").write_bytes(content)
    code, out, err = run_convert("x.onnx", "--to", "model")
    assert code == 2 and out == "" and err.startswith("convert.py: error: x.onnx: ")
    assert os.listdir(tmp_path) == ["x.onnx"]


def test_sface_with_another_normalisation_or_a_damaged_array_is_refused(run_convert, tmp_path):
    model = pretrained.read_onnx(pretrained.wheel_file(*SFACE_FILE, install=SFACE_PACKAGE))
    arrays = {tensor.name: tensor for tensor in model.graph.initializer}
    arrays["scalar_op1"].CopyFrom(numpy_helper.from_array(np.float32([0.0]), "scalar_op1"))
    onnx.save(model, tmp_path / "x.onnx")
    code, _, err = run_convert("x.onnx", "--to", "model")
    assert code == 2 and "not normalised by (x - 127.5) / 128" in err
    arrays["bn1_beta"].CopyFrom(numpy_helper.from_array(np.full(1024, np.nan, np.float32), "bn1_beta"))
    arrays["fc1_gamma"].CopyFrom(numpy_helper.from_array(np.ones(127, np.float32), "fc1_gamma"))
    onnx.save(model, tmp_path / "x.onnx")
    code, _, err = run_convert("x.onnx", "--to", "model")
    assert code == 2 and "the nearest is sface, but it does not fit" in err
    assert "bn1_beta: holds NaN" in err and "fc1_gamma: float32 of shape (127,)" in err
    assert os.listdir(tmp_path) == ["x.onnx"]
