"""``benchmark memory``: the largest resident set of experiments/anonymize.py on videos of different lengths.

The pictures are the same, shown again and again. Goal: at most 20 % more on 10 minutes than on one.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.benchmarks.film import write_film
from tools.benchmarks.process import MIB, elsewhere, run
from tools.benchmarks.video import weights_option

WARM_UP = 4  # seconds of a video that is run first: what XLA compiles is cached from then on


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=minutes, default=(1.0, 10.0), help="of the videos, such as 1,10")
    parser.add_argument("--frames", type=Path, help="a folder of photos of faces to make them of; else the astronaut")
    parser.add_argument("--weights", type=Path, help="those of the package by default")


def minutes(text: str) -> tuple[float, ...]:
    """Two lengths or more, such as 1,10."""
    lengths = tuple(float(part) for part in text.split(","))
    if len(lengths) < 2 or min(lengths) <= 0:
        raise argparse.ArgumentTypeError("give two lengths above 0 at least, such as 1,10")
    return lengths


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Memory of experiments/anonymize.py on a short and on a long video."""
    peaks, seconds = [], []
    with tempfile.TemporaryDirectory(prefix="a3gan-benchmark-") as folder:
        for number, length in enumerate((WARM_UP / 60, *given.minutes)):
            source, target = Path(folder, "in.mp4"), Path(folder, "out.mp4")
            frames = elsewhere(write_film, source, 60 * length, given.frames)
            command = [sys.executable, "-m", "experiments.anonymize", str(source), "-o", str(target)]
            taken, _, peak = run([*command, *weights_option(given.weights)])
            target.unlink()
            if number > 0:
                seconds.append(taken)
                peaks.append(peak)
            text = f"{length:.2f} minutes, {frames} frames: {taken:.0f} s, {peak / MIB:.0f} MiB"
            print(text, file=sys.stderr, flush=True)
    return {
        "minutes": list(given.minutes),
        "peak_mib": [peak / MIB for peak in peaks],
        "seconds": seconds,
        "longest_to_shortest": peaks[-1] / peaks[0],
    }
