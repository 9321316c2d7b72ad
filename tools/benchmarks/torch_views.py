"""What the recogniser and the identity critic see of a face (``a3gan_jax.views``), in PyTorch."""

import torch
from torch import Tensor

from a3gan_jax.geometry import ARCFACE_SIZE, crop_to_arcface
from a3gan_jax.views import LUMA


def to_float(images: Tensor) -> Tensor:
    """uint8 (N, S, S, 3) -> float32 (N, 3, S, S) in [-1, 1], in channels_last memory."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def gaussian(size: int, u: Tensor, strongest: float = 0.0172) -> Tensor:
    """Blurs (..., S, S) of the width that ``u`` (...) in [0, 1] says."""
    sigma = 0.3 + u * max(strongest * size - 0.3, 0)
    position = torch.arange(size, device=u.device)
    kernel = (-0.5 * ((position[:, None] - position) / sigma[..., None, None]) ** 2).exp()
    return kernel / kernel.sum(-1, keepdim=True)


def blurred(images: Tensor, u: Tensor) -> Tensor:
    blur = gaussian(images.shape[2], u)
    return blur @ images @ blur.mT


def sampling(size: int, scale: Tensor, offset: Tensor) -> Tensor:
    """Linear interpolation (..., 112, S): output o reads input ``scale * o + offset``."""
    source = scale[..., None] * torch.arange(ARCFACE_SIZE, device=scale.device) + offset[..., None]
    distance = source.clamp(0, size - 1)[..., None] - torch.arange(size, device=scale.device)
    return (1 - distance.abs()).clamp(min=0)


def arcface_view(images: Tensor) -> Tensor:
    size = images.shape[2]
    scale, (x, y) = crop_to_arcface(size)
    rows, columns = (sampling(size, images.new_tensor(scale), images.new_tensor(start)) for start in (y, x))
    return rows @ images @ columns.mT


def random_arcface_view(images: Tensor, u: Tensor, grey: float = 0.7, shift: float = 2.5, zoom: float = 0.05) -> Tensor:
    """``u`` (N, 6) in [-1, 1]: zoom, blur, shift to the side, mirroring, shift up or down, loss of colour."""
    size = images.shape[2]
    scale, (x, y) = crop_to_arcface(size)
    zoomed, blur = 1 + zoom * u[:, 0], gaussian(size, u[:, 1].abs())

    def axis(start: float, move: Tensor) -> Tensor:
        moved = start + scale * (shift * move + (ARCFACE_SIZE - 1) / 2 * (1 - zoomed))
        return sampling(size, scale * zoomed, moved)

    columns = axis(x, u[:, 2])
    columns = torch.where(u[:, 3, None, None] < 0, columns, columns.flip(1)) @ blur
    view = (axis(y, u[:, 4]) @ blur)[:, None] @ images @ columns[:, None].mT
    luma = (view * view.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    return luma + (view - luma) * (1 - grey * u[:, 5].abs())[:, None, None, None]
