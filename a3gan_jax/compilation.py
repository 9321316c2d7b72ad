"""How XLA compiles the networks."""

import functools
from collections.abc import Callable
from typing import Any

import jax

#: On a CPU XLA gives convolutions to YNNPACK, which for ours takes up to twice as long as XLA's own kernels, for their
#: gradients up to four times (our own measurement, jaxlib 0.10.2). Matrix products stay with it.
CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}


@functools.cache
def network_options(platform: str) -> dict[str, str] | None:
    """``compiler_options`` of ``jax.jit`` for what runs networks on "cpu", "gpu" or "tpu"; None where there are none,
    or where this jaxlib does not know them."""
    if platform != "cpu":
        return None
    try:
        jax.jit(lambda x: x, compiler_options=CPU_OPTIONS).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return None
    return CPU_OPTIONS


def network_jit(function: Callable[..., Any], **arguments: Any) -> Callable[..., Any]:
    """``jax.jit`` with ``network_options`` of the backend that is in use at the first call; ``function`` is given
    positional arguments only."""

    @functools.cache
    def jitted() -> Callable[..., Any]:
        return jax.jit(function, compiler_options=network_options(jax.default_backend()), **arguments)

    @functools.wraps(function)
    def call(*given: Any) -> Any:
        return jitted()(*given)

    return call
