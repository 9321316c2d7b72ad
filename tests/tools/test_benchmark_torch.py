"""The PyTorch side of the benchmarks does the work of ours: same networks, same losses, same gradients."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen as nn
from torch.nn import functional

from a3gan_jax import generator_objective, steps
from a3gan_jax.attributes import ATTGAN_ATTRIBUTES, plausibility_penalty
from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.convert.layouts import a3gan
from a3gan_jax.convert.recognizers import load_recognizer
from a3gan_jax.inference import anonymize
from a3gan_jax.models.recognizers import Recognizer
from a3gan_jax.networks import ModelConfig, Networks
from a3gan_jax.train_state import Setup, init_state
from a3gan_jax.training_config import LossConfig, OptimizerConfig
from tests.random_models import random_model
from tools.benchmarks import torch_a3gan, torch_networks
from tools.benchmarks.torch_sface import SFace

N, SEEN, PEOPLE, K, Z = 3, 2, 5, len(ATTGAN_ATTRIBUTES), 13
MODEL = ModelConfig(64, ATTGAN_ATTRIBUTES, PEOPLE, base=8, levels=2, z_dim=Z, style_width=8, discriminator_base=4,
                    critic_base=4)  # fmt: skip
# Floors and margins at which no loss is zero, whatever random networks do.
LOSS = LossConfig(
    gradient_penalty_local=0.3,
    judge_pasted=True,
    structure=2.0,
    identity_images=SEEN,
    identity_ramp_steps=0,
    identity_margin=-3.0,
    identity_grey=1.0,
    identity_critic_guesses=0.001,
    diversity_margin=-1.0,
    pseudonym_cosine=1.5,
    gate_floors=(0.8,),
)


class TinyRecognizer(nn.Module):
    """In SFace's place where gradients are asked for: quick to compile."""

    @nn.compact
    def __call__(self, images):
        return nn.Dense(8)(images[:, ::8, ::8].reshape(images.shape[0], -1))


RECOGNIZER = Recognizer("sface", 112, None, TinyRecognizer())
SETUP = Setup(Networks.create(MODEL), (RECOGNIZER,), LOSS, OptimizerConfig(critic_warmup_steps=0), 10)
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
LOSSES = """adversarial adversarial_local attribute reconstruction background low_frequency chroma structure
    feature_matching gate_floor identity identity_critic anonymization rarity plausibility diversity
    pseudonym critic_diversity critic_pseudonym generator discriminator_adversarial discriminator_local
    discriminator_attribute gradient_penalty critic_original critic_anonymized""".split()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """On so small networks PyTorch's threads wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def state():
    """Random parameters, every one of them; optimisers that have seen nothing."""
    rng = np.random.default_rng(0)

    def drawn(leaf):
        if leaf.ndim < 2:
            return rng.uniform(-0.3, 0.7, leaf.shape).astype(np.float32)
        return rng.normal(0, np.prod(leaf.shape[:-1]) ** -0.5, leaf.shape).astype(np.float32)

    shapes = jax.eval_shape(functools.partial(init_state, setup=SETUP), jax.random.key(0))
    learned = {n: jax.tree.map(drawn, getattr(shapes, n)) for n in ("generator", "ainet", "discriminator", "critic")}
    nothing = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    return nothing.replace(
        **learned,
        attribute_mean=np.full(K, 0.5, np.float32),
        attribute_covariance=0.1 * np.eye(K, dtype=np.float32),
    )


@pytest.fixture
def trainer(state):
    """PyTorch's with our parameters."""
    trainer = torch_a3gan.Trainer(SETUP, {}, "cpu")
    trainer.networks.load_state_dict(carried(state))
    trainer.attribute_covariance[:] = torch.from_numpy(state.attribute_covariance)
    return trainer


def carried(state) -> dict[str, torch.Tensor]:
    """Our parameters under PyTorch's names and in its order of axes."""
    model = SavedModel(MODEL, {n: getattr(state, n) for n in ("generator", "ainet", "discriminator")}, 0)
    tensors = a3gan.to_state_dict(model)
    tensors.pop(a3gan.DESCRIPTION)
    critic = state.critic["params"]
    for name, ours in ("embedding", "Dense_0"), *((f"conv.{i}", f"Conv_{i}") for i in range(4)):
        kernel = critic[ours]["kernel"]
        tensors[f"critic.{name}.weight"] = kernel.transpose((3, 2, 0, 1) if kernel.ndim == 4 else (1, 0))
        tensors[f"critic.{name}.bias"] = critic[ours]["bias"]
    tensors["critic.people"] = critic["people"]
    return {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(1)
    return {
        "image": rng.integers(0, 256, (N, 64, 64, 3), np.uint8),
        "attributes": rng.integers(0, 2, (N, K), np.uint8),
        "identity": np.array([0, 3, -1], np.int32),
    }


def nhwc(x: torch.Tensor) -> np.ndarray:
    x = x.detach()
    return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).numpy()


