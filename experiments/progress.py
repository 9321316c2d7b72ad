"""What a run measures, on its way from the device to the screen and to files."""

import collections
import contextlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tensorboardX
from clu.metrics import Average


class Measurements:
    """Measurements of training steps, averaged as (sum, count) between two reports.

    They are fetched ``lag`` steps late, so that the device always has work in its queue, and every one of them is
    checked: what is not finite stops the run. A value is a scalar, or a ``clu.metrics.Average`` whose count may be 0
    in steps that do not measure it.
    """

    def __init__(self, lag: int = 2):
        self._lag = lag
        self._queue: collections.deque[tuple[int, Mapping[str, Any]]] = collections.deque()
        self._averages: dict[str, Average] = {}

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Takes a step's measurements, still on the device, and checks those of ``lag`` steps ago.

        Raises:
            FloatingPointError: a NaN or an Inf; names the step and the measurements.
        """
        jax.tree.map(lambda value: value.copy_to_host_async(), values)
        self._queue.append((step, values))
        if len(self._queue) > self._lag:
            self._check_oldest()

    def check_all(self) -> None:
        """Waits for the steps still in the queue and checks them."""
        while self._queue:
            self._check_oldest()

    def average(self) -> dict[str, float]:
        """The averages since the last call, of all steps added."""
        self.check_all()
        averages, self._averages = self._averages, {}
        return {name: float(value.compute()) for name, value in averages.items() if value.count > 0}

    def _check_oldest(self) -> None:
        step, values = self._queue.popleft()
        values = {
            name: value if isinstance(value, Average) else Average(total=value, count=np.int32(1))
            for name, value in jax.device_get(dict(values)).items()
        }
        broken = [f"{name} is {value.total}" for name, value in values.items() if not math.isfinite(value.total)]
        if broken:
            raise FloatingPointError(f"step {step}: {', '.join(broken)}")
        for name, value in values.items():
            self._averages[name] = self._averages[name].merge(value) if name in self._averages else value


class Writer:
    """Writes measurements to ``metrics.jsonl`` and to TensorBoard files in the workdir; only in the first process.

    What older runs of the same workdir wrote for steps after ``step`` is taken out: a resumed run writes it again.
    """

    def __init__(self, workdir: str | Path, step: int):
        self._active = jax.process_index() == 0
        if not self._active:
            return
        path = Path(workdir) / "metrics.jsonl"
        kept = [line for line in _complete_lines(path) if json.loads(line)["step"] <= step]
        temporary = path.with_name(path.name + ".new")
        temporary.write_text("".join(kept))
        os.replace(temporary, path)
        self._lines = path.open("a", buffering=1)
        self._board = tensorboardX.SummaryWriter(
            str(Path(workdir) / "tensorboard"), purge_step=step + 1, filename_suffix=f".from_{step}"
        )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one line, and one point to each curve."""
        if not self._active:
            return
        self._lines.write(
            json.dumps({"step": step} | {name: float(f"{value:.6g}") for name, value in values.items()}) + "\n"
        )
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._board.flush()

    def close(self) -> None:
        if self._active:
            self._lines.close()
            self._board.close()


class Clock:
    """Steps a second since the last question, without the time spent in ``paused()``."""

    def __init__(self, step: int):
        self._step, self._since, self._pause = step, time.monotonic(), 0.0

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """The clock stands still within."""
        began = time.monotonic()
        yield
        self._pause += time.monotonic() - began

    def steps_per_second(self, step: int) -> float:
        """From the step of the last question to ``step``."""
        now = time.monotonic()
        rate = (step - self._step) / (now - self._since - self._pause)
        self._step, self._since, self._pause = step, now, 0.0
        return rate


def _complete_lines(path: Path) -> list[str]:
    """The lines of a file, without a last one that a killed process left half written."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return lines[:-1] if lines and not lines[-1].endswith("\n") else lines


def duration(seconds: float) -> str:
    """``95`` -> ``2 min``; ``7500`` -> ``2 h 05 min``."""
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
