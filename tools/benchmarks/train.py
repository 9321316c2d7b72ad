"""``benchmark train``: the step of experiments/train.py, after the identity critic's warm-up, on random faces.

Every step sends a batch of uint8 images to the devices, and generator, AINet, discriminator and identity critic learn
from it; R1 is computed once in so many steps, so a run has a multiple of them. Operations are those that XLA counts in
the compiled step. ``--vs torch``: the same networks and the same step in PyTorch (tools/benchmarks/torch_a3gan.py), in
a process of its own and in turns with ours, on the same device; ``ratio`` is ours to PyTorch's images a second. Goal:
at least 1.
"""

import argparse
import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tools.benchmarks.process import MIB
from tools.benchmarks.turns import Side, finite, in_turns, need_torch, rate

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    Batch = dict[str, Any]

BATCHES = 4  # that differ
GIGA = 1e9


def options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(settings=())
    parser.add_argument(
        "--config",
        default="celeba_cpu.py",
        help="as of experiments/train.py; settings follow as --config.KEY=VALUE, such as --config.model.base=64",
    )
    parser.add_argument("--people", type=int, default=1000, help="whom the identity critic tells apart")
    parser.add_argument("--steps", type=int, default=16, help="in a run")
    parser.add_argument("--runs", type=int, default=5, help="beside one to warm up")
    parser.add_argument("--vs", choices=["torch"], help="measure this one too")
    parser.add_argument("--compile", action="store_true", help="PyTorch's networks by torch.compile")


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Speed, memory and operations of a training step, and how much faster it is than PyTorch's."""
    if given.vs:
        need_torch()
    with contextlib.ExitStack() as stack:
        sides = {"ours": stack.enter_context(Side(ours, given))}
        facts = sides["ours"].call("facts")
        if given.vs:
            if facts["devices"] != 1:
                raise RuntimeError("--vs torch compares on one device: leave one visible (CUDA_VISIBLE_DEVICES=0)")
            sides["torch"] = stack.enter_context(Side(theirs, given, facts["platform"]))
        seconds = in_turns(sides, given.runs, given.steps)
        operations, devices = facts.pop("operations"), facts["devices"]
        figures = facts | rate("", "step", seconds["ours"], facts["batch_size"])
        a_second = 1000 * operations / figures["milliseconds_a_step"]
        figures |= {"gflop_a_step": operations / GIGA, "gflop_a_second": a_second / GIGA}
        figures |= sides["ours"].call("use", a_second, devices)
        if given.vs:
            figures |= sides["torch"].call("facts")
            figures |= rate("torch_", "step", seconds["torch"], facts["batch_size"])
            figures["ratio"] = figures["images_a_second"] / figures["torch_images_a_second"]
    return figures | {"steps_a_run": given.steps, "runs": given.runs}


def configuration(given: argparse.Namespace) -> "ConfigDict":
    """The configuration that is asked for, with the critic's warm-up behind it."""
    from experiments.configuration import load_config, split_overrides

    config = load_config(given.config, split_overrides(given.settings))
    config.optimizer.critic_warmup_steps, config.optimizer.generator_every = 0, 1
    if given.steps % config.loss.gradient_penalty_every:
        every = config.loss.gradient_penalty_every
        raise ValueError(f"--steps {given.steps} is not a multiple of {every}, the steps from one R1 to the next")
    return config


def random_batches(config: "ConfigDict", attributes: int, people: int) -> "Iterator[Batch]":
    """Endless batches as of ``face_batches``: a few, again and again."""
    import numpy as np

    random, n, side = np.random.default_rng(0), config.batch_size, config.image_size
    batches = [
        {
            "image": random.integers(0, 256, (n, side, side, 3), np.uint8),
            "attributes": random.integers(0, 2, (n, attributes), np.uint8),
            "identity": random.integers(0, people, n, np.int32),
            "index": np.arange(n, dtype=np.int32),
        }
        for _ in range(BATCHES)
    ]
    return itertools.cycle(batches)