def nchw(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x).permute(0, 3, 1, 2)


def test_networks_are_ours(state, trainer):
    rng = np.random.default_rng(2)
    x, faces = (rng.uniform(-1, 1, (N, side, side, 3)).astype(np.float32) for side in (64, 112))
    a, change = (rng.integers(0, 2, (N, K)).astype(np.float32) for _ in range(2))
    new, z, s = rng.random((N, K), np.float32), rng.normal(size=(N, Z)).astype(np.float32), np.float32([0, 0.4, 1])

    def run(state, frozen):
        n = SETUP.networks
        return (
            n.generator.apply(state.generator, x, a, new, z, s),
            n.ainet.apply(state.ainet, a, change, z),
            n.discriminator.apply(state.discriminator, x),
            n.critic.apply(state.critic, x),
            recognizer.embed(frozen, faces),
        )

    recognizer, frozen = load_recognizer("sface", conv="lax")
    ours = jax.tree.leaves(jax.jit(run, compiler_options=QUICK)(state, frozen))
    n, given = trainer.networks, [torch.from_numpy(v) for v in (a, new, z, s)]
    with torch.no_grad():
        (image, gates), verdict = n.generator(nchw(x), *given), n.discriminator(nchw(x))
        chosen = n.ainet(given[0], torch.from_numpy(change), given[2])
        theirs = [
            image,
            *gates,
            *chosen,
            *verdict[:3],
            *verdict.features,
            *n.critic(nchw(x)),
            SFace(frozen)(nchw(faces)),
        ]
    assert len(ours) == len(theirs) == 1 + 2 + 2 + 3 + 4 + 2 + 1
    for one, other in zip(ours, map(nhwc, theirs), strict=True):
        assert np.std(one) > 1e-3
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4 * np.abs(one).max())


def test_detail_stages_are_ours():
    config = dataclasses.replace(MODEL, image_size=256, details=2, detail_channels=12)
    variables, networks = random_model(config, scale=0.1).variables, Networks.create(config)
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (2, 256, 256, 3)).astype(np.float32)
    a, new, z, s = rng.random((2, K)), rng.random((2, K)), rng.normal(size=(2, Z)), np.array([0.4, 1.0])
    given = [v.astype(np.float32) for v in (a, new, z, s)]

    def run(variables):
        verdict = networks.discriminator.apply(variables["discriminator"], x)
        return networks.generator.apply(variables["generator"], x, *given), verdict

    theirs = torch_networks.Networks(networks)
    tensors = a3gan.to_state_dict(SavedModel(config, variables, 0))
    tensors.pop(a3gan.DESCRIPTION)
    missing = theirs.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in tensors.items()}, strict=False)
    assert not missing.unexpected_keys and {name.split(".")[0] for name in missing.missing_keys} == {"critic"}
    with torch.no_grad():
        image, gates = theirs.generator(nchw(x), *map(torch.from_numpy, given))
        verdict = theirs.discriminator(nchw(x))
    ours = jax.tree.leaves(jax.jit(run, compiler_options=QUICK)(variables))
    for one, other in zip(ours, map(nhwc, [image, *gates, *verdict[:3], *verdict.features]), strict=True):
        assert np.std(one) > 1e-3
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-3 * np.abs(one).max())


def draws(key) -> torch_a3gan.Draws:
    """The chance that ``steps.train_step`` draws from a key; our passes lie side by side, PyTorch's in a row."""
    generator, discriminator, critic = jax.random.split(key, 3)
    conditions, *rest = jax.random.split(generator, 4)
    change, z, strength = generator_objective._sample_conditions(conditions, N, SETUP)
    blurs = [*rest[:2], jax.random.split(discriminator, 2)[0], *jax.random.split(critic, 2)]
    views = [
        jax.random.uniform(k, (6,), minval=-1.0) for k in jax.random.split(jax.random.fold_in(rest[2], 0), 2 * SEEN)
    ]

    def in_a_row(values, passes):
        return np.concatenate([np.asarray(values)[i::passes] for i in range(passes)])

    arrays = (
        change, in_a_row(z, 3), in_a_row(strength, 3), [jax.random.uniform(k) for k in blurs], in_a_row(views, 2)
    )  # fmt: skip
    return torch_a3gan.Draws(*(torch.from_numpy(np.array(array)) for array in arrays))


