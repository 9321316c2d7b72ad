"""github.com/elvisyjlin/AttGAN-PyTorch: generator and discriminator."""

import numpy as np

from a3gan_jax.convert.reference.operations import (
    Array,
    Tensors,
    batch_norm_named,
    conv2d,
    conv_transpose2d,
    count,
    flatten,
    instance_norm,
    leaky_relu,
    linear,
    relu,
    tiled,
)


def generator(tensors: Tensors, images: Array, attributes: Array) -> tuple[Array, ...]:
    """Images (N, 3, H, W) and attributes (N, K) -> the edited images.

    How many decoder layers are followed by the encoder's feature and by the attributes is told by the number of
    channels that the next layer takes.
    """
    features, x = [], images
    for i in range(count(tensors, "enc_layers.{}.layers.0.weight")):
        x = conv2d(x, tensors[f"enc_layers.{i}.layers.0.weight"], stride=2, padding=1)
        x = leaky_relu(batch_norm_named(x, tensors, f"enc_layers.{i}.layers.1"))
        features.append(x)
    x = np.concatenate([features.pop(), tiled(attributes, x)], axis=1)
    last, k = count(tensors, "dec_layers.{}.layers.0.weight") - 1, attributes.shape[1]
    for i in range(last):
        x = conv_transpose2d(x, tensors[f"dec_layers.{i}.layers.0.weight"], stride=2, padding=1)
        x = relu(batch_norm_named(x, tensors, f"dec_layers.{i}.layers.1"))
        feature = features.pop()
        appended = len(tensors[f"dec_layers.{i + 1}.layers.0.weight"]) - x.shape[1]
        if appended in (feature.shape[1], feature.shape[1] + k):
            x = np.concatenate([x, feature], axis=1)
        if appended in (k, feature.shape[1] + k):
            x = np.concatenate([x, tiled(attributes, x)], axis=1)
    weight, bias = tensors[f"dec_layers.{last}.layers.0.weight"], tensors[f"dec_layers.{last}.layers.0.bias"]
    return (np.tanh(conv_transpose2d(x, weight, bias, stride=2, padding=1)),)


def discriminator(tensors: Tensors, images: Array) -> tuple[Array, ...]:
    """Images (N, 3, S, S) -> realness (N, 1), attribute logits (N, K)."""
    x = images
    for i in range(count(tensors, "conv.{}.layers.0.weight")):
        x = conv2d(x, tensors[f"conv.{i}.layers.0.weight"], stride=2, padding=1)
        x = instance_norm(x, tensors[f"conv.{i}.layers.1.weight"], tensors[f"conv.{i}.layers.1.bias"])
        x = leaky_relu(x)

    def head(name: str) -> Array:
        y = linear(flatten(x), tensors[f"{name}.0.layers.0.weight"], tensors[f"{name}.0.layers.0.bias"])
        return linear(leaky_relu(y), tensors[f"{name}.1.layers.0.weight"], tensors[f"{name}.1.layers.0.bias"])

    return head("fc_adv"), head("fc_cls")
