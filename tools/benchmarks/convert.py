"""``benchmark convert``: tools/convert.py on a random checkpoint of the 128 px AttGAN generator.

Its width is 64, it has one shortcut, one injection and 13 attributes. Memory is the largest resident set, pages of the
mapped file included, beyond that of a process which only imports what the command does. Goal: under 10 seconds, and at
most three times the file's size.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.benchmarks.process import MIB, elsewhere, run


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=5, help="beside one to warm up")


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Seconds and memory of tools/convert.py."""
    with tempfile.TemporaryDirectory(prefix="a3gan-benchmark-") as folder:
        weights = Path(folder, "generator.pth")
        elsewhere(write_attgan, weights)
        _, _, imports = run([sys.executable, "-c", "import tools.convert"])
        seconds, busy, peaks = [], [], []
        for number in range(1 + given.runs):
            command = [sys.executable, "tools/convert.py", str(weights), "--to", str(Path(folder, str(number)))]
            taken, cpu, peak = run(command)
            if number > 0:  # the first one fills the caches of the disk
                seconds.append(taken)
                busy.append(cpu)
                peaks.append(peak)
            print(f"run {number} of {given.runs}: {taken:.2f} s, {peak / MIB:.0f} MiB", file=sys.stderr, flush=True)
        size = weights.stat().st_size
    return {
        "file_mib": size / MIB,
        "seconds": statistics.median(seconds),
        "seconds_from_to": [min(seconds), max(seconds)],
        "cpu_seconds": statistics.median(busy),
        "imports_mib": imports / MIB,
        "peak_mib": statistics.median(peaks) / MIB,
        "peak_mib_from_to": [min(peaks) / MIB, max(peaks) / MIB],
        "memory_in_file_sizes": (statistics.median(peaks) - imports) / size,
        "runs": given.runs,
    }


def write_attgan(path: Path) -> None:
    """A random checkpoint of the 128 px AttGAN generator."""
    import numpy as np

    from a3gan_jax.convert.layouts import LAYOUTS, entries, skeleton
    from a3gan_jax.convert.torch_writer import write_state_dict

    layout = LAYOUTS["attgan"]
    arguments = dict(num_attributes=13, shortcut=1, inject=1, width=64, layers=5)
    shapes = entries(layout, skeleton(layout.network(**arguments), layout.inputs(arguments)))
    random = np.random.default_rng(0)
    write_state_dict(path, {name: random.uniform(0.01, 1, shape).astype(np.float32) for name, shape in shapes.items()})