def test_a_step_is_ours(state, trainer, batch):
    """All losses, and how far each network's gradient and update reach."""
    key = jax.random.key(6)
    step = jax.jit(functools.partial(steps.train_step, setup=SETUP), compiler_options=QUICK)
    rng = np.random.default_rng(4)
    dense = {"kernel": rng.normal(0, 0.04, (588, 8)).astype(np.float32), "bias": rng.random(8, np.float32)}
    after, ours = step(state, {"sface": {"params": {"Dense_0": dense}}}, batch, key)
    parts = {"generator": ("generator", "ainet"), "discriminator": ("discriminator",), "critic": ("critic",)}
    before = {name: value.clone() for name, value in trainer.networks.named_parameters()}
    kernel, bias = (torch.from_numpy(dense[name]) for name in ("kernel", "bias"))
    trainer.sface = lambda x: functional.normalize(torch_networks.flat(x[:, :, ::8, ::8]) @ kernel + bias)
    theirs = trainer.step(batch, draws(key))

    assert sorted(theirs) == sorted(LOSSES)
    for name in LOSSES:
        assert abs(ours[f"loss/{name}"]) > 1e-4, f"{name} is nothing here: the comparison would say nothing"
        np.testing.assert_allclose(theirs[name], ours[f"loss/{name}"], rtol=1e-3, err_msg=name)
    for learner, names in parts.items():
        moved = {n: p for n, p in trainer.networks.named_parameters() if n.split(".")[0] in names}
        gradient = torch.stack([p.grad.norm() for p in moved.values()]).norm()
        update = torch.stack([(p - before[n]).norm() for n, p in moved.items()]).norm().detach()
        np.testing.assert_allclose(gradient, ours[f"gradient_norm/{learner}"], rtol=1e-3, err_msg=learner)
        np.testing.assert_allclose(update, ours[f"update_norm/{learner}"], rtol=1e-2, err_msg=learner)
    np.testing.assert_allclose(trainer.attribute_mean, after.attribute_mean, rtol=1e-5)
    np.testing.assert_allclose(trainer.attribute_covariance, after.attribute_covariance, rtol=1e-5, atol=1e-6)


def test_r1_is_paid_once_in_so_many_steps_and_chance_is_drawn(trainer, batch):
    every = SETUP.loss.gradient_penalty_every
    paid = ["gradient_penalty" in trainer.step(batch) for _ in range(every + 1)]
    assert paid == [True] + [False] * (every - 1) + [True]
    torch.manual_seed(0)
    drawn = trainer.draw(2000)
    assert drawn.z.shape == (6000, Z) and drawn.views.shape == (2 * SEEN, 6)
    assert drawn.change.mean() == pytest.approx(0.3 + 0.7 * 0.6, abs=0.03)
    assert (drawn.strength[:2000] == 0).float().mean() == pytest.approx(0.6, abs=0.04)
    assert (drawn.strength[2000:] == 1).all()
    assert (drawn.z[:2000] == drawn.z[2000:4000]).all() and (drawn.z[4001] == drawn.z[0]).all()


def test_plausibility_is_read_off_our_own():
    attributes = np.random.default_rng(0).random((50, K), np.float32)
    constant, linear, pairs = torch_a3gan.plausibility_terms(ATTGAN_ATTRIBUTES)
    a = torch.from_numpy(attributes)
    found = constant + a @ linear + ((a @ pairs) * a).sum(1)
    np.testing.assert_allclose(found, plausibility_penalty(attributes, ATTGAN_ATTRIBUTES), rtol=1e-4)


def test_inference_is_ours(state, batch):
    networks = torch_networks.Networks(SETUP.networks)
    networks.load_state_dict(carried(state))
    a, z = batch["attributes"].astype(np.float32), np.random.default_rng(3).normal(size=(N, Z)).astype(np.float32)
    theirs = torch_a3gan.anonymizer(networks, "cpu")(batch["image"], a, z)
    variables = {"generator": state.generator, "ainet": state.ainet}
    x = batch["image"].astype(np.float32) / 127.5 - 1
    run = jax.jit(functools.partial(anonymize, SETUP.networks), compiler_options=QUICK)
    ours, _, _ = run(variables, x, a, jnp.ones((N, K)), a, z, jnp.ones(N))
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


@pytest.mark.parametrize(
    ("loss", "hint"),
    [(LossConfig(adversarial_kind="wgan_gp"), "non_saturating only"), (LossConfig(landmarks=1.0), "loss.landmarks=0")],
)
def test_what_pytorch_does_not_know_is_refused(loss, hint):
    with pytest.raises(ValueError, match=hint):
        torch_a3gan.Trainer(Setup(SETUP.networks, (), loss, SETUP.optimizer, 1), {}, "cpu")
