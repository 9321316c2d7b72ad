"""A command in a process of its own: how long it takes and how much memory.

Nothing here, nor in the modules beside it, imports numpy or jax before it is in a process of its own: Linux counts the
resident set of whoever starts a process as that process's own.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20


def run(command: Sequence[str]) -> tuple[float, float, int]:
    """(seconds, CPU seconds, largest resident set in bytes) of a command in the project's folder.

    Raises:
        RuntimeError: the command fails; with the last line that it wrote to stderr.
    """
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)  # known, so that nobody waits for it again
        if process.returncode != 0:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            said = f": {lines[-1]}" if lines else ""
            raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}{said}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return seconds, usage.ru_utime + usage.ru_stime, peak


def elsewhere(function: Callable, *arguments: Any) -> Any:
    """What a function of a module returns or raises, called in a process of its own."""
    # Some megabytes, which are not to be counted where ``run`` alone is called.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
