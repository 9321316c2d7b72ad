"""Compiles the training step for slices of TPUs with the real TPU compiler, and tells what it says. No TPU is needed.

    python -m tools.compile_tpu [--config celeba_tpu.py] [--config.KEY=VALUE ...] [--json FILE]
        [--topologies v5e:2x4,v5e:4x4,v5e:16x16] [--per_chip_batch N] [--at STEP] [--people N] [--slowest N]

Needs libtpu (``make tpu-compile`` makes an environment of its own for it). It is the step of ``experiments.train``,
lowered from shapes alone; nothing runs. Weak scaling: a configuration's batch_size is that of eight chips, and the
global batch grows with the chips. What is told, a topology:

* memory: of one chip, arguments + outputs - those that take the place of arguments + temporaries + the program. It fits
  if a tenth of the chip's memory is left.
* FLOPs: of one chip and of all, counted by XLA in the compiled program (padding is not counted; where a step may take
  two ways, as with the lazy gradient penalty, the costlier one counts).
* the step: the sum of ``estimated_cycles`` that the compiler writes into the ``backend_config`` of the instructions,
  over the schedule, at the clock at which the published peak is reached; plus the time that collectives need on the
  published links where nothing is computed meanwhile (a lower bound: no latency). An average step takes the gradient
  penalty one time in ``gradient_penalty_every``. ``cost_analysis()["optimal_seconds"]`` is of no use: every operation
  without a cost model adds -1 to it. Estimates are the compiler's, not measurements; reading the images is not in them.
* MFU: the FLOPs against the published bfloat16 peak, both of a step with the gradient penalty.
* collectives: what one chip sends in an average step, by kind, each by the algorithm of a ring; how many of them are
  asynchronous, and behind how many of those something is computed.

Exit codes: 0 it compiles and fits everywhere; 1 it does not; 2 a wrong command line or configuration.
"""

import os

# Before jax is imported: libtpu must look neither for a TPU here nor for others that use it.
os.environ.update(
    ALLOW_MULTIPLE_LIBTPU_LOAD="1",
    JAX_PLATFORMS="cpu",
    TPU_ACCELERATOR_TYPE="v5litepod-8",
    TPU_SKIP_MDS_QUERY="1",
    TPU_WORKER_HOSTNAMES="localhost",
    TPU_WORKER_ID="0",
)

import argparse
import dataclasses
import importlib.util
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies
from ml_collections import ConfigDict

from a3gan_jax import sharding
from a3gan_jax.sharded_steps import ShardedSteps
from experiments.configuration import create_setup, load_config, split_overrides
from tools.tpu_program import Program

CONFIG_CHIPS = 8  # that a configuration's batch_size is for
CELEBA_IMAGES, CELEBA_PEOPLE = 162_770, 8_192  # of the training split
SPARE = 0.1  # of the memory that must be left
GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Chip:
    """What is published of a chip: bfloat16 FLOP/s, memory in GiB, bytes/s that its links send, and FLOPs a cycle of
    all its matrix units (128 x 128 multiply-adds each)."""

    peak: float
    memory: float
    links: float
    flops_per_cycle: int

    @property
    def clock(self) -> float:
        """Cycles a second at which the peak is reached."""
        return self.peak / self.flops_per_cycle


#: By the first part of a topology's name.
CHIPS = {
    "v4": Chip(275e12, 32, 300e9, 8 * 2 * 128**2),
    "v5e": Chip(197e12, 16, 200e9, 4 * 2 * 128**2),
    "v5p": Chip(459e12, 95, 600e9, 8 * 2 * 128**2),
}


class DoesNotFit(Exception):
    """The compiler found no way to keep the program within the chip's memory; says what it said."""


def abstract_batch(config: ConfigDict, attributes: int) -> dict[str, jax.ShapeDtypeStruct]:
    """A global batch as the pipeline makes it (``data.pipeline.face_batches``)."""
    n, size = config.batch_size, config.image_size
    return {
        "image": jax.ShapeDtypeStruct((n, size, size, 3), np.uint8),
        "attributes": jax.ShapeDtypeStruct((n, attributes), np.uint8),
        "identity": jax.ShapeDtypeStruct((n,), np.int32),
        "index": jax.ShapeDtypeStruct((n,), np.int32),
    }


