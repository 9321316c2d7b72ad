"""The operations of PyTorch's networks in NumPy, float64: slow, short, and as its documentation defines them.

Feature maps are (N, C, H, W) float64, weights have PyTorch's axes and any float dtype. Everything is in evaluation
mode. Convolutions go tap by tap, one matrix product for each place of the kernel, so that no more memory is taken than
a few times the feature map.
"""

from collections.abc import Mapping

import numpy as np

Array = np.ndarray
#: A state dict: PyTorch's names and axes.
Tensors = Mapping[str, Array]


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    groups: int = 1,
) -> Array:
    """(N, C, H, W) by (O, C / groups, kh, kw) -> (N, O, H', W'), zeros outside the map, the kernel not turned."""
    rows, columns = (padding, padding) if isinstance(padding, int) else padding
    x = np.pad(x, ((0, 0), (0, 0), (rows, rows), (columns, columns)))
    n, c, height, width = x.shape
    outputs, inputs, kh, kw = weight.shape
    if inputs * groups != c:
        raise ValueError(f"a kernel for {groups} groups of {inputs} channels cannot see {c} channels")
    h, w = (height - kh) // stride + 1, (width - kw) // stride + 1
    grouped = _float64(weight).reshape(groups, outputs // groups, inputs, kh, kw)
    y = np.zeros((n, groups, outputs // groups, h * w))
    for i in range(kh):
        for j in range(kw):
            y += grouped[..., i, j] @ _seen(x, i, j, stride, h, w).reshape(n, groups, inputs, h * w)
    return _add_bias(y.reshape(n, outputs, h, w), bias)


def conv_transpose2d(x: Array, weight: Array, bias: Array | None = None, *, stride: int = 1, padding: int = 0) -> Array:
    """(N, C, H, W) by (C, O, kh, kw) -> (N, O, H', W'): each pixel adds the kernel, times its value, to the output.

    Pixel (r, s) adds ``weight[:, :, i, j]`` at (stride r + i - padding, stride s + j - padding).
    """
    n, c, h, w = x.shape
    _, outputs, kh, kw = weight.shape
    kernel, pixels = _float64(weight), x.reshape(n, c, h * w)
    y = np.zeros((n, outputs, stride * (h - 1) + kh, stride * (w - 1) + kw))
    for i in range(kh):
        for j in range(kw):
            _seen(y, i, j, stride, h, w)[:] += (kernel[:, :, i, j].T @ pixels).reshape(n, outputs, h, w)
    return _add_bias(y[:, :, padding : y.shape[2] - padding, padding : y.shape[3] - padding], bias)


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """(N, I) by (O, I) -> (N, O)."""
    return _add_bias(x @ _float64(weight).T, bias)


def flatten(x: Array) -> Array:
    """(N, C, H, W) -> (N, C H W), the column changing fastest."""
    return x.reshape(len(x), -1)


def batch_norm(x: Array, weight: Array, bias: Array, mean: Array, variance: Array, epsilon: float = 1e-5) -> Array:
    """(N, C, ...) with one weight, bias, mean and variance a channel, the statistics those of training."""
    weight, bias, mean, variance = (_channelwise(value, x.ndim) for value in (weight, bias, mean, variance))
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def batch_norm_named(x: Array, tensors: Tensors, name: str, epsilon: float = 1e-5) -> Array:
    """The BatchNorm that a state dict keeps under a name; also an InstanceNorm that tracked running statistics."""
    entries = ("weight", "bias", "running_mean", "running_var")
    return batch_norm(x, *(tensors[f"{name}.{entry}"] for entry in entries), epsilon)


def instance_norm(x: Array, weight: Array, bias: Array, epsilon: float = 1e-5) -> Array:
    """(N, C, H, W) with each image's own mean and variance in each channel."""
    centred = x - x.mean((2, 3), keepdims=True)
    variance = np.square(centred).mean((2, 3), keepdims=True)
    return centred / np.sqrt(variance + epsilon) * _channelwise(weight, 4) + _channelwise(bias, 4)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    return np.where(x > 0, x, slope * x)


def prelu(x: Array, slopes: Array) -> Array:
    """(N, C, ...) with one slope a channel for what is below zero."""
    return np.where(x > 0, x, _channelwise(slopes, x.ndim) * x)


def sigmoid(x: Array) -> Array:
    return (1 + np.tanh(x / 2)) / 2  # 1 / (1 + exp(-x)), which overflows


def softmax(x: Array) -> Array:
    """(N, C, ...), over the channels."""
    weights = np.exp(x - x.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def max_pool(x: Array, size: int, stride: int, *, ceil_mode: bool = False) -> Array:
    """The largest in each window, without padding.

    With ``ceil_mode`` the last window may reach over the edge, as long as it begins on the map.
    """
    rows, columns = (_windows(side, size, stride, ceil_mode) for side in x.shape[2:])
    over = [max(0, (number - 1) * stride + size - side) for number, side in ((rows, x.shape[2]), (columns, x.shape[3]))]
    x = np.pad(x, ((0, 0), (0, 0), (0, over[0]), (0, over[1])), constant_values=-np.inf)
    y = np.full((*x.shape[:2], rows, columns), -np.inf)
    for i in range(size):
        for j in range(size):
            y = np.maximum(y, _seen(x, i, j, stride, rows, columns))
    return y


def global_avg_pool(x: Array) -> Array:
    """(N, C, H, W) -> (N, C)."""
    return x.mean((2, 3))


def unit(x: Array) -> Array:
    """(N, D) -> (N, D), each of length 1."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def tiled(vector: Array, like: Array) -> Array:
    """(N, K) -> (N, K, H, W), the vector at every place of the map ``like``."""
    return np.broadcast_to(vector[:, :, None, None], (*vector.shape, *like.shape[2:]))


def count(tensors: Tensors, pattern: str) -> int:
    """How many entries 0, 1, 2, ... a state dict has of a pattern with one ``{}``."""
    number = 0
    while pattern.format(number) in tensors:
        number += 1
    return number


def _seen(x: Array, i: int, j: int, stride: int, h: int, w: int) -> Array:
    """What place (i, j) of a kernel sees of a map (N, C, H, W) from its h w positions: a view (N, C, h, w)."""
    return x[:, :, i : i + stride * (h - 1) + 1 : stride, j : j + stride * (w - 1) + 1 : stride]


def _windows(side: int, size: int, stride: int, ceil_mode: bool) -> int:
    if not ceil_mode:
        return (side - size) // stride + 1
    number = -(-(side - size) // stride) + 1
    return number - 1 if (number - 1) * stride >= side else number


def _float64(value: Array) -> Array:
    return np.asarray(value, np.float64)


def _channelwise(value: Array, rank: int) -> Array:
    """One value a channel, so shaped that it goes with a map whose channels are axis 1."""
    return _float64(value).reshape(1, -1, *(1,) * (rank - 2))


def _add_bias(y: Array, bias: Array | None) -> Array:
    return y if bias is None else y + _channelwise(bias, y.ndim)
