"""A run that spans several processes: how they find each other, and how they stop together."""

import argparse
import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

import jax
from jax.experimental import multihost_utils


def add_options(parser: argparse.ArgumentParser) -> None:
    """How to join other processes; on SLURM, and on TPU slices that Kubernetes started, nothing need be said."""
    group = parser.add_argument_group("several processes", add_options.__doc__)
    group.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="where process 0 listens; auto: JAX finds it out, as on a TPU slice of several machines",
    )
    group.add_argument("--num-processes", type=int, metavar="N")
    group.add_argument("--process-id", type=int, metavar="I", help="0 <= I < N")


def join(given: argparse.Namespace) -> None:
    """Joins the other processes; must come before anything is computed. Alone it does nothing.

    Raises:
        ValueError: options that do not fit together, or JAX finds no cluster.
    """
    numbers = given.num_processes, given.process_id
    if given.coordinator in (None, "auto"):
        if numbers != (None, None):
            raise ValueError("--num-processes and --process-id need --coordinator=HOST:PORT")
        if given.coordinator or _in_cluster(os.environ):
            jax.distributed.initialize()
    elif None in numbers:
        raise ValueError("--coordinator=HOST:PORT needs --num-processes and --process-id")
    else:
        jax.distributed.initialize(given.coordinator, *numbers)
    if jax.process_count() > 1 and not jax.distributed.is_initialized():
        raise ValueError(
            f"this machine is one of {jax.process_count()} of a TPU slice: start the same command on all of them with "
            "--coordinator=auto"
        )


def _in_cluster(environment: Any) -> bool:
    tasks = environment.get("SLURM_STEP_NUM_TASKS", "1")
    return ("SLURM_PROCID" in environment and tasks != "1") or "," in environment.get("TPU_WORKER_HOSTNAMES", "")


@contextlib.contextmanager
def first_process_first(name: str) -> Iterator[None]:
    """What is within happens in the first process, and only then in the others; ``name`` tells one use from others."""
    first = jax.process_index() == 0
    try:
        if first:
            yield
    finally:  # also where the first one fails: the others shall not wait for it
        multihost_utils.sync_global_devices(name)
    if not first:
        yield


class StopSignal:
    """Whether the run was asked to stop (SIGTERM; alone also SIGINT), so that it can end after a whole step.

    In a cluster one process that is asked is enough, and all are told so at the same step. Alone, a second SIGINT ends
    the run at once.
    """

    def __init__(self):
        self._asked = False
        # In a cluster JAX listens for SIGTERM, from ``initialize`` on.
        if not jax.distributed.is_initialized():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._note)

    def at(self, step: int) -> bool:
        """Whether to stop after this step; in a cluster every process must ask once a step."""
        if jax.distributed.is_initialized():
            return multihost_utils.reached_preemption_sync_point(step)
        return self._asked

    def _note(self, number: int, frame: Any) -> None:
        self._asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
