"""What the parity tests with PyTorch share: the fixtures ``peers`` and ``facenet_pytorch``."""

import importlib
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import torch
from torch import nn

from a3gan_jax.convert.layouts import LAYOUTS, build

#: Each network runs once: the compiler need not try hard.
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """In evaluation mode, with no statistic and no scale at its initial value, which would hide swapped arrays.

    Weights keep the variance of signals, so that a deep network neither dies nor explodes.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            norm = isinstance(layer, nn.modules.batchnorm._NormBase)
            for name, value in [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]:
                if norm and name in ("weight", "running_var"):
                    value.uniform_(0.5, 1.5, generator=generator)
                elif isinstance(layer, nn.PReLU):
                    value.uniform_(0.1, 0.4, generator=generator)
                elif value.ndim > 1:
                    fan_in = value[:, 0].numel() if isinstance(layer, nn.ConvTranspose2d) else value[0].numel()
                    value.normal_(0, fan_in**-0.5, generator=generator)
                elif value.dtype == torch.float32:
                    value.uniform_(-0.2, 0.6, generator=generator)
    return module.eval()


def tensors(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in module.state_dict().items()}


def converted(layout: str, module: nn.Module):
    """(network, arguments, variables) of ours."""
    return build(LAYOUTS[layout], tensors(module))


def ours(network, variables, *inputs):
    """The network's output."""
    return jax.tree.map(np.asarray, jax.jit(network.apply, compiler_options=QUICK)(variables, *inputs))


def theirs(module, *inputs):
    """The peer's output in NHWC."""

    def turned(y):
        return y.numpy().transpose(0, 2, 3, 1) if y.ndim == 4 else y.numpy()

    given = [x.transpose(0, 3, 1, 2) if x.ndim == 4 else x for x in inputs]
    with torch.no_grad():
        return jax.tree.map(turned, module(*(torch.from_numpy(x).contiguous() for x in given)))


def relative_error(got: np.ndarray, wanted: np.ndarray) -> float:
    assert got.shape == wanted.shape
    assert wanted.std() > 1e-3, "the peer's output hardly varies: the comparison would say nothing"
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


def images(n: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (n, size, size, 3)).astype(np.float32)


@pytest.fixture(scope="session")
def peers() -> SimpleNamespace:
    return SimpleNamespace(
        randomised=randomised,
        tensors=tensors,
        converted=converted,
        ours=ours,
        theirs=theirs,
        relative_error=relative_error,
        images=images,
    )


@pytest.fixture(scope="session")
def facenet_pytorch():
    """The package. Its detector alone needs torchvision, which a plain module stands for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torchvision.transforms", SimpleNamespace(functional=None))
        patch.setitem(sys.modules, "torchvision.ops.boxes", SimpleNamespace(batched_nms=None))
        return importlib.import_module("facenet_pytorch")
