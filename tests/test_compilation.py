"""Networks are compiled with options that this jaxlib knows, and compute the same with them."""

import jax
import jax.numpy as jnp
import numpy as np

from a3gan_jax import compilation
from a3gan_jax.compilation import network_jit, network_options


def _conv(images, kernel):
    return jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def test_the_pinned_jaxlib_knows_the_options():
    assert network_options("cpu") == compilation.CPU_OPTIONS and network_options("tpu") is None


def test_an_option_that_is_not_known_is_left_out(monkeypatch):
    monkeypatch.setattr(compilation, "CPU_OPTIONS", {"xla_cpu_no_such_option": "1"})
    assert network_options.__wrapped__("cpu") is None


def test_what_is_computed_stays():
    images = jax.random.normal(jax.random.key(0), (2, 8, 8, 4))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 4, 5))
    expected, jitted = jax.jit(_conv)(images, kernel), network_jit(_conv)
    np.testing.assert_allclose(jitted(images, kernel), expected, rtol=1e-5, atol=1e-5)
    assert jitted(images, kernel).dtype == jnp.float32
    assert network_jit(lambda n, x: x * n, static_argnums=0)(3, 2.0) == 6.0
