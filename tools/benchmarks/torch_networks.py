"""A3GAN's networks in plain PyTorch, on (N, C, H, W) in channels_last memory.

Parameters are named as in the layout ``a3gan`` of tools/convert.py, so that its tensors load. Where autocast makes the
convolutions bfloat16, scores, images and embeddings are float32 again, as in our networks.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from a3gan_jax.models.ainet import AINetConfig
from a3gan_jax.models.discriminator import DiscriminatorConfig
from a3gan_jax.models.generator import GeneratorConfig
from a3gan_jax.models.identity_critic import IdentityCriticConfig
from a3gan_jax.models.scu import GATE_SLACK
from a3gan_jax.networks import Networks as OurNetworks


def leaky_relu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def same(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def down(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)


def up(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)


def group_norm(channels: int) -> nn.GroupNorm:
    groups = next(g for g in range(max(1, channels // 8), 0, -1) if channels % g == 0)
    return nn.GroupNorm(groups, channels)


def flat(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H * W * C), the order of our dense layers; in channels_last memory nothing is moved."""
    return x.permute(0, 2, 3, 1).flatten(1)


class Encoder(nn.Module):
    """(N, 3, S, S) -> features, deepest first. ``channels``: shallowest first."""

    def __init__(self, channels: list[int]):
        super().__init__()
        self.conv = nn.ModuleList(map(down, [3, *channels], channels))
        self.norm = nn.ModuleList(map(group_norm, channels[1:]))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for level, conv in enumerate(self.conv):
            x = conv(x)
            x = leaky_relu(self.norm[level - 1](x) if level else x)
            features.append(x)
        return features[::-1]


