"""InceptionResnetV1 (Szegedy et al., arXiv 1602.07261) as facenet-pytorch keeps it, the face recogniser FaceNet.

Evaluation mode only: each BatchNorm uses the statistics of the collection ``batch_stats`` and never changes them, and
dropout is off. For embedding, and for gradients with respect to images.
"""

from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

SIZE = 160
MIN_SIZE = 75  # the smallest image that leaves one place for the average pooling
EMBEDDING = 512
EPSILON = 1e-3  # of every BatchNorm


class Convolution(NamedTuple):
    """Channels, kernel (height, width) and stride. At stride 1 zeros keep the size, at stride 2 nothing is padded."""

    features: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1


Branch = tuple[Convolution, ...]


BLOCK35: tuple[Branch, ...] = (
    (Convolution(32),),
    (Convolution(32), Convolution(32, (3, 3))),
    (Convolution(32), Convolution(32, (3, 3)), Convolution(32, (3, 3))),
)
BLOCK17: tuple[Branch, ...] = (
    (Convolution(128),),
    (Convolution(128), Convolution(128, (1, 7)), Convolution(128, (7, 1))),
)
BLOCK8: tuple[Branch, ...] = (
    (Convolution(192),),
    (Convolution(192), Convolution(192, (1, 3)), Convolution(192, (3, 1))),
)
MIXED_6A: tuple[Branch, ...] = (
    (Convolution(384, (3, 3), 2),),
    (Convolution(192), Convolution(192, (3, 3)), Convolution(256, (3, 3), 2)),
)
MIXED_7A: tuple[Branch, ...] = (
    (Convolution(256), Convolution(384, (3, 3), 2)),
    (Convolution(256), Convolution(256, (3, 3), 2)),
    (Convolution(256), Convolution(256, (3, 3)), Convolution(256, (3, 3), 2)),
)
#: The three groups of residual blocks: their branches, and the weight of what comes of these beside the input.
GROUPS = ((BLOCK35, 0.17), (BLOCK17, 0.10), (BLOCK8, 0.20))
REPEATS = (5, 10, 5)


class InceptionResnetV1(nn.Module):
    """RGB faces (N, H, W, 3), (value - 127.5) / 128 of 0 .. 255 -> unit embeddings (N, 512), or logits.

    The public weights were trained at 160x160 pixels; any H and W from 75 up are taken.

    Args:
      num_classes: of the classifier on top of the embedding, None where there is none.
      repeats: residual blocks in each of the three groups.
    """

    num_classes: int | None = None
    repeats: tuple[int, int, int] = REPEATS

    @nn.compact
    def __call__(self, images: Array, classify: bool = False) -> Array:
        """With ``classify`` the logits (N, num_classes), which come of the embedding before it is normalised."""
        if images.ndim != 4 or min(images.shape[1:3]) < MIN_SIZE or images.shape[3] != 3:
            takes = f"this network takes (N, H, W, 3) from {MIN_SIZE} pixels up"
            raise ValueError(f"images of shape {images.shape}: {takes}")
        if classify and self.num_classes is None:
            raise ValueError("this network has no classifier: its num_classes is None")
        x = ConvNorm(32, (3, 3), 2, "VALID", name="conv2d_1a")(images)
        x = ConvNorm(32, (3, 3), 1, "VALID", name="conv2d_2a")(x)
        x = ConvNorm(64, (3, 3), name="conv2d_2b")(x)
        x = nn.max_pool(x, (3, 3), (2, 2))
        x = ConvNorm(80, name="conv2d_3b")(x)
        x = ConvNorm(192, (3, 3), 1, "VALID", name="conv2d_4a")(x)
        x = ConvNorm(256, (3, 3), 2, "VALID", name="conv2d_4b")(x)
        x = self._group(x, 1)
        x = Reduction(MIXED_6A, name="mixed_6a")(x)
        x = self._group(x, 2)
        x = Reduction(MIXED_7A, name="mixed_7a")(x)
        x = self._group(x, 3)
        x = ResidualBlock(BLOCK8, scale=1.0, relu=False, name="block8")(x)
        x = nn.Dense(EMBEDDING, use_bias=False, name="last_linear")(x.mean((1, 2)))
        x = _norm("last_bn")(x)
        logits = None if self.num_classes is None else nn.Dense(self.num_classes, name="logits")(x)
        return logits if classify else x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)

    def _group(self, x: Array, number: int) -> Array:
        branches, scale = GROUPS[number - 1]
        for block in range(self.repeats[number - 1]):
            x = ResidualBlock(branches, scale, name=f"repeat_{number}_{block}")(x)
        return x


class ResidualBlock(nn.Module):
    """The branches' outputs side by side, a 1x1 convolution back to C channels, times scale, plus the input, ReLU.

    (N, H, W, C) -> (N, H, W, C).
    """

    branches: tuple[Branch, ...]
    scale: float
    relu: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = jnp.concatenate(_apply(self.branches, x), axis=-1)
        y = nn.Conv(x.shape[-1], (1, 1), name="conv2d")(y) * self.scale + x
        return nn.relu(y) if self.relu else y


class Reduction(nn.Module):
    """The outputs of the branches, then the 3x3 maximum of the input, side by side, all at stride 2 without padding."""

    branches: tuple[Branch, ...]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return jnp.concatenate([*_apply(self.branches, x), nn.max_pool(x, (3, 3), (2, 2))], axis=-1)


class ConvNorm(nn.Module):
    """Convolution without bias, BatchNorm, ReLU: (N, H, W, C) -> (N, H', W', features)."""

    features: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        strides = (self.stride, self.stride)
        x = nn.Conv(self.features, self.kernel, strides, self.padding, use_bias=False, name="conv")(x)
        return nn.relu(_norm("bn")(x))


def _apply(branches: tuple[Branch, ...], x: Array) -> list[Array]:
    """Each branch's output. As in the file, a convolution that is a whole branch has no number of its own."""
    outputs = []
    for number, branch in enumerate(branches):
        y = x
        for i, (features, kernel, stride) in enumerate(branch):
            name = f"branch{number}" if len(branch) == 1 else f"branch{number}_{i}"
            y = ConvNorm(features, kernel, stride, "SAME" if stride == 1 else "VALID", name=name)(y)
        outputs.append(y)
    return outputs


def _norm(name: str) -> nn.BatchNorm:
    return nn.BatchNorm(use_running_average=True, epsilon=EPSILON, name=name)
