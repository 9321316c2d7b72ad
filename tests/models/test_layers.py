"""All forms of a convolution are one function, and it is PyTorch's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from a3gan_jax.models.layers import (
    Conv,
    GroupNorm,
    downsampling_conv,
    halved,
    resolve_conv_form,
    same_conv,
    smoothed,
    upsampling_conv,
)


def _random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("conv", "side", "other"),
    [
        (downsampling_conv, 4, "matmul"),
        (downsampling_conv, 4, "products"),
        (upsampling_conv, 4, "matmul"),
        (same_conv, 3, "matmul"),
    ],
)
@pytest.mark.parametrize("size", [(8, 8), (4, 6), (2, 2)])
def test_forms_agree_in_value_and_gradient(conv, side, other, size):
    x, kernel = _random((2, *size, 5)), _random((side, side, 5, 3), 1)

    @functools.partial(jax.jit, static_argnums=0)
    def run(form):
        value, pullback = jax.vjp(lambda x, k: conv(x, k, form), x, kernel)
        return value, pullback(jnp.asarray(_random(value.shape, 2)))

    for a, b in zip(jax.tree.leaves(run("lax")), jax.tree.leaves(run(other)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["lax", "matmul", "products"])
def test_downsampling_is_torch_conv2d(form):
    x, kernel = _random((2, 8, 6, 5)), _random((4, 4, 5, 3), 1)
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(x.transpose(0, 3, 1, 2)), torch.from_numpy(kernel.transpose(3, 2, 0, 1)), stride=2, padding=1
    )
    got = downsampling_conv(jnp.asarray(x), jnp.asarray(kernel), form)
    np.testing.assert_allclose(got, expected.numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["lax", "matmul"])
def test_upsampling_is_torch_conv_transpose2d(form):
    x, kernel = _random((2, 4, 3, 5)), _random((4, 4, 5, 3), 1)
    expected = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(x.transpose(0, 3, 1, 2)), torch.from_numpy(kernel.transpose(2, 3, 0, 1)), stride=2, padding=1
    )
    got = upsampling_conv(jnp.asarray(x), jnp.asarray(kernel), form)
    np.testing.assert_allclose(got, expected.numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("same", (1, 8, 8, 7)), ("pointwise", (1, 8, 8, 7)), ("down", (1, 4, 4, 7)), ("up", (1, 16, 16, 7))],
)
def test_conv_shapes_and_shared_parameters(kind, shape):
    x = jnp.asarray(_random((1, 8, 8, 5)))
    variables = Conv(7, kind, "lax").init(jax.random.key(0), x)
    outputs = [jax.jit(Conv(7, kind, form).apply)(variables, x) for form in ("lax", "matmul")]
    assert outputs[0].shape == shape
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-5)


def test_group_norm_of_a_silent_style_is_plain():
    x, style = jnp.asarray(_random((2, 4, 4, 20))), jnp.asarray(_random((2, 6)))
    variables = GroupNorm().init(jax.random.key(0), x, style)
    plain = GroupNorm().apply(variables, x)
    np.testing.assert_array_equal(GroupNorm().apply(variables, x, jnp.zeros_like(style)), plain)
    assert jnp.abs(GroupNorm().apply(variables, x, style) - plain).max() > 0.01


def test_conv_form_by_name():
    assert resolve_conv_form("auto") == ("matmul" if jax.default_backend() == "cpu" else "lax")
    with pytest.raises(ValueError, match="lax, matmul or auto"):
        resolve_conv_form("im2col")


def test_halved_and_smoothed():
    x = jnp.arange(24.0).reshape(1, 4, 6, 1)
    np.testing.assert_array_equal(halved(x)[0, ..., 0], [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]])
    checkers = jnp.indices((6, 8)).sum(0)[None, ..., None] % 2
    np.testing.assert_array_equal(smoothed(checkers)[0, 1:-1, 1:-1], 0.5)
    np.testing.assert_array_equal(smoothed(jnp.ones((1, 3, 3, 2))), 1)
    corners = np.array([[10, 5, 1], [5, 6, 5], [1, 5, 10]]) / 16
    np.testing.assert_array_equal(smoothed(jnp.eye(3)[None, :, :, None])[0, ..., 0], corners)
