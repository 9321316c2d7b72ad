"""Processes that work on the files of a data set, and how far they are."""

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from tools.preparation.shards import Shard, Sources, Stopped, Worker

REFRESH = 1.0  # seconds between two looks at how far it is
REPORT = 30.0  # seconds between two lines about it, where there is no terminal

_worker: Worker  # of this process


class Workers:
    """Processes, or with one process a thread of this one; to be used in ``with``.

    They read ``sources``. Other processes open them once more, by ``open_again``: what TFDS opens cannot be sent.
    """

    def __init__(self, sources: Sources, open_again: Callable[[], Sources], processes: int):
        context = multiprocessing.get_context("spawn")
        self._done, self._stop = shared = context.Value("q", 0), context.Event()
        if processes == 1:
            worker = Worker(sources, *shared)
            self._pool = concurrent.futures.ThreadPoolExecutor(1, initializer=_start, initargs=(worker,))
        else:
            arguments = (open_again, *shared)
            self._pool = concurrent.futures.ProcessPoolExecutor(processes, context, _start_process, arguments)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: Any) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def run(
        self, work: Callable[..., Any], jobs: Sequence[tuple], ended: Callable[[Shard, Any], None], what: str
    ) -> None:
        """Calls ``work(worker, shard, ...)`` for all jobs ``(shard, ...)``, and ``ended(shard, result)`` as they end.

        Shows on stderr how far it is. The first error of a job is raised, after what has ended well before it.
        """
        self._done.value = 0
        progress = Progress(what, sum(shard.stop - shard.start for shard, *_ in jobs))
        numbers = {self._pool.submit(_call, work, *job): number for number, job in enumerate(jobs)}
        pending = set(numbers)
        try:
            while pending:
                now, pending = concurrent.futures.wait(pending, REFRESH, concurrent.futures.FIRST_COMPLETED)
                for future in sorted(now, key=lambda future: (future.exception() is not None, numbers[future])):
                    if not isinstance(future.exception(), Stopped):  # by an error that is still to come
                        ended(jobs[numbers[future]][0], future.result())
                progress(self._done.value)
        finally:
            progress.end()


def _call(work: Callable[..., Any], *job: Any) -> Any:
    """Nothing is begun after an error: whoever waits learns of it later than the next job could start."""
    if _worker.stop.is_set():
        raise Stopped
    try:
        return work(_worker, *job)
    except BaseException:
        _worker.stop.set()
        raise


def _start(worker: Worker) -> None:
    global _worker
    _worker = worker


def _start_process(open_again: Callable[[], Sources], done: Any, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process stops the others
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    _start(Worker(open_again(), done, stop))


def _end_with(parent: Any) -> None:
    """A killed process cannot stop its workers: without this they would wait for ever."""
    parent.join()
    os._exit(1)


class Progress:
    """A bar, images a second and the time left: on one line of a terminal, else on a new line now and then."""

    def __init__(self, what: str, total: int):
        self._what, self._total = what, total
        self._start = self._shown = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def __call__(self, done: int) -> None:
        """``done`` images of the total."""
        now = time.monotonic()
        if not done:  # the workers are only starting
            self._start = now
        if not done or now - self._shown < (REFRESH if self._terminal else REPORT):
            return
        self._shown = now
        from experiments.progress import duration  # takes two seconds, which the workers need not spend

        rate = done / (now - self._start)
        bar = "#" * (20 * done // self._total)
        line = f"{self._what} [{bar:.<20}] {done} of {self._total}, {rate:.0f} a second"
        left = f"{duration((self._total - done) / rate)} left"
        print(f"{line}, {left}  ", end="\r" if self._terminal else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Takes the line away."""
        if self._terminal:
            print("\x1b[K", end="", file=sys.stderr, flush=True)
