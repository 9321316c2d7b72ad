"""Convolutions in exact forms, norms, and the few pieces that all networks share.

Every convolution keeps one parameter shape, (kh, kw, in, out), whatever its form: ``lax`` calls XLA's convolution
(right for GPU and TPU), ``matmul`` is for a CPU, where XLA is good at dense convolutions of stride 1 alone: it rewrites
the stride-2 and the transposed ones as such, and one to a few channels as a matrix product and shifts. ``products``
is for the branch of a conditional on a CPU, where XLA leaves the gradients of all convolutions slow: downsampling by
matrix products alone.

Layers compute in the type of their input, float32 or bfloat16; parameters and the statistics of norms are float32.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

ConvForm = Literal["lax", "matmul", "products"]
DIMENSIONS = ("NHWC", "HWIO", "NHWC")

he_normal = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
lecun_normal = nn.initializers.variance_scaling(1.0, "fan_in", "normal")


def leaky_relu(x: Array) -> Array:
    """LeakyReLU with slope 0.2, the activation of the whole model."""
    return nn.leaky_relu(x, 0.2)


def resolve_conv_form(form: str) -> ConvForm:
    """``lax`` or ``matmul`` as given; ``auto`` is ``matmul`` on a CPU and ``lax`` elsewhere."""
    if form == "auto":
        return "matmul" if jax.default_backend() == "cpu" else "lax"
    if form not in ("lax", "matmul"):
        raise ValueError(f"conv form {form!r} is not known; choose lax, matmul or auto")
    return form


def compute_type(name: str) -> jnp.dtype:
    """The type that networks compute in, by its name: float32, bfloat16, or float64 to compare without rounding (where
    JAX has it enabled); ValueError if it is another."""
    if name not in ("float32", "bfloat16", "float64"):
        raise ValueError(f"compute type {name!r} is not known; choose float32 or bfloat16")
    return jnp.dtype(name)


def exact(x: Array) -> Array:
    """In float32, or in float64 if it is that already: what a loss or a statistic needs."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _pad(x: Array) -> Array:
    return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _dense(x: Array, kernel: Array, padding: str) -> Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=DIMENSIONS)


def same_conv(x: Array, kernel: Array, form: ConvForm) -> Array:
    """3x3 convolution, stride 1, padding 1: (N, H, W, C) by (3, 3, C, D) -> (N, H, W, D). ``matmul`` is right for small
    D."""
    return _dense(x, kernel, "SAME") if form == "lax" else _narrow_conv(x, kernel)


@jax.custom_vjp
def _narrow_conv(x: Array, kernel: Array) -> Array:
    n, h, w, c = x.shape
    d = kernel.shape[-1]
    y = (_pad(x).reshape(-1, c) @ kernel.transpose(2, 0, 1, 3).reshape(c, 9 * d)).reshape(n, h + 2, w + 2, 3, 3, d)
    return sum(y[:, i : i + h, j : j + w, i, j] for i in range(3) for j in range(3))


def _narrow_conv_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _narrow_conv(x, kernel), (x, kernel)


def _narrow_conv_backward(kept: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    # XLA's own: that of the shifts would gather nine copies of the gradient.
    return jax.vjp(lambda x, kernel: _dense(x, kernel, "SAME"), *kept)[1](gradient)


_narrow_conv.defvjp(_narrow_conv_forward, _narrow_conv_backward)


def downsampling_conv(x: Array, kernel: Array, form: ConvForm) -> Array:
    """4x4 convolution, stride 2, padding 1: (N, H, W, C) by (4, 4, C, D) -> (N, H/2, W/2, D), H and W even."""
    if form == "lax":
        return lax.conv_general_dilated(x, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=DIMENSIONS)
    # Space to depth: each 4x4 window at stride 2 is a 2x2 window of 2x2 blocks at stride 1.
    x = _pad(x)
    n, h, w, c = x.shape
    x = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4 * c)
    kernel = kernel.reshape(2, 2, 2, 2, c, -1).transpose(0, 2, 1, 3, 4, 5).reshape(2, 2, 4 * c, -1)
    if form == "products":
        h, w = h // 2 - 1, w // 2 - 1
        return sum(x[:, i : i + h, j : j + w] @ kernel[i, j] for i in (0, 1) for j in (0, 1))
    return _dense(x, kernel, "VALID")


