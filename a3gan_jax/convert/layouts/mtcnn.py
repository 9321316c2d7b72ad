"""Weights of facenet-pytorch's MTCNN: the files pnet.pt, rnet.pt and onet.pt of its wheel."""

from collections.abc import Callable
from typing import Any

from flax import linen as nn

from a3gan_jax.convert.layouts.table import Facts, Layout, Rule, kernel_and_bias
from a3gan_jax.models.mtcnn import PNET_MIN_SIZE, ONet, PNet, RNet

# One table for the three: which layers there are, and of what size, the network says.
RULES = (
    *kernel_and_bias("conv{}", "conv{}", "conv"),
    *kernel_and_bias("conv{}_{}", "conv{}_{}", "conv"),
    *kernel_and_bias("dense{}", "dense{}", "dense"),
    *kernel_and_bias("dense{}_{}", "dense{}_{}", "dense"),
    Rule("prelu{}.weight", "params/prelu{}/slope"),
)


def _layout(name: str, network: Callable[..., nn.Module], size: int, **sides: Any) -> Layout:
    facts = Facts(
        value_range=(-127.5 / 128, 127.5 / 128),
        normalisation="(x - 127.5) / 128",
        public="the wheel facenet-pytorch==2.6.0",
        licence="MIT, as the whole project",
        **sides,
    )
    inputs = ((1, size, size, 3),)
    return Layout(name=name, network=network, rules=RULES, arguments=lambda s: {}, inputs=lambda a: inputs, facts=facts)


MTCNN_PNET = _layout("mtcnn_pnet", PNet, 12, side=lambda a: None, sides=f"any from {PNET_MIN_SIZE} pixels up")
MTCNN_RNET = _layout("mtcnn_rnet", RNet, 24, side=lambda a: 24)
MTCNN_ONET = _layout("mtcnn_onet", ONet, 48, side=lambda a: 48)