class SuppressiveConvUnit(nn.Module):
    """Feature (N, C, H, W), state below, strength (N, 1, 1, 1) -> suppressed feature and gate."""

    def __init__(self, side: int, channels: int, below: int):
        super().__init__()
        self.state = nn.Conv2d(below, channels, 1)
        self.gate, self.replacement = same(2 * channels, channels), same(2 * channels, channels)
        self.prior = nn.Parameter(torch.zeros(1, side, side))

    def forward(self, f: Tensor, h: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        u = self.state(h)
        if u.shape[2] != f.shape[2]:
            u = F.interpolate(u, scale_factor=2)
        logit = self.gate(torch.cat([f, u], 1)) + self.prior
        g = ((1 + 2 * GATE_SLACK) * logit.sigmoid() - GATE_SLACK).clamp(0, 1)
        shut = (s * g).to(f.dtype)
        kept = (1 - shut) * f
        return kept + shut * leaky_relu(self.replacement(torch.cat([kept, u], 1))), g


class Decoder(nn.Module):
    """Latent, suppressed features from the second deepest on, style -> what the image is made of, and the image before
    its tanh. ``channels``: deepest first."""

    def __init__(self, channels: list[int], last: int, style_width: int):
        super().__init__()
        deepest = channels[0]
        inputs, outputs = [deepest, *(2 * c for c in channels[1:])], [*channels[1:], last]
        first = same(deepest + deepest // 4, deepest)
        self.conv = nn.ModuleList([first, *map(up, inputs, outputs), same(last, 3)])
        self.norm = nn.ModuleList(map(group_norm, channels))
        self.style = nn.ModuleList(nn.Linear(style_width, 2 * c, bias=False) for c in channels)

    def block(self, number: int, x: Tensor, w: Tensor) -> Tensor:
        scale, shift = self.style[number](w)[:, :, None, None].chunk(2, 1)
        return leaky_relu(self.norm[number](self.conv[number](x)) * (1 + scale) + shift)

    def forward(self, latent: Tensor, skips: list[Tensor], w: Tensor) -> tuple[Tensor, Tensor]:
        x = self.block(0, latent, w)
        for number, skip in enumerate(skips, start=1):
            x = torch.cat([self.block(number, x, w), skip], 1)
        x = leaky_relu(self.conv[-2](x))
        return x, self.conv[-1](x).float()


class DetailStage(nn.Module):
    """Originals, of the smaller image what it is made of and the image before its tanh -> the same two, doubled, and
    the gate."""

    def __init__(self, side: int, channels: int, below: int, style_width: int):
        super().__init__()
        convs = [down(3, channels), same(below + channels, channels), up(channels, channels), same(channels, 3)]
        self.conv, self.norm = nn.ModuleList(convs), group_norm(channels)
        self.unit = SuppressiveConvUnit(side, channels, below)
        self.style = nn.Linear(style_width, 2 * channels, bias=False)

    def forward(
        self, images: Tensor, hidden: Tensor, logits: Tensor, w: Tensor, s: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        filters = torch.tensor([0.25, 0.5, 0.25], dtype=hidden.dtype, device=hidden.device)
        filters = filters.outer(filters).expand(hidden.shape[1], 1, 3, 3)
        hidden = F.conv2d(F.pad(hidden, (1, 1, 1, 1), "replicate"), filters, groups=hidden.shape[1])
        f, g = self.unit(leaky_relu(self.conv[0](images)), hidden, s)
        scale, shift = self.style(w)[:, :, None, None].chunk(2, 1)
        x = self.norm(self.conv[1](torch.cat([hidden, f], 1)))
        x = leaky_relu(self.conv[2](leaky_relu(x * (1 + scale) + shift)))
        return x, F.interpolate(logits, scale_factor=2, mode="bilinear") + self.conv[3](x).float(), g


def pyramid(images: Tensor, details: int) -> list[Tensor]:
    """The images, and as often as asked at half their size, the smallest last."""
    sizes = [images]
    for _ in range(details):
        sizes.append(F.avg_pool2d(sizes[-1], 2))
    return sizes


class Generator(nn.Module):
    """See a3gan_jax/models/generator.py."""

    def __init__(self, c: GeneratorConfig):
        super().__init__()
        channels = [c.channels(level) for level in range(c.levels, 0, -1)]
        deepest, side = channels[0], c.coarse_size >> c.levels
        self.side = side
        self.style = nn.ModuleList(
            [nn.Linear(2 * c.num_attributes + c.z_dim, c.style_width), nn.Linear(c.style_width, c.style_width)]
        )
        self.constant = nn.Parameter(torch.randn(deepest, side, side))
        self.pseudonym = nn.Linear(c.style_width, deepest, bias=False)
        self.injection = nn.Linear(c.style_width, side * side * (deepest // 4), bias=False)
        self.encoder = Encoder(channels[::-1])
        self.suppression = nn.ModuleList(
            SuppressiveConvUnit(side << level, width, below)
            for level, (width, below) in enumerate(zip(channels, [deepest, *channels], strict=False))
        )
        last = max(8, c.base // 2)
        self.decoder = Decoder(channels, last, c.style_width)
        hidden = [last] + [c.detail_channels] * c.details
        self.details = nn.ModuleList(
            DetailStage(c.coarse_size << number, c.detail_channels, hidden[number], c.style_width)
            for number in range(c.details)
        )

    def forward(
        self, images: Tensor, attributes: Tensor, new_attributes: Tensor, z: Tensor, strength: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        w = torch.cat([new_attributes - attributes, 2 * new_attributes - 1, z], 1)
        for layer in self.style:
            w = leaky_relu(layer(w))
        w = w * strength[:, None]

        h, s = self.constant + self.pseudonym(w)[:, :, None, None], strength[:, None, None, None]
        sizes = pyramid(images, len(self.details))
        suppressed, gates = [], []
        for unit, feature in zip(self.suppression, self.encoder(sizes.pop()), strict=True):
            h, g = unit(feature, h, s)
            suppressed.append(h)
            gates.append(g)
        injected = self.injection(w).unflatten(1, (self.side, self.side, -1)).permute(0, 3, 1, 2)
        hidden, logits = self.decoder(torch.cat([suppressed[0], injected], 1), suppressed[1:], w)
        for stage in self.details:
            hidden, logits, g = stage(sizes.pop(), hidden, logits, w, s)
            gates.append(g)
        return logits.tanh(), gates


class AINet(nn.ModuleList):
    """See a3gan_jax/models/ainet.py."""

    def __init__(self, c: AINetConfig):
        inputs, k = 2 * c.num_attributes + c.z_dim, c.num_attributes
        super().__init__([nn.Linear(inputs, c.width), nn.Linear(c.width, c.width), nn.Linear(c.width, k)])

    def forward(self, attributes: Tensor, change: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.cat([2 * attributes - 1, 2 * change - 1, z], 1)
        logits = self[2](leaky_relu(self[1](leaky_relu(self[0](h)))))
        uniform = torch.special.ndtr(z[:, : logits.shape[1]]).clamp(1e-4, 1 - 1e-4)
        soft = (logits + uniform.logit()).sigmoid()
        hard = soft + (soft.round() - soft).detach()
        return torch.where(change > 0, hard, attributes), torch.where(change > 0, logits.sigmoid(), attributes)


class Verdict(NamedTuple):
    """Scores (N,) and (N, 8 (1 + details), 8), attribute logits (N, K), features (N, C, H, W) shallowest first."""

    real: Tensor
    local: Tensor
    attributes: Tensor
    features: list[Tensor]


class Look(nn.Module):
    """Images at a size with details -> scores (N, 8, 8) of their parts."""

    def __init__(self, size: int, c: DiscriminatorConfig):
        super().__init__()
        channels = [min(c.base * 2**stage // 2, c.max_channels) for stage in range(size.bit_length() - 4)]
        self.conv = nn.ModuleList(map(down, [3, *channels], channels))
        self.local = nn.Conv2d(channels[-1], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.conv:
            x = leaky_relu(conv(x))
        return self.local(x)[:, 0]


class Discriminator(nn.Module):
    """See a3gan_jax/models/discriminator.py."""

    def __init__(self, c: DiscriminatorConfig):
        super().__init__()
        coarse = c.image_size >> c.details
        channels = [min(c.base * 2**stage, c.max_channels) for stage in range(coarse.bit_length() - 3)]
        self.details = nn.ModuleList(Look(coarse << number, c) for number in range(1, c.details + 1))
        self.conv = nn.ModuleList(map(down, [3, *channels], channels))
        self.local = nn.Conv2d(channels[-2], 1, 1)
        self.hidden = nn.Linear(16 * channels[-1], c.width)
        self.real, self.attributes = nn.Linear(c.width, 1), nn.Linear(c.width, c.num_attributes)

    def forward(self, x: Tensor) -> Verdict:
        sizes, features = pyramid(x, len(self.details)), []
        x = sizes.pop()
        for conv in self.conv:
            x = leaky_relu(conv(x))
            features.append(x)
        hidden = leaky_relu(self.hidden(flat(x)))
        looks = [look(seen) for look, seen in zip(self.details, reversed(sizes), strict=True)]
        local = torch.cat([self.local(features[-2])[:, 0], *looks], 1)
        real, attributes = self.real(hidden)[:, 0], self.attributes(hidden)
        return Verdict(real.float(), local.float(), attributes.float(), [f.float() for f in features])


class IdentityCritic(nn.Module):
    """See a3gan_jax/models/identity_critic.py."""

    def __init__(self, c: IdentityCriticConfig, image_size: int):
        super().__init__()
        channels = [c.base * 2**stage for stage in range(c.stages)]
        self.scale = c.scale
        self.conv = nn.ModuleList(map(down, [3, *channels], channels))
        self.embedding = nn.Linear(channels[-1] * (image_size >> c.stages) ** 2, c.width)
        self.people = nn.Parameter(torch.randn(c.width, max(1, c.num_people)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for conv in self.conv:
            x = leaky_relu(conv(x))
        x = self.embedding(flat(x)).float()
        embedding = x / (x.norm(dim=1, keepdim=True) + 1e-6)
        return self.scale * embedding @ (self.people / self.people.norm(dim=0)), embedding


class Networks(nn.Module):
    """The four networks that learn."""

    def __init__(self, ours: OurNetworks):
        super().__init__()
        self.generator, self.ainet = Generator(ours.generator.config), AINet(ours.ainet.config)
        self.discriminator = Discriminator(ours.discriminator.config)
        self.critic = IdentityCritic(ours.critic.config, ours.config.image_size)
