"""github.com/bluestyle97/STGAN-pytorch: generator and discriminator."""

import numpy as np

from a3gan_jax.convert.reference.operations import (
    Array,
    Tensors,
    batch_norm_named,
    conv2d,
    conv_transpose2d,
    count,
    flatten,
    leaky_relu,
    linear,
    relu,
    sigmoid,
    tiled,
)

SLOPE = 0.2


def generator(tensors: Tensors, images: Array, difference: Array) -> tuple[Array, ...]:
    """Images (N, 3, H, W) and the change of their attributes (N, K) -> the edited images.

    At which decoder layers the encoder's feature is appended is told by the number of channels that they take.
    """
    features, x = [], images
    for i in range(count(tensors, "encoder.{}.0.weight")):
        x = conv2d(x, tensors[f"encoder.{i}.0.weight"], stride=2, padding=1)
        x = leaky_relu(batch_norm_named(x, tensors, f"encoder.{i}.1"), SLOPE)
        features.append(x)
    state = features.pop()
    x = np.concatenate([state, tiled(difference, state)], axis=1)
    for i in range(count(tensors, "decoder.{}.0.weight")):
        if i > 0:
            feature = features.pop()
            if len(tensors[f"decoder.{i}.0.weight"]) > x.shape[1]:
                if f"stu.{i - 1}.upsample.weight" in tensors:
                    feature, state = _unit(tensors, f"stu.{i - 1}", feature, state, difference)
                x = np.concatenate([x, feature], axis=1)
        x = conv_transpose2d(x, tensors[f"decoder.{i}.0.weight"], stride=2, padding=1)
        if f"decoder.{i}.1.weight" in tensors:
            x = relu(batch_norm_named(x, tensors, f"decoder.{i}.1"))
        if f"decoder.{i}.3.weight" in tensors:
            x = conv_transpose2d(x, tensors[f"decoder.{i}.3.weight"], padding=1)
    return (np.tanh(x),)


def _unit(tensors: Tensors, name: str, feature: Array, state: Array, difference: Array) -> tuple[Array, Array]:
    """A selective transfer unit: what the decoder gets, and the state of the next unit."""

    def gate(gate: str, x: Array) -> Array:
        kernel = tensors[f"{name}.{gate}.0.weight"]
        return batch_norm_named(conv2d(x, kernel, padding=kernel.shape[2] // 2), tensors, f"{name}.{gate}.1")

    state = np.concatenate([state, tiled(difference, state)], axis=1)
    upsampled = conv_transpose2d(state, tensors[f"{name}.upsample.weight"], stride=2, padding=1)
    both = np.concatenate([feature, upsampled], axis=1)
    reset, update = sigmoid(gate("reset_gate", both)), sigmoid(gate("update_gate", both))
    state = reset * upsampled
    hidden = np.tanh(gate("hidden", np.concatenate([feature, state], axis=1)))
    return (1 - update) * upsampled + update * hidden, state


def discriminator(tensors: Tensors, images: Array) -> tuple[Array, ...]:
    """Images (N, 3, S, S) -> realness (N, 1), attribute logits (N, K)."""
    x = images
    for i in range(count(tensors, "conv.{}.0.weight")):
        x = conv2d(x, tensors[f"conv.{i}.0.weight"], tensors[f"conv.{i}.0.bias"], stride=2, padding=1)
        # An InstanceNorm that tracked running statistics: in evaluation mode it is a BatchNorm.
        x = leaky_relu(batch_norm_named(x, tensors, f"conv.{i}.1"), SLOPE)

    def head(name: str) -> Array:
        y = linear(flatten(x), tensors[f"{name}.0.weight"], tensors[f"{name}.0.bias"])
        return linear(leaky_relu(y, SLOPE), tensors[f"{name}.2.weight"], tensors[f"{name}.2.bias"])

    return head("fc_adv"), head("fc_att")
