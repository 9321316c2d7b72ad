"""MediaPipe's face mesh from its TFLite file."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from a3gan_jax.models.face_mesh import HEADS, NECK, POINTS, STAGES, STEM

LEARNED = ("CONV_2D", "DEPTHWISE_CONV_2D", "PRELU")


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
    body, *heads = _weights(interpreter)
    arrays: list[np.ndarray] = []

    def take(*shape: int) -> np.ndarray:
        if not arrays or arrays[0].shape != shape:
            found = arrays[0].shape if arrays else "nothing more"
            raise ValueError(f"{file} is no face mesh of 468 points: {found} instead of {shape}")
        return arrays.pop(0)

    def prelu(channels: int) -> dict[str, np.ndarray]:
        return {"slope": take(1, 1, channels).reshape(channels)}

    def dense(inputs: int, outputs: int, side: int = 1) -> dict[str, np.ndarray]:
        kernel = take(outputs, side, side, inputs).transpose(1, 2, 3, 0).reshape(side * side * inputs, outputs)
        return {"kernel": kernel, "bias": take(outputs)}

    def block(inputs: int, outputs: int) -> dict[str, Any]:
        depthwise = {"kernel": take(1, 3, 3, inputs).transpose(1, 2, 0, 3), "bias": take(inputs)}
        return {"depthwise": depthwise, "pointwise": dense(inputs, outputs), "prelu": prelu(outputs)}

    def blocks(name: str, channels: int, widths: Sequence[int]) -> dict[str, Any]:
        return {f"{name}_{i}": block(*pair) for i, pair in enumerate(itertools.pairwise((channels, *widths)))}

    arrays += body
    params: dict[str, Any] = {"stem_kernel": take(STEM, 3, 3, 3).transpose(1, 2, 3, 0), "stem_bias": take(STEM)}
    params["stem_prelu"], channels = prelu(STEM), STEM
    for stage, widths in enumerate(STAGES):
        params |= blocks(f"stage_{stage}", channels, widths)
        channels = widths[-1]
    for (name, widths), rest in zip(HEADS.items(), heads, strict=True):
        arrays += rest
        params |= blocks(name, channels, widths)
        params[f"{name}_neck"], params[f"{name}_neck_prelu"] = dense(widths[-1], NECK), prelu(NECK)
        params[f"{name}_neck_block"] = block(NECK, NECK)
        params[name] = dense(NECK, {"points": 3 * POINTS, "face": 1}[name], side=3)
    if arrays:
        raise ValueError(f"{file} is no face mesh of 468 points: {len(arrays)} arrays are left over")
    numbers = (3 * np.asarray(points)[:, None] + np.arange(axes)).reshape(-1)
    params["points"] = {key: value[..., numbers] for key, value in params["points"].items()}
    return {"params": params}


def _weights(interpreter: Any) -> tuple[list[np.ndarray], ...]:
    """The weights in the order in which they are used: those that all outputs need, and those of each alone, that of
    the largest output first."""
    operations = interpreter._get_ops_details()
    source = {int(output): number for number, op in enumerate(operations) for output in op["outputs"]}
    given = {int(each["index"]) for each in interpreter.get_input_details()}
    outputs = sorted(interpreter.get_output_details(), key=lambda each: -int(np.prod(each["shape"])))
    needs = []
    for output in outputs:
        needed, waiting = set(), [output["index"]]
        while waiting:
            number = source.get(int(waiting.pop()))
            if number is not None and number not in needed:
                needed.add(number)
                waiting.extend(operations[number]["inputs"])
        needs.append(needed)

    def arrays(numbers: set[int]) -> list[np.ndarray]:
        used = [operations[number] for number in sorted(numbers)]
        inputs = [int(i) for op in used if op["op_name"] in LEARNED for i in op["inputs"]]
        return [interpreter.get_tensor(i) for i in inputs if i not in source and i not in given]

    shared = set.intersection(*needs)
    return arrays(shared), *(arrays(needed - shared) for needed in needs)
