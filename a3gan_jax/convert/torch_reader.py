"""The optional second reader: PyTorch itself, of what the safe reader does not know. Never without ``weights_only``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes

from a3gan_jax.convert.torch_globals import UnreadableFile


def read_with_torch(path: Path) -> Any:
    """``torch.load(path, weights_only=True)`` in plain containers, with numpy arrays for tensors.

    Raises:
        ModuleNotFoundError: torch is not installed.
        UnreadableFile: torch cannot read the file or will not; one line.
    """
    try:
        import torch
    except ModuleNotFoundError:
        raise ModuleNotFoundError("--reader torch needs PyTorch: pip install torch, or leave it out") from None

    def plain(node: Any) -> Any:
        if isinstance(node, torch.Tensor):
            tensor = node.detach().contiguous()
            if tensor.dtype == torch.bfloat16:  # which numpy does not know
                return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
            return tensor.numpy()
        if isinstance(node, Mapping):
            return {key: plain(value) for key, value in node.items()}
        return [plain(value) for value in node] if isinstance(node, (list, tuple)) else node

    try:
        return plain(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # whatever a damaged file makes torch raise
        raise UnreadableFile(f"{path}: torch cannot read it ({' '.join(str(error).split())[:200]})") from error
