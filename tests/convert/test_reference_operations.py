"""The NumPy reference's operations are PyTorch's, in double precision."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from a3gan_jax.convert.reference import operations


def _random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def _torch(function, *arrays, **options):
    return function(*map(torch.from_numpy, arrays), **options).numpy()


def _assert_same(got, wanted):
    assert got.shape == wanted.shape and got.dtype == np.float64
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((3, 3), dict(padding=1)),
        ((4, 4), dict(stride=2, padding=1)),
        ((3, 3), dict(stride=2)),
        ((2, 2), dict()),
        ((1, 1), dict(stride=2)),
        ((1, 7), dict(padding=(0, 3))),
        ((7, 1), dict(padding=(3, 0))),
        ((3, 3), dict(stride=2, padding=1, groups=2)),
        ((3, 3), dict(padding=1, groups=6)),
    ],
)
@pytest.mark.parametrize("size", [(8, 8), (9, 11)])
def test_convolution_is_torchs(kernel, options, size):
    x, bias = _random(2, 6, *size), _random(12)
    weight = _random(12, 6 // options.get("groups", 1), *kernel, seed=1)
    for given in ((x, weight), (x, weight, bias)):
        _assert_same(operations.conv2d(*given, **options), _torch(functional.conv2d, *given, **options))


def test_a_convolution_of_other_channels_is_refused():
    with pytest.raises(ValueError, match="1 groups of 3 channels cannot see 4 channels"):
        operations.conv2d(_random(1, 4, 5, 5), _random(2, 3, 3, 3))


@pytest.mark.parametrize(("side", "options"), [(4, dict(stride=2, padding=1)), (3, dict(padding=1)), (3, dict())])
def test_transposed_convolution_is_torchs(side, options):
    x, weight, bias = _random(2, 3, 5, 4), _random(3, 7, side, side, seed=1), _random(7)
    for given in ((x, weight), (x, weight, bias)):
        got = operations.conv_transpose2d(*given, **options)
        _assert_same(got, _torch(functional.conv_transpose2d, *given, **options))


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5, 6)])
def test_batch_norm_is_torchs(shape):
    x, (weight, bias, mean), variance = _random(*shape), _random(3, 3), np.array([0.3, 1.0, 2.0])
    for epsilon in (1e-5, 1e-3):
        wanted = _torch(functional.batch_norm, x, mean, variance, weight, bias, eps=epsilon)
        _assert_same(operations.batch_norm(x, weight, bias, mean, variance, epsilon), wanted)
    tensors = {"n.weight": weight, "n.bias": bias, "n.running_mean": mean, "n.running_var": variance}
    wanted = _torch(functional.batch_norm, x, mean, variance, weight, bias)
    _assert_same(operations.batch_norm_named(x, tensors, "n"), wanted)


def test_instance_norm_is_torchs():
    x, (weight, bias, mean), variance = 3 + _random(2, 3, 5, 6), _random(3, 3), np.array([0.3, 1.0, 2.0])
    own = functional.instance_norm(*map(torch.from_numpy, (x,)), weight=torch.tensor(weight), bias=torch.tensor(bias))
    _assert_same(operations.instance_norm(x, weight, bias), own.numpy())
    running = _torch(functional.instance_norm, x, mean, variance, weight, bias, use_input_stats=False)
    _assert_same(operations.batch_norm(x, weight, bias, mean, variance), running)


def test_dense_layer_and_activations_are_torchs():
    x, weight, bias, slopes = _random(2, 6), _random(4, 6, seed=1), _random(4), np.array([0.1, 0.2, 0.3, -0.5])
    _assert_same(operations.linear(x, weight, bias), _torch(functional.linear, x, weight, bias))
    _assert_same(operations.linear(x, weight), _torch(functional.linear, x, weight))
    for shape in ((3, 4), (3, 4, 2, 5)):
        x = 20 * _random(*shape)
        _assert_same(operations.prelu(x, slopes), _torch(functional.prelu, x, slopes))
        _assert_same(operations.softmax(x), _torch(functional.softmax, x, dim=1))
        _assert_same(operations.leaky_relu(x), _torch(functional.leaky_relu, x))
        _assert_same(operations.leaky_relu(x, 0.2), _torch(functional.leaky_relu, x, negative_slope=0.2))
        _assert_same(operations.relu(x), _torch(functional.relu, x))
        _assert_same(operations.sigmoid(100 * x), _torch(torch.sigmoid, 100 * x))
    _assert_same(operations.unit(x[..., 0, 0]), _torch(functional.normalize, x[..., 0, 0]))


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 2), (2, 3), (3, 1)])
@pytest.mark.parametrize("size", [(4, 5), (6, 7), (10, 11)])
def test_maximum_is_torchs(window, stride, ceil_mode, size):
    x = _random(2, 3, *size) - 5  # below zero, which padding with zeros would hide
    wanted = _torch(functional.max_pool2d, x, kernel_size=window, stride=stride, ceil_mode=ceil_mode)
    _assert_same(operations.max_pool(x, window, stride, ceil_mode=ceil_mode), wanted)


def test_mean_and_order_of_features_are_torchs():
    x = _random(2, 3, 4, 5)
    _assert_same(operations.global_avg_pool(x), _torch(functional.adaptive_avg_pool2d, x, output_size=1)[..., 0, 0])
    _assert_same(operations.flatten(x), _torch(torch.flatten, x, start_dim=1))
