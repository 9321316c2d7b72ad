"""A3GAN's training step in plain, eager PyTorch, the peer of ``benchmark train``: same losses, same updates.

What a user of PyTorch would write: channels_last, Adam in its fused form, autocast where our networks compute in
bfloat16. tests/tools/test_benchmark_torch.py shows that both sides compute the same.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from a3gan_jax.attributes import BEYOND_FACE, FORMS, plausibility_penalty
from a3gan_jax.faces.mask import crop_mask
from a3gan_jax.generator_objective import IDENTITY_LOSSES
from a3gan_jax.geometry import form_regions, head_region
from a3gan_jax.models.scu import gate_floor_region
from a3gan_jax.train_state import Setup
from tools.benchmarks.torch_networks import Networks
from tools.benchmarks.torch_sface import SFace
from tools.benchmarks.torch_views import arcface_view, blurred, random_arcface_view, to_float


class Draws(NamedTuple):
    """The chance in a step on N faces, of which the recogniser sees M: ``change`` (N, K); ``z`` (3N, Z) and
    ``strength`` (3N,), pass by pass; ``blurs`` (5,) in [0, 1]; ``views`` (2M, 6) in [-1, 1], seed by seed."""

    change: Tensor
    z: Tensor
    strength: Tensor
    blurs: Tensor
    views: Tensor


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of (N, ...), examples weighted by (N,)."""
    return (values.reshape(len(values), -1).mean(1) * weights).sum() / weights.sum().clamp(min=1e-6)


def pseudonym_losses(first: Tensor, second: Tensor, whole_batch: bool, c: Any) -> dict[str, Tensor]:
    """Of unit embeddings (N, D) of the same faces; ``second[i]`` wears the seed of ``first[i - 1]``."""
    paired = torch.ones(len(first), device=first.device)
    paired[0] = float(whole_batch)
    neighbours = (second * first.roll(1, 0)).sum(1)
    return {
        "diversity": F.relu((first * second).sum(1) - c.diversity_margin).mean(),
        "pseudonym": weighted_mean(F.relu(c.pseudonym_cosine - neighbours), paired),
    }


