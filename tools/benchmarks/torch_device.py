"""The device that PyTorch computes on, set up as its users do who want speed."""

import os

import torch

from tools.benchmarks.turns import peak_resident

DEVICES = {"cpu": "cpu", "gpu": "cuda"}  # by JAX's name of a platform


def choose(platform: str) -> str:
    """PyTorch's name of JAX's platform; all cores, and TF32 for float32, which is JAX's way too.

    Raises:
        RuntimeError: PyTorch cannot compute there.
    """
    if platform not in DEVICES:
        raise RuntimeError(f"--vs torch compares on a CPU or an NVIDIA GPU, and JAX computes on a {platform}")
    if platform == "gpu" and not torch.cuda.is_available():
        raise RuntimeError("JAX computes on a GPU that PyTorch does not see: install a CUDA build of torch==2.13.0")
    torch.set_num_threads(os.cpu_count() or 1)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    return DEVICES[platform]


def facts(device: str) -> dict[str, str]:
    name = torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return {"torch": torch.__version__, "torch_device": name}


def wait(device: str) -> None:
    """Until all that was asked for is done."""
    if device == "cuda":
        torch.cuda.synchronize()


def peak_bytes(device: str) -> int:
    """Of the GPU's memory, or of the process."""
    return torch.cuda.max_memory_reserved() if device == "cuda" else peak_resident()
