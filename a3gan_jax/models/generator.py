"""A3GAN's generator: encoder, multi-scale suppression, injection into the latent code, decoder.

The order of the parts is the paper's (abstract); widths, kernels and norms are our own choice in the lineage of
AttGAN (arXiv 1711.10678) and STGAN (arXiv 1904.09709).
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from a3gan_jax.models.layers import (
    Conv,
    ConvForm,
    GroupNorm,
    compute_type,
    exact,
    halved,
    leaky_relu,
    lecun_normal,
    smoothed,
)
from a3gan_jax.models.scu import SuppressionNetwork, SuppressiveConvUnit


@dataclasses.dataclass(frozen=True)
class GeneratorConfig:
    """Shape of the generator.

    ``image_size``: 64, 128 or 256. ``details``: how many times the image is doubled by a ``DetailStage`` after the
    decoder; encoder and decoder work at C = image_size / 2^details pixels. ``levels``: stride-2 stages L, so the
    deepest feature has C / 2^L pixels a side. ``base``: channels at the shallowest level, doubled at each deeper one up
    to ``max_channels``. ``detail_channels``: of the detail stages.
    ``style_width``: of the vector that carries seed and attributes. ``face_priors``: the gates' priors, deepest first;
    the last one serves all shallower levels. ``suppression``: False opens every gate for good, the network without its
    SCUs. ``conv``: ``lax`` or ``matmul``. ``compute``: ``float32`` or ``bfloat16``, of all that has an image's extent.
    """

    image_size: int
    num_attributes: int
    z_dim: int
    base: int = 20
    levels: int = 4
    details: int = 0
    detail_channels: int = 16
    max_channels: int = 512
    style_width: int = 96
    face_priors: tuple[float, ...] = (0.0, 0.5, 2.0)
    suppression: bool = True
    conv: ConvForm = "lax"
    compute: str = "float32"

    def __post_init__(self):
        if self.image_size not in (64, 128, 256):
            raise ValueError(f"image_size {self.image_size} is not supported: choose 64, 128 or 256")
        if self.details < 0 or self.coarse_size < 64:
            raise ValueError(f"{self.details} details do not fit {self.image_size} px: 64 px at least are doubled")
        if not 2 <= self.levels <= self.coarse_size.bit_length() - 3:
            raise ValueError(
                f"{self.levels} levels do not fit {self.coarse_size} px: "
                f"choose 2 to {self.coarse_size.bit_length() - 3} (the deepest feature needs 4 pixels a side)"
            )

    @property
    def coarse_size(self) -> int:
        """Pixels a side of what encoder and decoder work at."""
        return self.image_size >> self.details

    def channels(self, level: int) -> int:
        """Channels of the feature at ``level`` 1..L, 1 the shallowest."""
        return min(self.base * 2 ** (level - 1), self.max_channels)


class Encoder(nn.Module):
    """(N, S, S, 3) -> features, deepest first: (N, S / 2^l, S / 2^l, channels(l)) for l = L..1."""

    config: GeneratorConfig

    @nn.compact
    def __call__(self, images: Array) -> tuple[Array, ...]:
        x, features = images, []
        for level in range(1, self.config.levels + 1):
            x = Conv(self.config.channels(level), "down", self.config.conv)(x)
            x = leaky_relu(GroupNorm()(x) if level > 1 else x)
            features.append(x)
        return tuple(reversed(features))


class Decoder(nn.Module):
    """Latent (N, H, W, C) and suppressed features, from the second deepest on, -> what the image is made of
    (N, S, S, max(8, base / 2)), and the image (N, S, S, 3) before its tanh."""

    config: GeneratorConfig

    @nn.compact
    def __call__(self, latent: Array, skips: tuple[Array, ...], style: Array) -> tuple[Array, Array]:
        conv = self.config.conv
        x = leaky_relu(GroupNorm()(Conv(self.config.channels(self.config.levels))(latent), style))
        for skip in skips:
            x = leaky_relu(GroupNorm()(Conv(skip.shape[-1], "up", conv)(x), style))
            x = jnp.concatenate([x, skip], axis=-1)
        # A layer at full size after the last transposed convolution smooths away its checkerboard.
        x = leaky_relu(Conv(max(8, self.config.base // 2), "up", conv)(x))
        return x, exact(Conv(3, "same", conv, lecun_normal)(x))


class DetailStage(nn.Module):
    """Doubles an image: the smaller one, enlarged, plus what only the larger one can show (a Laplacian pyramid, as in
    arXiv 1506.05751; that its details pass an SCU is our own).

    An untrained stage adds nothing.
    """

    channels: int
    face_prior: float
    conv: ConvForm = "lax"

    @nn.compact
    def __call__(
        self,
        images: Array,
        hidden: Array,
        logits: Array,
        style: Array,
        strength: Array,
        gate: Array | float | None = None,
    ) -> tuple[Array, Array, Array]:
        """Originals (N, 2S, 2S, 3); of the smaller image, what it is made of (N, S, S, C) and the image (N, S, S, 3)
        before its tanh -> the same two at 2S with ``channels`` channels, and the gate (N, S, S, channels)."""
        hidden = smoothed(hidden)  # a transposed convolution made it, and no layer after it took the checkerboard away
        f = leaky_relu(Conv(self.channels, "down", self.conv)(images))
        f, g = SuppressiveConvUnit(self.face_prior, name="unit")(f, hidden, strength, gate)
        x = Conv(self.channels)(jnp.concatenate([hidden, f], axis=-1))
        x = leaky_relu(GroupNorm()(x, style))
        x = leaky_relu(Conv(self.channels, "up", self.conv)(x))
        details = exact(Conv(3, "same", self.conv, nn.initializers.zeros)(x))
        return x, jax.image.resize(logits, details.shape, "linear") + details, g


class Generator(nn.Module):
    """The face of another person, in the same photo.

    Nothing but the SCUs' outputs reaches the decoder. The state below the deepest SCU is a learned constant plus a
    linear map of the style: no identity can pass there, and the SCUs learn from it whom to become. The style is scaled
    by the strength, so that at strength 0 neither seed nor attributes speak.
    """

    config: GeneratorConfig

    def setup(self):
        c = self.config
        priors = (c.face_priors + (c.face_priors[-1],) * c.levels)[: c.levels]
        side, deepest = c.coarse_size >> c.levels, c.channels(c.levels)
        self.encoder = Encoder(c)
        self.suppression = SuppressionNetwork(priors)
        self.decoder = Decoder(c)
        self.details = [DetailStage(c.detail_channels, c.face_priors[-1], c.conv) for _ in range(c.details)]
        self.style = [nn.Dense(c.style_width), nn.Dense(c.style_width)]
        self.constant = self.param("constant", nn.initializers.normal(1.0), (side, side, deepest))
        self.pseudonym = nn.Dense(deepest, use_bias=False)
        self.injection = nn.Dense(side * side * (deepest // 4), use_bias=False)

    def __call__(
        self,
        images: Array,
        attributes: Array,
        new_attributes: Array,
        z: Array,
        strength: Array,
        gate: Array | float | None = None,
    ) -> tuple[Array, tuple[Array, ...]]:
        """Anonymises.

        Args:
            images: (N, S, S, 3) in [-1, 1], aligned crops.
            attributes: (N, K) in [0, 1], those of the images.
            new_attributes: (N, K) in [0, 1], those of the pseudonyms (AINet's output).
            z: (N, Z) ~ N(0, I), the seed of the pseudonym.
            strength: (N,) in [0, 1]; 0 reconstructs, 1 anonymises.
            gate: forces every suppression gate to this value, if there is suppression.

        Returns:
            The images (N, S, S, 3) in [-1, 1], and the gates, deepest first and those of the details last, each
            (N, H, W, C) in [0, 1].
        """
        # The target beside the difference (our own addition): where the gates are shut, a kept attribute can reach
        # the face only through here.
        w = jnp.concatenate([new_attributes - attributes, 2 * new_attributes - 1, z], axis=-1)
        for layer in self.style:
            w = leaky_relu(layer(w))
        w = w * strength[:, None]

        if not self.config.suppression:
            gate = 0.0
        compute = compute_type(self.config.compute)
        pyramid = [images.astype(compute)]
        for _ in self.details:
            pyramid.append(halved(pyramid[-1]))
        features = self.encoder(pyramid.pop())
        state = (self.constant + self.pseudonym(w)[:, None, None, :]).astype(compute)
        suppressed, gates = self.suppression(features, state, strength, gate)

        deepest = suppressed[0]
        injected = self.injection(w).reshape(*deepest.shape[:3], -1).astype(compute)
        latent = jnp.concatenate([deepest, injected], axis=-1)
        hidden, logits = self.decoder(latent, suppressed[1:], w)
        for stage in self.details:
            hidden, logits, g = stage(pyramid.pop(), hidden, logits, w, strength, gate)
            gates += (g,)
        return jnp.tanh(logits), gates
