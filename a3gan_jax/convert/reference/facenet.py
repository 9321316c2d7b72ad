"""facenet-pytorch's InceptionResnetV1."""

import numpy as np

from a3gan_jax.convert.reference.operations import (
    Array,
    Tensors,
    batch_norm_named,
    conv2d,
    count,
    global_avg_pool,
    linear,
    max_pool,
    relu,
    unit,
)

EPSILON = 1e-3  # of every BatchNorm
# What the three kinds of residual block add of their branches.
SCALE_35, SCALE_17, SCALE_8 = 0.17, 0.10, 0.20


def inception_resnet_v1(tensors: Tensors, images: Array) -> tuple[Array, ...]:
    """Images (N, 3, H, W) in [-1, 1] -> unit embeddings (N, 512), and with a classifier its logits."""

    def conv(name: str, x: Array, *, stride: int = 1, padding: bool = False) -> Array:
        """Convolution, BatchNorm, ReLU; with ``padding`` the map keeps its size."""
        weight = tensors[f"{name}.conv.weight"]
        around = (weight.shape[2] // 2, weight.shape[3] // 2) if padding else 0
        x = conv2d(x, weight, stride=stride, padding=around)
        return relu(batch_norm_named(x, tensors, f"{name}.bn", EPSILON))

    def chain(name: str, x: Array) -> Array:
        """Convolutions one after the other, each of them keeping the map's size."""
        for i in range(count(tensors, f"{name}.{{}}.conv.weight")):
            x = conv(f"{name}.{i}", x, padding=True)
        return x

    def residual(name: str, x: Array, scale: float, *, branches: int = 2) -> Array:
        """The input plus a part of what the branches and a 1x1 convolution make of it."""
        y = [conv(f"{name}.branch0", x), *(chain(f"{name}.branch{i}", x) for i in range(1, branches))]
        y = conv2d(np.concatenate(y, axis=1), tensors[f"{name}.conv2d.weight"], tensors[f"{name}.conv2d.bias"])
        return y * scale + x

    x = conv("conv2d_1a", images, stride=2)
    x = conv("conv2d_2b", conv("conv2d_2a", x), padding=True)
    x = conv("conv2d_4a", conv("conv2d_3b", max_pool(x, 3, 2)))
    x = conv("conv2d_4b", x, stride=2)
    for i in range(count(tensors, "repeat_1.{}.conv2d.weight")):
        x = relu(residual(f"repeat_1.{i}", x, SCALE_35, branches=3))
    branch = conv("mixed_6a.branch1.1", conv("mixed_6a.branch1.0", x), padding=True)
    branches = conv("mixed_6a.branch0", x, stride=2), conv("mixed_6a.branch1.2", branch, stride=2), max_pool(x, 3, 2)
    x = np.concatenate(branches, axis=1)
    for i in range(count(tensors, "repeat_2.{}.conv2d.weight")):
        x = relu(residual(f"repeat_2.{i}", x, SCALE_17))
    first = conv("mixed_7a.branch0.1", conv("mixed_7a.branch0.0", x), stride=2)
    second = conv("mixed_7a.branch1.1", conv("mixed_7a.branch1.0", x), stride=2)
    third = conv("mixed_7a.branch2.1", conv("mixed_7a.branch2.0", x), padding=True)
    third = conv("mixed_7a.branch2.2", third, stride=2)
    x = np.concatenate([first, second, third, max_pool(x, 3, 2)], axis=1)
    for i in range(count(tensors, "repeat_3.{}.conv2d.weight")):
        x = relu(residual(f"repeat_3.{i}", x, SCALE_8))
    x = residual("block8", x, 1.0)
    x = batch_norm_named(linear(global_avg_pool(x), tensors["last_linear.weight"]), tensors, "last_bn", EPSILON)
    if "logits.weight" not in tensors:
        return (unit(x),)
    return unit(x), linear(x, tensors["logits.weight"], tensors["logits.bias"])
