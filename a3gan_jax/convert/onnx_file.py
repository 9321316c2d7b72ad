"""Reads the arrays of an ONNX file; its graph is for those to know who wrote the layout."""

from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from a3gan_jax.convert.torch_file import DAMAGE, UnreadableFile
from a3gan_jax.pretrained import read_onnx


def read_onnx_arrays(file: Path) -> dict[str, np.ndarray]:
    """The arrays of an ONNX model by name, with quantised weights folded into float32.

    Raises:
        UnreadableFile: it cannot be read, or keeps its weights in other files; one line.
    """
    if not file.is_file():
        raise UnreadableFile(f"{file}: there is no such file; check the path")
    try:
        arrays = [(tensor.name, numpy_helper.to_array(tensor)) for tensor in read_onnx(file).graph.initializer]
    except (*DAMAGE, DecodeError, AttributeError) as error:
        cause = " ".join(str(error).split())[:120]
        raise UnreadableFile(
            f"{file}: it is damaged or no ONNX file ({type(error).__name__}: {cause}); get it again"
        ) from error
    named = dict(arrays)
    if len(named) != len(arrays):
        raise UnreadableFile(f"{file}: two of its arrays have one name; the file is damaged or forged")
    return named
