"""What all frozen face recognisers have in common: aligned faces in, unit embeddings out, differentiable."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array


@dataclasses.dataclass(frozen=True)
class Recognizer:
    """A recogniser without its weights; hashable, so that it can be a static argument of a jitted function.

    Attributes:
        name: as given to ``convert.recognizers.load_recognizer``, of a folder its last part.
        size: side of the images that the network takes, in pixels.
        threshold: two faces whose embeddings have at least this cosine are one person's, says its publisher; None
            where none is published.
        network: images (N, size, size, 3) in [-scale, scale] -> (N, D).
        scale: see there.
    """

    name: str
    size: int
    threshold: float | None
    network: nn.Module
    scale: float = 1.0

    def embed(self, variables: Mapping[str, Any], images: Array) -> Array:
        """Unit embeddings (N, D) of RGB faces (N, H, W, 3) in [-1, 1]; differentiable.

        The faces are aligned to the ArcFace template (``geometry.crop_to_arcface``), at any size. Pass the variables
        to a jitted function as an argument: closed over, 38 MB of them would become constants of the program.

        FaceNet's own project feeds it looser crops, MTCNN's boxes with a margin; that it gets ArcFace's here like the
        others is our own choice.
        """
        n, h, w, c = images.shape
        if (h, w) != (self.size, self.size):
            images = jax.image.resize(images, (n, self.size, self.size, c), "linear")
        # On a TPU the network's first gradient, fused with what made the images, takes seven times as long.
        images = jax.lax.optimization_barrier(images * self.scale)
        embedding = self.network.apply(variables, images)
        return embedding / (jnp.linalg.norm(embedding, axis=-1, keepdims=True) + 1e-12)

    def maps(self, variables: Mapping[str, Any], images: Array) -> tuple[Array, ...]:
        """Feature maps (N, H, W, C), the finest first, of faces as ``embed`` takes them, at the network's own size.

        Raises:
            ValueError: the network shows none.
        """
        images = jax.lax.optimization_barrier(images * self.scale)
        _, shown = self.network.apply(variables, images, mutable=["intermediates"])
        if not shown:
            raise ValueError(f"the recogniser {self.name} shows no feature maps; put sface first in recognizers")
        return tuple(value for (value,) in shown["intermediates"].values())