def upsampling_conv(x: Array, kernel: Array, form: ConvForm) -> Array:
    """Transposed 4x4 convolution, stride 2, padding 1: (N, H, W, C) by (4, 4, C, D) -> (N, 2H, 2W, D).

    ``kernel[i, j]`` is what PyTorch's ConvTranspose2d keeps in ``weight[:, :, i, j]``.
    """
    if form == "lax":
        return lax.conv_general_dilated(
            x, kernel[::-1, ::-1], (1, 1), ((2, 2), (2, 2)), lhs_dilation=(2, 2), dimension_numbers=DIMENSIONS
        )
    # Sub-pixel form: output 2i + r sums x[i + r - 1 + a] * kernel[3 - r - 2a] over a in {0, 1}, along each axis.
    n, h, w, c = x.shape
    d = kernel.shape[-1]
    taps = jnp.array([[3, 1], [2, 0]])
    kernel = kernel[taps][:, :, taps].transpose(1, 3, 4, 0, 2, 5).reshape(2, 2, c, 4 * d)
    y = _dense(_pad(x), kernel, "VALID").reshape(n, h + 1, w + 1, 2, 2, d)
    rows = jnp.stack([y[:, :-1, :, 0], y[:, 1:, :, 1]], axis=2)
    return jnp.stack([rows[:, :, :, :-1, 0], rows[:, :, :, 1:, 1]], axis=4).reshape(n, 2 * h, 2 * w, d)


class Conv(nn.Module):
    """A convolution with bias on (N, H, W, C).

    ``kind``: ``same`` 3x3 stride 1; ``pointwise`` 1x1; ``down`` 4x4 stride 2 -> (N, H/2, W/2, features);
    ``up`` transposed 4x4 stride 2 -> (N, 2H, 2W, features).
    """

    features: int
    kind: Literal["same", "pointwise", "down", "up"] = "same"
    form: ConvForm = "lax"
    kernel_init: nn.initializers.Initializer = he_normal

    @nn.compact
    def __call__(self, x: Array) -> Array:
        side = {"same": 3, "pointwise": 1, "down": 4, "up": 4}[self.kind]
        kernel = self.param("kernel", self.kernel_init, (side, side, x.shape[-1], self.features)).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype)
        match self.kind:
            case "same":
                y = same_conv(x, kernel, self.form)
            case "pointwise":
                y = x @ kernel[0, 0]
            case "down":
                y = downsampling_conv(x, kernel, self.form)
            case "up":
                y = upsampling_conv(x, kernel, self.form)
        return y + bias


class GroupNorm(nn.Module):
    """Group normalisation (arXiv 1803.08494) of (N, H, W, C) in groups of about eight channels.

    With a ``style`` (N, S) the result is scaled and shifted by it, channel by channel (adaptive normalisation,
    arXiv 1703.06868); a style of zeros changes nothing.
    """

    @nn.compact
    def __call__(self, x: Array, style: Array | None = None) -> Array:
        channels = x.shape[-1]
        groups = next(g for g in range(max(1, channels // 8), 0, -1) if channels % g == 0)
        x = nn.GroupNorm(num_groups=groups, epsilon=1e-5, dtype=x.dtype)(x)
        if style is None:
            return x
        modulation = nn.Dense(2 * channels, use_bias=False, kernel_init=nn.initializers.normal(0.02))(style)
        scale, shift = jnp.split(modulation[:, None, None, :].astype(x.dtype), 2, axis=-1)
        return x * (1.0 + scale) + shift


def upsample(x: Array) -> Array:
    """Nearest neighbour, twice the size: (N, H, W, C) -> (N, 2H, 2W, C)."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def halved(x: Array) -> Array:
    """Half the size, each pixel the mean of 2x2: (N, H, W, C) -> (N, H/2, W/2, C)."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def smoothed(x: Array) -> Array:
    """(N, H, W, C) through the filter (1, 2, 1) / 4 along both sides, edges repeated: of a checkerboard nothing is left
    (arXiv 1904.11486)."""
    for axis in (1, 2):
        n = x.shape[axis]
        first, last = (lax.slice_in_dim(x, i, i + 1, axis=axis) for i in (0, n - 1))
        before = jnp.concatenate([first, lax.slice_in_dim(x, 0, n - 1, axis=axis)], axis=axis)
        after = jnp.concatenate([lax.slice_in_dim(x, 1, n, axis=axis), last], axis=axis)
        x = (before + 2 * x + after) / 4
    return x
