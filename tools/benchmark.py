"""Measures how long things take and how much memory, on this machine.

    python -m tools.benchmark convert [--runs 5] [--json FILE]
    python -m tools.benchmark video [--runs 3] [--seconds 20] [--frames FOLDER] [--deface EXECUTABLE] [--json FILE]
    python -m tools.benchmark memory [--minutes 1,10] [--frames FOLDER] [--json FILE]
    python -m tools.benchmark train [--vs torch] [--config NAME] [--config.KEY=VALUE ...] [--json FILE]
    python -m tools.benchmark inference [--vs torch] [--image_size 64] [--base 20] [--batch 1,16] [--json FILE]
    python -m tools.benchmark input [--root FOLDER] [--config NAME] [--config.KEY=VALUE ...] [--json FILE]

What each of them does, and what the goal is, stands in tools/benchmarks/. This process itself imports neither jax nor
numpy: Linux counts the resident set of whoever starts a process as its own.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from tools.benchmarks import convert, inference, input, memory, train, video

PACKAGES = ("jax", "flax", "orbax-checkpoint", "numpy", "onnxruntime", "av")
BENCHMARKS: Mapping[str, ModuleType] = {
    "convert": convert,
    "video": video,
    "memory": memory,
    "train": train,
    "inference": inference,
    "input": input,
}


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
    width = max(22, *map(len, figures))
    for name, value in figures.items():
        values = value if isinstance(value, list) else [value]
        shown = " to ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in values)
        print(f"{name.replace('_', ' '):{width}} {shown}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="benchmark", required=True)
    for name, benchmark in BENCHMARKS.items():
        command = commands.add_parser(
            name,
            help=benchmark.measure.__doc__,
            description=benchmark.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        benchmark.options(command)
        command.add_argument("--json", type=Path, help="also write the figures into this file")
    given, others = parser.parse_known_args(arguments)
    if others and not hasattr(given, "settings"):
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    given.settings = others  # of a configuration, which the benchmark looks at in a process of its own
    if getattr(given, "runs", 1) < 1:
        parser.error("--runs must be at least 1")
    try:
        figures = {"benchmark": given.benchmark} | machine() | BENCHMARKS[given.benchmark].measure(given)
    except (RuntimeError, ValueError, OSError) as error:
        sys.exit(f"benchmark: error: {error}")
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
