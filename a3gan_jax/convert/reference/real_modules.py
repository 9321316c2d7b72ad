"""Checks a conversion with the peer's own PyTorch module, where its project is installed."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from flax import linen as nn

from a3gan_jax.convert.layouts.table import Layout
from a3gan_jax.convert.reference import network_outputs, random_inputs, relative_error
from a3gan_jax.convert.reference.operations import Array, Tensors

#: Layout -> the package's name of the module and the arguments that build it from the converted network's.
FACENET_PYTORCH: Mapping[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "facenet": (
        "InceptionResnetV1",
        lambda network: dict(pretrained=None, num_classes=network.num_classes, device="cpu"),
    ),
    "mtcnn_pnet": ("PNet", lambda network: dict(pretrained=False)),
    "mtcnn_rnet": ("RNet", lambda network: dict(pretrained=False)),
    "mtcnn_onet": ("ONet", lambda network: dict(pretrained=False)),
}


def compare_with_module(
    layout: Layout, tensors: Tensors, network: nn.Module, variables: Mapping[str, Any], *, seed: int = 0
) -> float | None:
    """Like ``reference.verify``, against the module of facenet-pytorch in float64.

    Returns:
        The largest relative error; None where the layout is not of that project, or the project or what it needs
        (torch, torchvision) is not installed.

    Raises:
        ValueError: the module does not take the tensors.
    """
    if layout.name not in FACENET_PYTORCH:
        return None
    try:
        import torch

        package = importlib.import_module("facenet_pytorch")
    except ImportError:
        return None
    name, arguments = FACENET_PYTORCH[layout.name]
    module = getattr(package, name)(**arguments(network))
    given = {key: torch.from_numpy(np.array(value)) for key, value in tensors.items()}
    counts = {key: value for key, value in module.state_dict().items() if key.endswith("num_batches_tracked")}
    try:
        module.load_state_dict(counts | given)
    except RuntimeError as error:
        raise ValueError(
            f"{name} of facenet-pytorch does not take the tensors: {' '.join(str(error).split())}"
        ) from error
    module = module.double().eval()
    inputs = random_inputs(layout, tensors, seed)
    ours = jax.jit(lambda variables, images: network_outputs(layout, network, variables, images, ()))
    with jax.default_matmul_precision("highest"):
        outputs = jax.tree.map(np.asarray, ours(variables, *inputs))
    with torch.no_grad():
        x = torch.from_numpy(inputs[0].astype(np.float64).transpose(0, 3, 1, 2).copy())
        wanted = _as_arrays(module(x))
        if layout.name == "facenet" and network.num_classes is not None:
            module.classify = True
            wanted += _as_arrays(module(x))
    return float(np.max([relative_error(got, w) for got, w in zip(outputs, wanted, strict=True)]))


def _as_arrays(outputs: Any) -> list[Array]:
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return [y.numpy().transpose(0, 2, 3, 1) if y.ndim == 4 else y.numpy() for y in outputs]
