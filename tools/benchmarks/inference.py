"""``benchmark inference``: from faces to pseudonyms, as the product does it (a3gan_jax/inference.py).

Faces and their attributes are given, all attributes may change, the strength is 1; uint8 images go to the device, float
images come back, the gates stay. The networks are random ones of the size asked for. ``--vs torch``: the same in
PyTorch, in a process of its own and in turns with ours, on the same device; a ratio is ours to PyTorch's images a
second. Goal: at least 1, one face at a time and 16.
"""

import argparse
import contextlib
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tools.benchmarks.process import MIB
from tools.benchmarks.turns import Side, in_turns, need_torch, rate

if TYPE_CHECKING:
    import numpy as np

    from a3gan_jax.networks import ModelConfig


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image_size", type=int, choices=[64, 128], default=64, help="side in pixels")
    parser.add_argument("--base", type=int, default=20, help="channels of the generator's shallowest level")
    parser.add_argument("--batch", type=batch_sizes, default=(1, 16), help="faces at once, such as 1,16")
    parser.add_argument("--calls", type=int, default=50, help="in a run")
    parser.add_argument("--runs", type=int, default=5, help="beside one to warm up")
    parser.add_argument("--vs", choices=["torch"], help="measure this one too")
    parser.add_argument("--compile", action="store_true", help="PyTorch's networks by torch.compile")


def batch_sizes(text: str) -> tuple[int, ...]:
    """Numbers of faces, such as 1,16."""
    sizes = tuple(int(part) for part in text.split(","))
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError("give numbers of faces above 0, such as 1,16")
    return sizes


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Speed and memory of the generator in use, and how much faster it is than PyTorch's."""
    if given.vs:
        need_torch()
    with contextlib.ExitStack() as stack:
        sides = {"ours": stack.enter_context(Side(ours, given))}
        facts = sides["ours"].call("facts")
        if given.vs:
            sides["torch"] = stack.enter_context(Side(theirs, given, facts["platform"]))
        seconds = {size: in_turns(sides, given.runs, size, given.calls) for size in given.batch}
        figures = facts
        for who, side in sides.items():
            prefix = "" if who == "ours" else f"{who}_"
            for size in given.batch:
                figures |= rate(f"{prefix}batch_{size}_", "call", seconds[size][who], size)
            figures |= side.call("use")
        if given.vs:
            for size in given.batch:
                rates = (figures[f"{prefix}batch_{size}_images_a_second"] for prefix in ("", "torch_"))
                figures[f"batch_{size}_ratio"] = next(rates) / next(rates)
    return figures | {"calls_a_run": given.calls, "runs": given.runs}


def model_config(given: argparse.Namespace) -> "ModelConfig":
    from a3gan_jax.attributes import ATTGAN_ATTRIBUTES
    from a3gan_jax.networks import ModelConfig

    return ModelConfig(given.image_size, ATTGAN_ATTRIBUTES, num_people=1, base=given.base)


def faces(size: int, config: "ModelConfig") -> "tuple[np.ndarray, ...]":
    """So many random images, attributes and seeds."""
    import numpy as np

    random, side = np.random.default_rng(0), config.image_size
    return (
        random.integers(0, 256, (size, side, side, 3), np.uint8),
        random.integers(0, 2, (size, len(config.attributes))).astype(np.float32),
        random.normal(size=(size, config.z_dim)).astype(np.float32),
    )


def seconds_a_call(anonymize: "Callable[..., np.ndarray]", inputs: "tuple[np.ndarray, ...]", calls: int) -> float:
    """RuntimeError where the images are not finite."""
    import numpy as np

    start = time.perf_counter()
    for _ in range(calls):
        images = anonymize(*inputs)
    seconds = time.perf_counter() - start
    if not np.isfinite(images).all():
        raise RuntimeError("the anonymised images are not finite")
    return seconds / calls


def ours(given: argparse.Namespace) -> "Ours":
    """In a process where JAX takes no more of a GPU's memory than it needs, for PyTorch shares it."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    return Ours(given)


class Ours:
    def __init__(self, given: argparse.Namespace):
        import jax
        import jax.numpy as jnp
        import numpy as np

        from a3gan_jax import inference
        from a3gan_jax.compilation import network_jit
        from a3gan_jax.networks import Networks

        start = time.perf_counter()
        self.config = model_config(given)
        networks, key = Networks.create(self.config), jax.random.key(0)
        images, a, z = (jnp.asarray(array, jnp.float32) for array in faces(1, self.config))
        variables = {
            "generator": jax.jit(networks.generator.init)(key, images, a, a, z, jnp.ones(1)),
            "ainet": jax.jit(networks.ainet.init)(key, a, a, z),
        }

        @network_jit
        def anonymize(variables, images, attributes, z):
            change, strength = jnp.ones_like(attributes), jnp.ones(len(images))
            x = inference.to_float(images)
            return inference.anonymize(networks, variables, x, attributes, change, attributes, z, strength)[0]

        self.anonymize = lambda *inputs: np.asarray(anonymize(variables, *inputs))
        for size in given.batch:
            self.run(size, 1)
        self.warm_up_seconds = time.perf_counter() - start
        for size in given.batch:
            self.run(size, given.calls)

    def run(self, size: int, calls: int) -> float:
        """Seconds a call."""
        return seconds_a_call(self.anonymize, faces(size, self.config), calls)

    def facts(self) -> dict[str, Any]:
        import jax

        device = jax.devices()[0]
        return {
            "platform": device.platform,
            "accelerator": device.device_kind,
            "networks": f"{self.config.image_size} px, {self.config.base} channels, {self.config.compute}",
        }

    def use(self) -> dict[str, Any]:
        import jax

        from tools.benchmarks.jax_device import peak_bytes

        peak, where = peak_bytes(jax.devices()[0])
        return {"warm_up_seconds": self.warm_up_seconds, "peak_mib": peak / MIB, "peak_mib_of": where}


def theirs(given: argparse.Namespace, platform: str) -> "Theirs":
    """In a process where JAX, which only lends its configuration, keeps off the GPU."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    return Theirs(given, platform)


class Theirs:
    """The same in PyTorch."""

    def __init__(self, given: argparse.Namespace, platform: str):
        from a3gan_jax.networks import Networks as OurNetworks
        from tools.benchmarks import torch_device
        from tools.benchmarks.torch_a3gan import anonymizer
        from tools.benchmarks.torch_networks import Networks

        start = time.perf_counter()
        self.config = model_config(given)
        self.device = torch_device.choose(platform)
        self.anonymize = anonymizer(Networks(OurNetworks.create(self.config)), self.device, given.compile)
        for size in given.batch:
            self.run(size, 1)
        self.warm_up_seconds = time.perf_counter() - start
        for size in given.batch:
            self.run(size, given.calls)

    def run(self, size: int, calls: int) -> float:
        """Seconds a call."""
        return seconds_a_call(self.anonymize, faces(size, self.config), calls)

    def use(self) -> dict[str, Any]:
        from tools.benchmarks import torch_device

        return torch_device.facts(self.device) | {
            "torch_warm_up_seconds": self.warm_up_seconds,
            "torch_peak_mib": torch_device.peak_bytes(self.device) / MIB,
        }
