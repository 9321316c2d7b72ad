"""The devices that JAX computes on: what they are called, what they promise, what was used of them."""

from typing import Any

from tools.benchmarks.turns import peak_resident

#: Dense bfloat16 operations a second by ``device_kind``. NVIDIA's data sheets of A100, H100 and H200 (SXM, without
#: sparsity); Google's system architecture pages of Cloud TPU v4, v5e and v5p.
PEAKS = {
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H200": 989e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
}


def percent_of_peak(kind: str, operations: float, devices: int = 1) -> float | str:
    """What share of the published peak of all devices so many operations a second are."""
    return 100 * operations / (devices * PEAKS[kind]) if kind in PEAKS else "unknown"


def peak_bytes(device: Any) -> tuple[int, str]:
    """The most memory in use so far, and where: on a jax.Device that counts it, else of this process."""
    statistics = device.memory_stats() or {}
    if "peak_bytes_in_use" in statistics:
        return statistics["peak_bytes_in_use"], "a device"
    return peak_resident(), "the process, compiler included"
