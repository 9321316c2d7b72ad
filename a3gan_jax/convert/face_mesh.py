"""MediaPipe's face mesh from its TFLite file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from a3gan_jax.models.face_mesh import POINTS, STAGES


def read_face_mesh(file: Path, points: Sequence[int] = range(POINTS), axes: int = 3) -> dict[str, Any]:
    """Variables of ``models.face_mesh.FaceMesh(axes * len(points))``.

    Args:
        file: ``face_landmark.tflite`` of MediaPipe (468 points).
        points: those that the last layer shall find.
        axes: 3: x, y and z of each; 2: x and y.

    Raises:
        ModuleNotFoundError: ai-edge-litert is not installed.
        ValueError: the graph is another one.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('TFLite files need ai-edge-litert: pip install "a3gan-jax[eval]"') from error
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # which would take the graph over
    interpreter = Interpreter(model_path=str(file), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    arrays = _weights(interpreter)
    arrays.reverse()

    def take(*shape: int) -> np.ndarray:
        if not arrays or arrays[-1].shape != shape:
            found = arrays[-1].shape if arrays else "nothing more"
            raise ValueError(f"{file} is no face mesh of 468 points: {found} instead of {shape}")
        return arrays.pop()

    def prelu(channels: int) -> dict[str, np.ndarray]:
        return {"slope": take(1, 1, channels).reshape(channels)}

    def dense(inputs: int, outputs: int, side: int = 1) -> dict[str, np.ndarray]:
        kernel = take(outputs, side, side, inputs).transpose(1, 2, 3, 0).reshape(side * side * inputs, outputs)
        return {"kernel": kernel, "bias": take(outputs)}

    def block(inputs: int, outputs: int) -> dict[str, Any]:
        depthwise = {"kernel": take(1, 3, 3, inputs).transpose(1, 2, 0, 3), "bias": take(inputs)}
        return {"depthwise": depthwise, "pointwise": dense(inputs, outputs), "prelu": prelu(outputs)}

    channels = STAGES[0][0]
    params: dict[str, Any] = {"stem_kernel": take(channels, 3, 3, 3).transpose(1, 2, 3, 0), "stem_bias": take(channels)}
    params["stem_prelu"] = prelu(channels)
    for stage, widths in enumerate(STAGES):
        for number, width in enumerate(widths):
            params[f"block_{stage}_{number}"] = block(channels, width)
            channels = width
    neck = arrays[-1].shape[0]
    params["neck"], params["neck_prelu"] = dense(channels, neck), prelu(neck)
    params["block_neck"] = block(neck, neck)
    last = dense(neck, 3 * POINTS, side=3)
    numbers = (3 * np.asarray(points)[:, None] + np.arange(axes)).reshape(-1)
    params["points"] = {name: value[..., numbers] for name, value in last.items()}
    if arrays:
        raise ValueError(f"{file} is no face mesh of 468 points: {len(arrays)} arrays are left over")
    return {"params": params}


def _weights(interpreter: Any) -> list[np.ndarray]:
    """The weights on the way to the largest output, in the order in which they are used."""
    operations, sizes = interpreter._get_ops_details(), {}
    source = {int(output): number for number, op in enumerate(operations) for output in op["outputs"]}
    for output in interpreter.get_output_details():
        sizes[output["index"]] = int(np.prod(output["shape"]))
    needed, waiting = set(), [max(sizes, key=sizes.get)]
    while waiting:
        number = source.get(int(waiting.pop()))
        if number is not None and number not in needed:
            needed.add(number)
            waiting.extend(operations[number]["inputs"])
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "PRELU")
    used = [operations[number] for number in sorted(needed) if operations[number]["op_name"] in kinds]
    return [interpreter.get_tensor(int(index)) for op in used for index in op["inputs"] if int(index) not in source
            and int(index) != interpreter.get_input_details()[0]["index"]]  # fmt: skip
