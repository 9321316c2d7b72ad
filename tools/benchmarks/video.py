"""``benchmark video``: frames a second of experiments/anonymize.py and of deface 1.5.0, which blurs faces.

Both are whole commands, in processes of their own and in turns, on the same 640x480 video, made here. Starting a
command takes seconds, which weigh on a short video; so there is a second one, LONGER times as long, and the difference
of the two tells what a command does once it runs. Goal: at least as many frames a second as deface, on two cores.

deface is no dependency: ``python3 -m venv deface && deface/bin/pip install deface==1.5.0 onnxruntime``; without
onnxruntime it is slower.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.benchmarks.film import RATE, count_frames, write_film
from tools.benchmarks.process import elsewhere, run

DEFACE = "python3 -m venv deface && deface/bin/pip install deface==1.5.0 onnxruntime"
LONGER = 3
OURS, THEIRS = "ours", "deface"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=3, help="beside one to warm up")
    parser.add_argument(
        "--seconds", type=float, default=20, help=f"of the short video; the long one has {LONGER} times"
    )
    parser.add_argument("--frames", type=Path, help="a folder of photos of faces to make it of; else the astronaut")
    parser.add_argument("--deface", default="deface", help="its executable; else the one on PATH")
    parser.add_argument("--weights", type=Path, help="of our side; else those of the package")


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Frames a second of experiments/anonymize.py and deface on the same video."""
    commands = {
        OURS: [sys.executable, "-m", "experiments.anonymize", *weights_option(given.weights)],
        THEIRS: [executable(given.deface), "--replacewith", "blur"],
    }
    taken: dict[tuple[str, int], list[float]] = {(who, length): [] for who in commands for length in (1, LONGER)}
    with tempfile.TemporaryDirectory(prefix="a3gan-benchmark-") as folder:
        films = {length: Path(folder, f"in{length}.mp4") for length in (1, LONGER)}
        frames = {
            length: elsewhere(write_film, path, given.seconds * length, given.frames) for length, path in films.items()
        }
        for number in range(1 + given.runs):
            for length in (1, LONGER) if number else (1,):  # one of each to warm up
                for who, command in commands.items():
                    seconds = _once(who, command, films[length], frames[length])
                    if number > 0:
                        taken[who, length].append(seconds)
                    text = f"run {number} of {given.runs}: {who}, {frames[length]} frames in {seconds:.1f} s"
                    print(text, file=sys.stderr, flush=True)
    figures: dict[str, Any] = {"video": f"640x480, {RATE} a second, {frames[1]} and {frames[LONGER]} frames"}
    for who in commands:
        figures |= rates(who, frames, taken[who, 1], taken[who, LONGER])
    for kind in ("short", "long", "running"):
        figures[f"ratio_{kind}"] = figures[f"{OURS}_fps_{kind}"] / figures[f"{THEIRS}_fps_{kind}"]
    return figures | {"runs": given.runs}


def _once(who: str, command: Sequence[str], film: Path, frames: int) -> float:
    """Seconds; RuntimeError where the command fails or does not write as many frames."""
    target = film.with_name("out.mp4")
    seconds, _, _ = run([*command, str(film), "-o", str(target)])
    if (written := elsewhere(count_frames, target)) != frames:
        raise RuntimeError(f"{who} wrote {written} frames of {frames}")
    target.unlink()
    return seconds


def rates(who: str, frames: dict[int, int], short: Sequence[float], long: Sequence[float]) -> dict[str, Any]:
    """Frames a second over whole commands, on the short and the long video, and of a command once it runs."""
    slopes = [b - a for a, b in zip(short, long, strict=True)]
    running = statistics.median(slopes)
    if running <= 0:
        raise RuntimeError(f"{who} took no longer for the long video: choose more --seconds")
    return {
        f"{who}_fps_short": frames[1] / statistics.median(short),
        f"{who}_fps_long": frames[LONGER] / statistics.median(long),
        f"{who}_fps_running": (frames[LONGER] - frames[1]) / running,
        f"{who}_seconds_short_from_to": [min(short), max(short)],
        f"{who}_seconds_long_from_to": [min(long), max(long)],
    }


def executable(name: str) -> str:
    """The full path of deface's command; RuntimeError where it is not there."""
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not there: {DEFACE}, then --deface deface/bin/deface")
    return str(Path(found).absolute())


def weights_option(weights: Path | None) -> list[str]:
    return [] if weights is None else ["--weights", str(weights.absolute())]