def compile_step(config: ConfigDict, devices: Sequence[jax.Device], at: int, people: int) -> jax.stages.Compiled:
    """The step that takes a run of ``config`` from step ``at`` to the next, compiled for ``devices``.

    Raises:
        DoesNotFit: see there.
        ValueError: a configuration that does not fit the devices.
    """
    mesh = sharding.create_mesh(**config.mesh, devices=devices)
    sharding.per_process_batch_size(config.batch_size, mesh)  # is a multiple of the devices
    setup, frozen = create_setup(config, people)
    steps = ShardedSteps(setup, mesh)
    lowered = steps.at(at).lower(
        steps.abstract_state,
        jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), frozen),
        abstract_batch(config, len(setup.networks.config.attributes)),
        jax.eval_shape(lambda: jax.random.key(0)),
    )
    try:
        return lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if found := re.search(r"Ran out of memory in memory space hbm\.[^.]*\d[^ ]*[^\n]*", str(error)):
            raise DoesNotFit(found[0]) from error
        raise


def measure(config: ConfigDict, topology: str, per_chip_batch: int, at: int, people: int) -> dict[str, Any]:
    """What the compiler says of a topology: sizes in bytes, times in seconds, plain values for JSON; ``slowest`` holds
    the operations of the program, the slowest first.

    Raises:
        DoesNotFit, ValueError: see ``compile_step``.
    """
    chip = CHIPS[topology.partition(":")[0]]
    devices = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices
    chips = len({tuple(device.coords) for device in devices})
    cores = len(devices) // chips  # of a chip that are devices of their own
    config = config.copy_and_resolve_references()
    config.batch_size = per_chip_batch * chips
    start = time.perf_counter()
    compiled = compile_step(config, devices, at, people)
    seconds = time.perf_counter() - start

    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    program = Program(compiled.as_text(), rare=1 / config.loss.gradient_penalty_every)
    in_memory = {
        "arguments": memory.argument_size_in_bytes,
        "outputs": memory.output_size_in_bytes,
        "aliased": -memory.alias_size_in_bytes,
        "temporaries": memory.temp_size_in_bytes,
        "program": memory.generated_code_size_in_bytes,
    }
    collectives = program.collectives()
    waited = sum(c.times * c.sent for c in collectives if not c.hidden) * cores / chip.links
    computed = sum(program.cycles.values()) / chip.clock
    costliest = program.costliest_cycles() / chip.clock + waited
    flops = cost["flops"] * cores
    return {
        "topology": topology,
        "chips": chips,
        "global_batch": config.batch_size,
        "compile_seconds": seconds,
        "memory": {name: size * cores for name, size in in_memory.items()},
        "memory_of_a_chip": chip.memory * GIB,
        "fits": sum(in_memory.values()) * cores <= (1 - SPARE) * chip.memory * GIB,
        "flops_of_a_chip": flops,
        "flops": flops * chips,
        "optimal_seconds": cost.get("optimal_seconds"),
        "step_seconds": computed + waited,
        "step_seconds_with_penalty": costliest,
        "waiting_for_collectives_seconds": waited,
        "computing_seconds": {kind: cycles / chip.clock for kind, cycles in program.cycles.items()},
        "operations_without_estimate": program.untimed(),
        "mfu": flops / costliest / chip.peak,
        "collectives": _by_kind(collectives, cores),
        "images_per_second": config.batch_size / (computed + waited),
        "celeba_epoch_seconds": CELEBA_IMAGES * (computed + waited) / config.batch_size,
        "slowest": [
            {"seconds": times * i.cycles / chip.clock, "kind": program.kind(i), "shape": i.shape, "source": i.source}
            for times, i in sorted(program.timed(), key=lambda timed: -timed[0] * timed[1].cycles)
        ],
    }


def _by_kind(collectives: Sequence[Any], cores: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(lambda: dict(operations=0, asynchronous=0, overlapped=0, sent=0.0))
    for c in collectives:
        row = found[c.kind]
        row["operations"] += 1
        row["asynchronous"] += c.asynchronous
        row["overlapped"] += c.asynchronous and c.hidden > 0
        row["sent"] += c.times * c.sent * cores
    return dict(found)


HEADINGS = "topology chips batch GiB/chip fits TFLOP/chip TFLOP ms/step MFU images/s CelebA-epoch sent/chip".split()
WIDTHS = (10, 5, 6, 8, 4, 10, 7, 7, 5, 8, 12, 0)


def row(figures: dict[str, Any]) -> str:
    """One line of the table."""
    sent = [
        f"{kind} {c['sent'] / 2**20:.4g} MiB ({c['overlapped']}/{c['asynchronous']}/{c['operations']})"
        for kind, c in sorted(figures["collectives"].items(), key=lambda item: -item[1]["sent"])
    ]
    return line(
        figures["topology"],
        str(figures["chips"]),
        str(figures["global_batch"]),
        f"{sum(figures['memory'].values()) / GIB:.2f}",
        "yes" if figures["fits"] else "NO",
        f"{figures['flops_of_a_chip'] / 1e12:.3g}",
        f"{figures['flops'] / 1e12:.4g}",
        f"{1e3 * figures['step_seconds']:.1f}",
        f"{100 * figures['mfu']:.0f} %",
        f"{figures['images_per_second']:.0f}",
        f"{figures['celeba_epoch_seconds']:.1f} s",
        ", ".join(sent) or "nothing",
    )


def line(*cells: str) -> str:
    """Cells under each other: names at the left, figures at the right."""
    first, *middle, last = zip(cells, WIDTHS, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in middle), last[0]])


