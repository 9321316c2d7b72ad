"""Measures how long things take and how much memory, on this machine.

    python -m tools.benchmark convert [--runs 5] [--json FILE]

``convert``: tools/convert.py on a random checkpoint of the 128 px AttGAN generator (width 64, one shortcut, one
injection, 13 attributes), each time in a process of its own. Memory is the largest resident set, pages of the mapped
file included, beyond that of a process which only imports what the command does. Goal: under 10 seconds, and at most
three times the file's size.

This process itself imports neither jax nor numpy: Linux counts the resident set of whoever starts a process as its own.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MIB = 2**20
PACKAGES = ("jax", "flax", "orbax-checkpoint", "numpy")


def convert(given: argparse.Namespace) -> dict[str, Any]:
    """Seconds and memory of tools/convert.py."""
    with tempfile.TemporaryDirectory(prefix="a3gan-benchmark-") as folder:
        weights = Path(folder, "generator.pth")
        # Spawned, so that what writing takes is not counted.
        writer = multiprocessing.get_context("spawn").Process(target=write_attgan, args=(weights,))
        writer.start()
        writer.join()
        if writer.exitcode != 0:
            raise RuntimeError(f"writing the checkpoint ended with exit code {writer.exitcode}")
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


def run(command: Sequence[str]) -> tuple[float, float, int]:
    """(seconds, CPU seconds, largest resident set in bytes) of a command in the project's folder.

    Raises:
        RuntimeError: the command fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)  # known, so that nobody waits for it again
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return seconds, usage.ru_utime + usage.ru_stime, peak


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "device": f"{model}, {cores} cores",
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
    } | versions


def show(figures: Mapping[str, Any]) -> None:
    """One figure a line."""
    for name, value in figures.items():
        values = value if isinstance(value, list) else [value]
        shown = " to ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in values)
        print(f"{name.replace('_', ' '):22} {shown}")


BENCHMARKS: Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]] = {"convert": convert}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="benchmark", required=True)
    for name, benchmark in BENCHMARKS.items():
        command = commands.add_parser(name, help=benchmark.__doc__, allow_abbrev=False)
        command.add_argument("--runs", type=int, default=5, help="beside one to warm up")
        command.add_argument("--json", type=Path, help="also write the figures into this file")
    given = parser.parse_args(arguments)
    if given.runs < 1:
        parser.error("--runs must be at least 1")
    try:
        figures = {"benchmark": given.benchmark} | machine() | BENCHMARKS[given.benchmark](given)
    except RuntimeError as error:
        sys.exit(f"benchmark: error: {error}")
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
