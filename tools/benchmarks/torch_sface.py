"""SFace in plain PyTorch, as the benchmarks' frozen recogniser."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from a3gan_jax.convert.layouts import SFACE
from a3gan_jax.convert.layouts.table import state_dict
from a3gan_jax.models import sface
from tools.benchmarks.torch_networks import flat


class PReLUConv(nn.Conv2d):
    """A convolution and a PReLU."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1):
        super().__init__(inputs, outputs, side, stride, side // 2, groups=groups)
        self.slope = nn.Parameter(torch.full((outputs,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        return F.prelu(super().forward(x), self.slope)


class SFace(nn.Module):
    """The frozen recogniser with our weights: faces (N, 3, 112, 112) in [-1, 1] -> unit embeddings (N, 128)."""

    def __init__(self, variables: Mapping[str, Any]):
        super().__init__()
        inputs = [sface.STEM, *(features for features, _ in sface.BLOCKS)]
        blocks = [(str(n), c, *block) for n, (c, block) in enumerate(zip(inputs, sface.BLOCKS, strict=False), start=2)]
        self.stem = PReLUConv(3, sface.STEM, 3)
        self.depthwise = nn.ModuleDict({n: PReLUConv(c, c, 3, stride, groups=c) for n, c, _, stride in blocks})
        self.pointwise = nn.ModuleDict({n: PReLUConv(c, features, 1) for n, c, features, _ in blocks})
        self.embedding = nn.Linear(inputs[-1] * (sface.SIZE // 16) ** 2, sface.WIDTH)
        tensors = {name: torch.tensor(value) for name, value in state_dict(SFACE, variables).items()}
        shapes = {name: value.shape for name, value in self.state_dict().items()}
        self.load_state_dict({name: value.reshape(shapes[name]) for name, value in tensors.items()})
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x * (127.5 / 128))
        for number, depthwise in self.depthwise.items():
            x = self.pointwise[number](depthwise(x))
        return F.normalize(self.embedding(flat(x)))
