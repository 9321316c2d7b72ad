"""All networks of A3GAN from one serialisable description."""

import dataclasses
from typing import Any

from a3gan_jax.models.ainet import AINet, AINetConfig
from a3gan_jax.models.discriminator import Discriminator, DiscriminatorConfig
from a3gan_jax.models.generator import Generator, GeneratorConfig
from a3gan_jax.models.identity_critic import IdentityCritic, IdentityCriticConfig
from a3gan_jax.models.layers import compute_type, resolve_conv_form


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What is needed to rebuild the networks; plain values, so that it goes to JSON and back.

    ``conv`` may be ``auto``: the form is chosen where the networks are built. ``compute`` is the type of what has the
    extent of an image, ``float32`` or ``bfloat16``. The parameters are the same whatever these two are.
    """

    image_size: int
    attributes: tuple[str, ...]
    num_people: int
    base: int = 20
    levels: int = 4
    details: int = 0
    detail_channels: int = 16
    z_dim: int = 32
    style_width: int = 96
    face_priors: tuple[float, ...] = (0.0, 0.5, 2.0)
    suppression: bool = True
    discriminator_base: int = 32
    critic_base: int = 24
    conv: str = "auto"
    compute: str = "float32"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelConfig":
        """The inverse of ``to_dict``; an unknown or missing key is a TypeError that names it."""
        return cls(**{k: tuple(v) if isinstance(v, (list, tuple)) else v for k, v in values.items()})


@dataclasses.dataclass(frozen=True)
class Networks:
    """The four Linen modules that learn; used through ``init`` and ``apply``."""

    config: ModelConfig
    generator: Generator
    ainet: AINet
    discriminator: Discriminator
    critic: IdentityCritic

    @classmethod
    def create(cls, config: ModelConfig) -> "Networks":
        """Builds the modules, with no parameters yet; ValueError when the sizes do not fit together."""
        k, how = len(config.attributes), dict(conv=resolve_conv_form(config.conv), compute=config.compute)
        compute_type(config.compute)
        return cls(
            config,
            Generator(
                GeneratorConfig(
                    image_size=config.image_size,
                    num_attributes=k,
                    z_dim=config.z_dim,
                    base=config.base,
                    levels=config.levels,
                    details=config.details,
                    detail_channels=config.detail_channels,
                    style_width=config.style_width,
                    face_priors=config.face_priors,
                    suppression=config.suppression,
                    **how,
                )
            ),
            AINet(AINetConfig(k, config.z_dim)),
            Discriminator(
                DiscriminatorConfig(config.image_size, k, config.discriminator_base, details=config.details, **how)
            ),
            IdentityCritic(IdentityCriticConfig(config.num_people, config.critic_base, **how)),
        )

    @property
    def penalized_discriminator(self) -> Discriminator:
        """The same as a gradient penalty needs it: in float32 at least, for it is a difference of small numbers, and in
        a form that is fast in the branch of a conditional."""
        config = self.discriminator.config
        compute = "float32" if config.compute == "bfloat16" else config.compute
        conv = "products" if config.conv == "matmul" else config.conv
        return Discriminator(dataclasses.replace(config, compute=compute, conv=conv))