def remarks(figures: dict[str, Any], slowest: int) -> str:
    """Where the time and the memory go."""
    parts = {f"{kind} {1e3 * s:.1f} ms": s for kind, s in figures["computing_seconds"].items()}
    memory = ", ".join(f"{name} {size / GIB:.2f}" for name, size in figures["memory"].items())
    lines = [
        f"{figures['topology']}: {', '.join(sorted(parts, key=parts.get, reverse=True))}, collectives not overlapped "
        f"{1e3 * figures['waiting_for_collectives_seconds']:.2f} ms; with the gradient penalty "
        f"{1e3 * figures['step_seconds_with_penalty']:.1f} ms; no estimate for "
        f"{figures['operations_without_estimate']} operations",
        f"  GiB: {memory}; compiled in {figures['compile_seconds']:.0f} s",
    ]
    for operation in figures["slowest"][:slowest]:
        shape = re.sub(r"\{[^}]*\}|/\*[^*]*\*/", "", operation["shape"])
        lines.append(
            f"  {1e3 * operation['seconds']:7.2f} ms  {operation['kind']}: {shape[:50]}  {operation['source']}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--config", default="celeba_tpu.py", help="name in experiments/configs/, or path of a file")
    parser.add_argument("--topologies", default="v5e:2x4,v5e:4x4,v5e:16x16", help="KIND:SHAPE, separated by commas")
    parser.add_argument("--per_chip_batch", type=int, help=f"default: batch_size / {CONFIG_CHIPS}")
    parser.add_argument("--at", type=int, help="step whose program is compiled; default: the first full one")
    parser.add_argument("--people", type=int, default=CELEBA_PEOPLE, help="of the training set (default: CelebA's)")
    parser.add_argument("--slowest", type=int, default=0, help="so many operations are shown, a topology")
    parser.add_argument("--json", type=Path, help="also write all figures into this file")
    given, others = parser.parse_known_args(arguments)
    wanted = given.topologies.split(",")
    if unknown := [name for name in wanted if name.partition(":")[0] not in CHIPS]:
        parser.error(f"no such chip: {', '.join(unknown)}; known are {', '.join(CHIPS)}")
    if importlib.util.find_spec("libtpu") is None:
        parser.error('the TPU compiler is not installed here: make tpu-compile, or pip install "jax[tpu]" elsewhere')
    try:
        config = load_config(given.config, split_overrides(others))
    except ValueError as error:
        parser.error(str(error))
    if config.model.conv == "auto":
        config.model.conv = "lax"  # this process runs on a CPU, the program will not
    if given.per_chip_batch is None and config.batch_size % CONFIG_CHIPS:
        parser.error(f"batch_size {config.batch_size} is not for {CONFIG_CHIPS} chips: give --per_chip_batch")
    per_chip = given.per_chip_batch or config.batch_size // CONFIG_CHIPS
    at = config.optimizer.critic_warmup_steps if given.at is None else given.at

    print(f"{given.config}, jax {jax.__version__}, {per_chip} images a chip: the global batch grows with the chips")
    print(line(*HEADINGS), flush=True)
    results, told, fits = [], [], True
    for topology in wanted:
        try:
            figures = measure(config, topology, per_chip, at, given.people)
        except ValueError as error:
            parser.error(f"{topology}: {error}")
        except DoesNotFit as error:
            print(f"{topology:10}  does not fit: {error}", flush=True)
            fits = False
            continue
        print(row(figures), flush=True)
        results.append(figures)
        told.append(remarks(figures, given.slowest))
        fits &= figures["fits"]
    print("sent/chip: in a step, and (overlapped with computing / asynchronous / all) collectives", *told, sep="\n")
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
