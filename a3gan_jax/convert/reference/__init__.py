"""Checks a conversion without the peer's code: the source tensors run through a float64 NumPy reference of the network.

The reference knows nothing of Flax and of the layout tables: what comes out of both the same has been converted right.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from flax import linen as nn

from a3gan_jax.convert.layouts.table import Layout
from a3gan_jax.convert.reference import arcface, attgan, facenet, mtcnn, sface, stgan
from a3gan_jax.convert.reference.operations import Array, Tensors
from a3gan_jax.models.facenet import InceptionResnetV1

#: Layout -> (source tensors, inputs in float64 and NCHW) -> outputs in NCHW, in the order of the Flax network's.
REFERENCES: Mapping[str, Callable[..., tuple[Array, ...]]] = {
    "attgan": attgan.generator,
    "attgan_discriminator": attgan.discriminator,
    "stgan": stgan.generator,
    "stgan_discriminator": stgan.discriminator,
    "arcface": arcface.iresnet,
    "facenet": facenet.inception_resnet_v1,
    "mtcnn_pnet": mtcnn.pnet,
    "mtcnn_rnet": mtcnn.rnet,
    "mtcnn_onet": mtcnn.onet,
    "sface": sface.sface,
}
#: Networks that take images of any size, and what of it to take: a side at which each weight of every kernel is used,
#: and not only the middle ones while the others lie on the padding; odd where a window may reach over the edge.
SIDES: Mapping[str, Callable[[int], int]] = {
    "attgan": lambda smallest: 2 * smallest,
    "stgan": lambda smallest: 2 * smallest,
    "mtcnn_pnet": lambda smallest: 2 * smallest + 1,
}
BATCH = 2
GRAIN = 8  # pixels


def verify(
    layout: Layout, tensors: Tensors, network: nn.Module, variables: Mapping[str, Any], *, seed: int = 0
) -> float:
    """The largest error of a converted network on random input, relative to the largest value of the output it is in.

    About 1e-6 for a right conversion; NaN where an output holds NaN.

    Args:
        layout: of the source.
        tensors: the source's, by its names and with its axes.
        network, variables: what they became.
        seed: of the input.

    Raises:
        ValueError: outputs differ in number or shape, or an output is zero everywhere, which would say nothing.
    """
    inputs = random_inputs(layout, tensors, seed)
    ours = jax.jit(lambda variables, images, *rest: network_outputs(layout, network, variables, images, rest))
    with jax.default_matmul_precision("highest"):
        outputs = jax.tree.map(np.asarray, ours(variables, *inputs))
    wanted = REFERENCES[layout.name](tensors, *(_nchw(x.astype(np.float64)) for x in inputs))
    return float(np.max([relative_error(_nchw(output), w) for output, w in zip(outputs, wanted, strict=True)]))


def random_inputs(layout: Layout, tensors: Tensors, seed: int) -> list[Array]:
    """What ``verify`` lets both networks see: images (N, H, W, 3) float32 in the peer's range, then attributes (N, K).

    The images are noise of two grains: of the fine one alone a deep network sees little more than the mean.
    """
    random = np.random.default_rng(seed)
    folded = layout.fold(tensors) if layout.fold else tensors
    images, *rest = layout.inputs(layout.arguments({name: np.shape(tensor) for name, tensor in folded.items()}))
    height, width = map(SIDES.get(layout.name, int), images[1:3])
    low, high = layout.facts.value_range if layout.facts else (-1, 1)
    fine = random.uniform(low, high, (BATCH, height, width, 3))
    coarse = random.uniform(low, high, (BATCH, -(-height // GRAIN), -(-width // GRAIN), 3))
    drawn = [(fine + coarse.repeat(GRAIN, 1).repeat(GRAIN, 2)[:, :height, :width]) / 2]
    drawn += [random.uniform(-1, 1, (BATCH, *shape[1:])) for shape in rest]
    return [value.astype(np.float32) for value in drawn]


def network_outputs(
    layout: Layout, network: nn.Module, variables: Mapping[str, Any], images: jax.Array, rest: tuple[jax.Array, ...]
) -> tuple[jax.Array, ...]:
    """All that a converted network can be asked for, on images in the peer's range."""
    if layout.prepare:
        images = layout.prepare(images)
    outputs = network.apply(variables, images, *rest)
    if isinstance(network, InceptionResnetV1) and network.num_classes is not None:
        return outputs, network.apply(variables, images, classify=True)
    return outputs if isinstance(outputs, tuple) else (outputs,)


def relative_error(got: Array, wanted: Array) -> float:
    """The largest difference, relative to the largest value that is wanted; ValueError where that says nothing."""
    if got.shape != wanted.shape:
        raise ValueError(f"the network's output is {got.shape}, the reference's is {wanted.shape}")
    scale = np.abs(wanted).max()
    if scale == 0:
        raise ValueError("an output is zero everywhere: comparing it says nothing")
    return float(np.abs(got - wanted).max() / scale)


def _nchw(x: Array) -> Array:
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x
