"""Sides of a comparison, each in a process of its own, that run in turns."""

import math
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_object: Any = None  # of the process that a Side starts


def _create(create: Callable, arguments: tuple) -> None:
    global _object
    _object = create(*arguments)


def _call(method: str, arguments: tuple) -> Any:
    return getattr(_object, method)(*arguments)


class Side:
    """An object that lives in a process of its own: its memory is its own, and while it waits it keeps no core busy.

    A context manager; errors of the object are raised here.
    """

    def __init__(self, create: Callable, *arguments: Any):
        """``create``: a function of a module; called there, it returns the object."""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self._pool.submit(_create, create, arguments).result()

    def call(self, method: str, *arguments: Any) -> Any:
        """What a method of the object returns."""
        return self._pool.submit(_call, method, arguments).result()

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *_: Any) -> None:
        self._pool.shutdown()


def in_turns(sides: Mapping[str, Side], runs: int, *arguments: Any) -> dict[str, list[float]]:
    """Seconds by side, as their method ``run`` returns them: A B A B ..., ``runs`` times."""
    seconds: dict[str, list[float]] = {who: [] for who in sides}
    for number in range(1, runs + 1):
        for who, side in sides.items():
            seconds[who].append(side.call("run", *arguments))
            text = f"run {number} of {runs}: {who}, {1000 * seconds[who][-1]:.1f} ms"
            print(text, file=sys.stderr, flush=True)
    return seconds


def rate(prefix: str, what: str, seconds: Sequence[float], images: int) -> dict[str, Any]:
    """Milliseconds and images a second of something done with so many images at once: median, least and most."""
    milliseconds = [1000 * s for s in seconds]
    return {
        f"{prefix}milliseconds_a_{what}": statistics.median(milliseconds),
        f"{prefix}milliseconds_a_{what}_from_to": [min(milliseconds), max(milliseconds)],
        f"{prefix}images_a_second": images / statistics.median(seconds),
    }


def finite(measured: Mapping[str, Any]) -> None:
    """RuntimeError where a measurement is NaN or infinite: a run with such tells nothing."""
    if wrong := [name for name, value in measured.items() if not math.isfinite(value)]:
        raise RuntimeError(f"not finite after the run: {', '.join(wrong)}")


def peak_resident() -> int:
    """The largest resident set of this process so far, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def need_torch() -> None:
    """RuntimeError where PyTorch is not installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise RuntimeError("--vs torch needs PyTorch: pip install torch==2.13.0")
