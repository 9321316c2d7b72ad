"""MediaPipe's face mesh (Kartynnik et al., arXiv 1907.06724): where points of a face's surface lie in its picture.

The network is for what its published weights find; it has no training mode.
"""

import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from a3gan_jax.models.layers import DIMENSIONS, ConvForm
from a3gan_jax.models.sface import Depthwise, PReLU

SIZE = 192
POINTS = 468
STEM = 16
#: Channels of the blocks after the stem, then of those before each head; a row but the first begins with one that
#: halves the resolution.
STAGES = ((16, 16), (32, 32, 32), (64, 64, 64), (128, 128, 128), (128, 128, 128))
HEADS = {"points": (128, 128, 128), "face": (128,)}
NECK = 32

#: Of the 468 points, the outline of the face: from the temple at the image's right over the chin, number ``CHIN`` of
#: these, to the other temple.
CONTOUR = (284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152) + (
    (148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54)
)
CHIN = 14


class FaceMesh(nn.Module):
    """Upright faces (N, 192, 192, 3) in [0, 1] -> ``numbers`` of each (N, numbers), and logits (N,) that there is a
    face.

    ``numbers``: for all ``POINTS`` x, y and z in pixels, or those of them that the weights were packed with.
    ``conv``: the form of the depthwise convolutions, see ``sface.depthwise_conv``.
    """

    numbers: int = 3 * POINTS
    conv: ConvForm = "lax"

    @nn.compact
    def __call__(self, images: Array) -> tuple[Array, Array]:
        kernel = self.param("stem_kernel", nn.initializers.lecun_normal(), (3, 3, 3, STEM))
        bias = self.param("stem_bias", nn.initializers.zeros, (STEM,))
        after = ((0, 1), (0, 1))  # as TensorFlow pads what it halves
        x = lax.conv_general_dilated(images, kernel, (2, 2), after, dimension_numbers=DIMENSIONS) + bias
        x = PReLU(name="stem_prelu")(x)
        for stage, channels in enumerate(STAGES):
            for number, features in enumerate(channels):
                halve = stage > 0 and number == 0
                x = _Block(features, halve, self.conv, name=f"stage_{stage}_{number}")(x)
        return self._head("points", self.numbers, x), self._head("face", 1, x)[:, 0]

    def _head(self, name: str, numbers: int, x: Array) -> Array:
        for number, features in enumerate(HEADS[name]):
            x = _Block(features, number == 0, self.conv, name=f"{name}_{number}")(x)
        x = PReLU(name=f"{name}_neck_prelu")(nn.Dense(NECK, name=f"{name}_neck")(x))
        x = _Block(NECK, False, self.conv, name=f"{name}_neck_block")(x)
        return nn.Dense(numbers, name=name)(x.reshape(x.shape[0], -1))  # a 3x3 convolution of 3x3 places


class _Block(nn.Module):
    """BlazeBlock (arXiv 1907.05047): a separable convolution beside the input, (N, H, W, C) -> (N, H, W, features), or
    half as high and wide."""

    features: int
    halve: bool
    conv: ConvForm

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = Depthwise(1, self.conv, name="depthwise")(x)
        if self.halve:
            y, x = y[:, 1::2, 1::2], nn.max_pool(x, (2, 2), (2, 2))
        y = nn.Dense(self.features, name="pointwise")(y)
        x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, self.features - x.shape[-1])))
        return PReLU(name="prelu")(x + y)