def plausibility_terms(names: tuple[str, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """``plausibility_penalty`` is constant + linear . a + a . pairs . a; the three, read off its values at 0 and 1."""
    one = np.eye(len(names), dtype=np.float32)
    constant = np.asarray(plausibility_penalty(np.zeros_like(one[0]), names))
    linear = np.asarray(plausibility_penalty(one, names)) - constant
    both = np.asarray(plausibility_penalty(np.maximum(one[:, None], one), names))
    pairs = (both - linear[:, None] - linear - constant) * (1 - one) / 2
    return torch.tensor(constant), torch.tensor(linear), torch.tensor(pairs)


class Trainer:
    """The step of a3gan_jax/steps.py. A batch is passed through the generator three times, pass after pass."""

    def __init__(self, setup: Setup, frozen: Mapping[str, Any], device: str, compiled: bool = False):
        """``frozen``: as of ``experiments.configuration.create_setup``. Raises ValueError: see the three checks."""
        if setup.loss.adversarial_kind != "non_saturating":
            raise ValueError("the PyTorch side knows the adversarial loss non_saturating only")
        if setup.loss.landmarks:
            raise ValueError("the PyTorch side knows no loss of landmarks: --config.loss.landmarks=0")
        if [recognizer.name for recognizer in setup.recognizers] not in ([], ["sface"]):
            raise ValueError("the PyTorch side knows the recogniser sface only: --config.recognizers='(\"sface\",)'")
        c, names = setup.optimizer, setup.networks.config.attributes
        self.model, self.loss, self.optimizer, self.device = setup.networks.config, setup.loss, c, device
        n = self.networks = Networks(setup.networks).to(device, memory_format=torch.channels_last)
        self.sface = SFace(frozen["sface"]).to(device, memory_format=torch.channels_last) if frozen else None
        self.learners = nn.ModuleDict({"generator": n.generator, "ainet": n.ainet})
        self.judges = nn.ModuleList([n.discriminator, n.critic])
        self.ema = AveragedModel(self.learners, multi_avg_fn=get_ema_multi_avg_fn(c.ema_decay))
        self.adams = {
            name: torch.optim.Adam(learner.parameters(), rate, betas, fused=True)
            for name, learner, rate, betas in (
                ("generator", self.learners, c.learning_rate, (c.b1, c.b2)),
                ("discriminator", n.discriminator, c.discriminator_learning_rate, (c.b1, c.b2)),
                ("critic", n.critic, c.critic_learning_rate, (0.9, 0.999)),
            )
        }
        self.steps = 0
        self.attribute_mean = torch.full((len(names),), 0.5, device=device)
        self.attribute_covariance = 0.25 * torch.eye(len(names), device=device)
        self.head = torch.tensor(head_region(self.model.image_size)[..., 0], device=device)
        self.mask = torch.tensor(crop_mask(self.model.image_size), dtype=torch.float32, device=device)
        levels = self.model.levels + self.model.details
        sides = [self.model.image_size >> level for level in range(levels, 0, -1)]
        self.regions = [torch.tensor(gate_floor_region(side)[..., 0], device=device) for side in sides]
        regions = form_regions(self.loss.structure_cells)
        self.form_regions = torch.tensor(regions / regions.sum((1, 2), keepdims=True), device=device)
        self.forms = [[names.index(name) for name in part if name in names] for part in FORMS.values()]
        self.beyond_face = torch.tensor([name in BEYOND_FACE for name in names], device=device)
        self.plausibility = [term.to(device) for term in plausibility_terms(names)]
        if compiled:
            for network in (n.generator, n.ainet, n.discriminator, n.critic, *([self.sface] if self.sface else [])):
                network.compile()

    def run(self, network: nn.Module, *inputs: Tensor) -> Any:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.model.compute == "bfloat16"):
            return network(*inputs)

    def draw(self, n: int) -> Draws:
        c, options = self.loss, {"device": self.device}
        change = torch.rand(n, len(self.model.attributes), **options) < c.change_probability
        change |= torch.rand(n, 1, **options) < c.free_probability
        change &= ~((torch.rand(n, 1, **options) < c.in_photo_probability) & self.beyond_face)
        z, ones = torch.randn(n, self.model.z_dim, **options), torch.ones(n, **options)
        reconstruct = torch.rand(n, **options) < c.reconstruct_probability
        partial = torch.where(reconstruct, 0.0, torch.rand(n, **options))
        seen = 2 * min(c.identity_images or n, n)
        return Draws(
            change.float(),
            torch.cat([z, z, z.roll(1, 0)]),
            torch.cat([partial, ones, ones]),
            torch.rand(5, **options),
            2 * torch.rand(seen, 6, **options) - 1,
        )

    def generator_losses(self, x: Tensor, a: Tensor, identity: Tensor, draws: Draws) -> tuple[dict, Tensor]:
        """The losses by name, and what the generator made (3N, 3, S, S)."""
        c, nets, n, (change, z, strength, blurs, views) = self.loss, self.networks, len(x), draws
        x3, a3, change3 = (torch.cat([v, v, v]) for v in (x, a, change))
        new, probabilities = nets.ainet(a3, change3, z)
        new = torch.where(strength[:, None] > 0, new, a3)
        y, gates = self.run(nets.generator, x3, a3, new, z, strength)

        y2, target, difference = y[n:], new[n:], y[n:] - x3[n:]
        seen = self.judged(y, x)
        verdict = self.run(nets.discriminator, seen)
        blurry = self.run(nets.discriminator, blurred(y2, blurs[0]))
        with torch.no_grad():
            real = self.run(nets.discriminator, x)
        logits, embedding = self.run(nets.critic, blurred(y, blurs[1]))

        weights = 1 + (c.kept_attribute - 1) * (1 - change3[n:])
        entropy = F.binary_cross_entropy_with_logits(blurry.attributes, target.detach(), weights, reduction="sum")
        named = logits.log_softmax(1).gather(1, identity.clamp(min=0).repeat(3)[:, None])[:, 0]
        allowed = strength * math.log(c.identity_critic_guesses / logits.shape[1])
        matched = [i for i, f in enumerate(real.features) if f.shape[2] in c.feature_matching_sides]
        floors = (c.gate_floors + c.gate_floors[-1:] * len(gates))[: len(gates)]
        shortfall = F.relu(c.anonymization_delta - (probabilities - a3)[n:].abs()) * change3[n:]
        centred = target - self.attribute_mean
        ridge = self.attribute_covariance + 0.01 * torch.eye(len(self.attribute_mean), device=self.device)
        distance = (centred * torch.linalg.solve_ex(ridge, centred.T)[0].T).mean(1)
        constant, linear, pairs = self.plausibility
        size = self.model.image_size
        parts = {
            "adversarial": weighted_mean(F.softplus(-verdict.real), strength),
            "adversarial_local": weighted_mean(F.softplus(-verdict.local), strength),
            "attribute": entropy / weights.sum(),
            "reconstruction": weighted_mean((y - x3).abs(), 1 - strength),
            "background": (difference.abs() * (1 - self.head)).mean(),
            "low_frequency": F.avg_pool2d(difference, size // c.low_frequency_cells).abs().mean(),
            "chroma": F.avg_pool2d(difference - difference.mean(1, keepdim=True), size // c.chroma_cells).abs().mean(),
            "structure": self.structure(y2, x3[n:], 1 - (target - a3[n:]).detach().abs()),
            "feature_matching": sum(
                (verdict.features[i][n:].unflatten(0, (2, n)) - real.features[i]).abs().mean()
                / real.features[i].abs().mean().clamp(min=1e-6)
                for i in matched
            ),
            "gate_floor": sum(
                (F.relu(floor - g[n:]) * region).mean((0, 1)).sum() / region.sum().clamp(min=1)
                for g, floor, region in zip(gates, floors, self.regions, strict=True)
            ),
            "identity_critic": weighted_mean(F.relu(named - allowed), (identity >= 0).float().repeat(3)),
            "anonymization": shortfall.sum() / change3[n:].sum().clamp(min=1e-6),
            "rarity": F.relu(distance - 1).mean(),
            "plausibility": (constant + target @ linear + ((target @ pairs) * target).sum(1)).mean(),
        }
        if self.sface is not None:
            parts |= self.recognizer_losses(x, seen, views)
        of_critic = pseudonym_losses(embedding[n : 2 * n], embedding[2 * n :], True, c)
        return parts | {f"critic_{name}": value for name, value in of_critic.items()}, y.detach()

    def judged(self, y: Tensor, x: Tensor) -> Tensor:
        """What discriminator and recogniser see of ``y`` (3N, 3, S, S)."""
        if not self.loss.judge_pasted:
            return y
        n = len(x)
        return torch.cat([y[: 2 * n], x + self.mask * (y[2 * n :] - x)])

    def structure(self, y: Tensor, x: Tensor, stay: Tensor) -> Tensor:
        kept = torch.stack([stay[:, columns].prod(1) for columns in self.forms], 1)
        cells = self.model.image_size // self.loss.structure_cells
        y, x = (F.avg_pool2d(v.mean(1), cells) for v in (y, x))

        def mean(values: Tensor) -> Tensor:
            return torch.einsum("rhw,nhw->nr", self.form_regions, values)

        mean_y, mean_x = mean(y), mean(x)
        variances = (mean(y * y) - mean_y**2) * (mean(x * x) - mean_x**2)
        lost = 1 - (mean(y * x) - mean_y * mean_x) / variances.clamp(min=1e-5).sqrt()
        return ((lost * kept).sum(0) / kept.sum(0).clamp(min=1e-6)).sum()

    def recognizer_losses(self, x: Tensor, y: Tensor, views: Tensor) -> dict[str, Tensor]:
        c, n, m = self.loss, len(x), len(views) // 2
        with torch.no_grad():
            target = self.sface(arcface_view(x[:m]))
        faces = y.unflatten(0, (3, n))[1:, :m].flatten(0, 1)
        embedding = self.sface(random_arcface_view(faces, views, c.identity_grey)).unflatten(0, (2, m))
        cosines = (embedding * target).sum(2)
        parts = {"identity": F.relu(cosines - c.identity_margin).mean()}
        return parts | pseudonym_losses(embedding[0], embedding[1], m == n, c)

    def generator_total(self, parts: Mapping[str, Tensor]) -> Tensor:
        c = self.loss
        ramp = min(1.0, self.steps / c.identity_ramp_steps) if c.identity_ramp_steps else 1.0
        names = {name: name.removeprefix("critic_") for name in parts}
        return sum(
            getattr(c, names[name]) * (ramp if names[name] in IDENTITY_LOSSES else 1.0) * value
            for name, value in parts.items()
        )

    def discriminator_losses(
        self, x: Tensor, a: Tensor, fakes: Tensor, strength: Tensor, blur: Tensor
    ) -> dict[str, Tensor]:
        judge = self.networks.discriminator
        real, blurry, fake = (self.run(judge, images) for images in (x, blurred(x, blur), self.judged(fakes, x)))
        entropy = F.binary_cross_entropy_with_logits
        return {
            "discriminator_adversarial": F.softplus(-real.real).mean() + weighted_mean(F.softplus(fake.real), strength),
            "discriminator_local": F.softplus(-real.local).mean() + weighted_mean(F.softplus(fake.local), strength),
            "discriminator_attribute": 0.5 * (entropy(real.attributes, a) + entropy(blurry.attributes, a)),
        }

    def gradient_penalty(self, x: Tensor) -> Tensor:
        """R1 in float32, counted for the steps in between; double gradients are beyond torch.compile."""
        x = x.detach().requires_grad_()
        verdict = self.networks.discriminator.forward(x)
        local = verdict.local.sum() / verdict.local[0].numel() ** 0.5
        score = verdict.real.sum() + self.loss.gradient_penalty_local * local
        (gradient,) = torch.autograd.grad(score, x, create_graph=True)
        r1 = 0.5 * gradient.square().sum((1, 2, 3)).mean()
        return self.loss.gradient_penalty * self.loss.gradient_penalty_every * r1

    def critic_losses(self, x: Tensor, identity: Tensor, fakes: Tensor, blurs: Tensor) -> dict[str, Tensor]:
        """``fakes``: (2N, 3, S, S), those at strength 1."""

        def entropy(images: Tensor, people: Tensor) -> Tensor:
            logits, _ = self.run(self.networks.critic, images)
            known = (people >= 0).sum().clamp(min=1)
            return F.cross_entropy(logits, people, ignore_index=-1, reduction="sum") / known

        return {
            "critic_original": entropy(blurred(x, blurs[0]), identity),
            "critic_anonymized": entropy(blurred(fakes, blurs[1]), identity.repeat(2)),
        }

    def update(self, name: str, loss: Tensor) -> None:
        self.adams[name].zero_grad()
        loss.backward()
        self.adams[name].step()

    def step(self, batch: Mapping[str, np.ndarray], draws: Draws | None = None) -> dict[str, Tensor]:
        """Generator and AINet learn, then the discriminator and the critic on what was made; returns all losses."""
        image, a, identity = (
            torch.from_numpy(batch[name]).to(self.device, non_blocking=True)
            for name in ("image", "attributes", "identity")
        )
        x, a, identity, c, n = to_float(image), a.float(), identity.long(), self.loss, len(image)
        draws = draws or self.draw(n)

        self.judges.requires_grad_(False)
        parts, fakes = self.generator_losses(x, a, identity, draws)
        parts["generator"] = self.generator_total(parts)
        self.update("generator", parts["generator"])
        self.ema.update_parameters(self.learners)
        self.judges.requires_grad_(True)

        judged = self.discriminator_losses(x, a, fakes, draws.strength, draws.blurs[2])
        total = sum(judged.values()) + (c.attribute_discriminator - 1) * judged["discriminator_attribute"]
        if self.steps % c.gradient_penalty_every == 0:
            judged["gradient_penalty"] = self.gradient_penalty(x)
            total = total + judged["gradient_penalty"]
        self.update("discriminator", total)

        named = self.critic_losses(x, identity, fakes[n:], draws.blurs[3:])
        self.update("critic", sum(named.values()))

        news = 1 - min(0.998, (1 + self.steps) / (10 + self.steps))
        self.attribute_mean.lerp_(a.mean(0), news)
        centred = a - self.attribute_mean
        self.attribute_covariance.lerp_(centred.T @ centred / n, news)
        self.steps += 1
        return {name: value.detach() for name, value in (parts | judged | named).items()}


def anonymizer(networks: Networks, device: str, compiled: bool = False) -> Callable[..., np.ndarray]:
    """As ``a3gan_jax.inference.anonymize`` at strength 1, where all may change: uint8 images (N, S, S, 3), attributes
    (N, K) and seeds (N, Z), numpy arrays, -> (N, S, S, 3) in [-1, 1]."""
    networks = networks.to(device, memory_format=torch.channels_last).eval()
    if compiled:
        networks.generator.compile()
        networks.ainet.compile()

    @torch.inference_mode()
    def anonymize(*inputs: np.ndarray) -> np.ndarray:
        images, attributes, z = (torch.from_numpy(array).to(device) for array in inputs)
        new, _ = networks.ainet(attributes, torch.ones_like(attributes), z)
        strength = torch.ones(len(images), device=device)
        y, _ = networks.generator(to_float(images), attributes, new, z, strength)
        return y.permute(0, 2, 3, 1).cpu().numpy()

    return anonymize