def ours(given: argparse.Namespace) -> "Ours":
    """In a process where JAX takes no more of a GPU's memory than it needs, for PyTorch shares it."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    return Ours(given)


class Ours:
    """The training of experiments/train.py without its files."""

    def __init__(self, given: argparse.Namespace):
        import jax

        from a3gan_jax import sharding
        from a3gan_jax.sharded_steps import ShardedSteps
        from experiments.configuration import create_setup

        start = time.perf_counter()
        self.config = configuration(given)
        self.mesh = sharding.create_mesh(**self.config.mesh)
        sharding.per_process_batch_size(self.config.batch_size, self.mesh)
        self.setup, frozen = create_setup(self.config, given.people)
        self.frozen = jax.device_put(frozen, sharding.replicated(self.mesh))
        self.batches = random_batches(self.config, len(self.setup.networks.config.attributes), given.people)
        self.key, self.steps = jax.random.key(0), 0
        sharded = ShardedSteps(self.setup, self.mesh)
        self.state = sharded.init(self.key)
        batch = sharding.put_batch(self.mesh, next(self.batches))
        self.step = sharded.at(0).lower(self.state, self.frozen, batch, self.key).compile()
        self.run(1)
        self.warm_up_seconds = time.perf_counter() - start
        self.run(given.steps)

    def run(self, steps: int, batches: "Iterator[Batch] | None" = None) -> float:
        """Seconds a step."""
        import jax

        from a3gan_jax.sharding import put_batch

        batches = batches or self.batches
        start = time.perf_counter()
        for _ in range(steps):
            batch, self.steps = put_batch(self.mesh, next(batches)), self.steps + 1
            key = jax.random.fold_in(self.key, self.steps)
            self.state, measured = self.step(self.state, self.frozen, batch, key)
        jax.block_until_ready(self.state)
        seconds = time.perf_counter() - start
        finite(measured)
        return seconds / steps

    def facts(self) -> dict[str, Any]:
        config, model, device = self.config, self.setup.networks.config, self.mesh.devices.flat[0]
        widths = f"{model.base}, {model.discriminator_base} and {model.critic_base}"
        return {
            "platform": device.platform,
            "accelerator": device.device_kind,
            "devices": self.mesh.size,
            "networks": f"{model.image_size} px, {widths} channels, {model.compute}",
            "recognisers": ", ".join(config.recognizers) or "none",
            "batch_size": config.batch_size,
            "warm_up_seconds": self.warm_up_seconds,
            "operations": self.step.cost_analysis()["flops"] * self.mesh.size,
        }

    def use(self, operations: float, devices: int) -> dict[str, Any]:
        """Of the device: what share of its peak so many operations a second are, and memory."""
        from tools.benchmarks.jax_device import peak_bytes, percent_of_peak

        device = self.mesh.devices.flat[0]
        peak, where = peak_bytes(device)
        share = percent_of_peak(device.device_kind, operations, devices)
        return {"percent_of_bfloat16_peak": share, "peak_mib": peak / MIB, "peak_mib_of": where}


def theirs(given: argparse.Namespace, platform: str) -> "Theirs":
    """In a process where JAX, which only lends its configuration, keeps off the GPU."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    return Theirs(given, platform)


class Theirs:
    """The same training in PyTorch."""

    def __init__(self, given: argparse.Namespace, platform: str):
        from experiments.configuration import create_setup
        from tools.benchmarks import torch_device
        from tools.benchmarks.torch_a3gan import Trainer

        start = time.perf_counter()
        config = configuration(given)
        setup, frozen = create_setup(config, given.people)
        self.device = torch_device.choose(platform)
        self.trainer = Trainer(setup, frozen, self.device, given.compile)
        self.batches = random_batches(config, len(setup.networks.config.attributes), given.people)
        self.run(1)
        self.warm_up_seconds = time.perf_counter() - start
        self.run(given.steps)

    def run(self, steps: int) -> float:
        """Seconds a step."""
        from tools.benchmarks import torch_device

        start = time.perf_counter()
        for _ in range(steps):
            measured = self.trainer.step(next(self.batches))
        torch_device.wait(self.device)
        seconds = time.perf_counter() - start
        finite(measured)
        return seconds / steps

    def facts(self) -> dict[str, Any]:
        from tools.benchmarks import torch_device

        return torch_device.facts(self.device) | {
            "torch_warm_up_seconds": self.warm_up_seconds,
            "torch_peak_mib": torch_device.peak_bytes(self.device) / MIB,
        }
