"""A training on several processes, which are stopped and killed, and goes on with other processes and devices."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cluster import _in_cluster

ROOT = Path(__file__).parent.parent.parent
TINY = Path(__file__).parent / "tiny.py"

#: Trains, and writes down which examples each step gets, in one file a process.
PROGRAM = """
import json, os, sys
from a3gan_jax import sharding
from experiments import train

put = sharding.put_batch
def note(mesh, batch):
    with open(os.environ["ORDER"], "a") as file:
        file.write(json.dumps(batch["index"].tolist()) + "\\n")
    return put(mesh, batch)
sharding.put_batch = note
sys.exit(train.main())
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """One compilation cache for all; little optimisation, since a run takes a few steps only."""
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "PYTHONUNBUFFERED": "1",
    }


class Cluster:
    """The processes of one start of a training."""

    def __init__(self, environment, workdir: Path, processes: int, devices: int, *arguments: str):
        workdir.parent.mkdir(exist_ok=True)
        self._orders = [workdir.parent / f"order{process}.jsonl" for process in range(processes)]
        for order in self._orders:
            order.unlink(missing_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        flags = f"--xla_backend_optimization_level=0 --xla_force_host_platform_device_count={devices}"
        command = [sys.executable, "-c", PROGRAM, f"--config={TINY}", f"--workdir={workdir}", *arguments]
        self.processes: list[subprocess.Popen] = []
        for number, order in enumerate(self._orders):
            joined = [f"--coordinator=127.0.0.1:{port}", f"--num-processes={processes}", f"--process-id={number}"]
            with (workdir.parent / f"errors{number}.txt").open("w") as errors:
                process = subprocess.Popen(
                    [*command, *(joined if processes > 1 else [])],
                    env=environment | {"XLA_FLAGS": flags, "ORDER": str(order)},
                    cwd=workdir.parent,
                    text=True,
                    stdout=subprocess.PIPE if number == 0 else subprocess.DEVNULL,
                    stderr=errors,
                )
            self.processes.append(process)
        self.output = ""

    def until(self, start: str) -> None:
        """Reads what the first process says, up to a line that starts so."""
        for line in self.processes[0].stdout:
            self.output += line
            if line.startswith(start):
                return
        errors = [process.wait() for process in self.processes]
        pytest.fail(f"no line {start!r}; exit codes {errors}; {self.output[-2000:]}")

    def finish(self) -> list[int]:
        """Exit codes."""
        with self.processes[0].stdout as stdout:
            self.output += stdout.read()
        return [process.wait(timeout=300) for process in self.processes]

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
        self.processes[0].stdout.close()
        for process in self.processes:
            process.wait()

    def order(self) -> list[list[int]]:
        """The examples of each batch, over all processes."""
        parts = [[json.loads(line) for line in path.read_text().splitlines()] for path in self._orders]
        return [sum(batch, []) for batch in zip(*parts, strict=False)]


@pytest.fixture
def cluster(environment, tmp_path):
    """Starts processes in a folder of their own; ends them with the test."""
    started = []

    def start(name: str, processes: int, devices: int, *arguments: str) -> Cluster:
        started.append(Cluster(environment, tmp_path / name / "run", processes, devices, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def losses(workdir: Path) -> dict[int, dict[str, float]]:
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    lines = [line for line in lines if "loss/generator" in line]
    return {line["step"]: {k: v for k, v in line.items() if k.startswith("loss/")} for line in lines}


def test_stopped_killed_and_continued_on_other_processes_and_devices(cluster, tmp_path):
    every = ("log_every=1", "sheet_every=12", "validate_every=12", "checkpoint_every=4")
    # Small steps: Adam's first ones are as long for a gradient of rounding errors as for any other.
    rates = [f"optimizer.{name}learning_rate=5e-5" for name in ("", "discriminator_", "critic_")]
    options = [f"--config.{name}" for name in ("total_steps=12", "optimizer.critic_warmup_steps=0", *rates, *every)]
    straight = cluster("straight", 1, 8, *options)
    assert straight.finish() == [0]
    order = straight.order()
    assert len(order) == 12 and {len(batch) for batch in order} == {8}

    # Asked to stop in one of two processes: both save the same step.
    first = cluster("run", 2, 4, *options, "--config.mesh.fsdp=2")
    first.until("step 3/")
    first.processes[1].send_signal(signal.SIGTERM)
    assert first.finish() == [143, 143]
    stopped = int(re.findall(r"saved step (\d+)", first.output)[0])
    assert 3 <= stopped < 12
    assert first.order()[:stopped] == order[:stopped]

    # Goes on and is killed, first one process, then the other.
    second = cluster("run", 2, 4, *options, "--config.mesh.fsdp=2")
    second.until(f"continuing after step {stopped}")
    second.until("step 9/")
    second.processes[1].kill()
    second.kill()
    seen = second.order()
    assert len(seen) >= 9 - stopped and seen == order[stopped : stopped + len(seen)]

    # Goes on as one process with one device.
    third = cluster("run", 1, 1, *options, "--config.mesh.fsdp=1")
    assert third.finish() == [0]
    kept = int(re.findall(r"continuing after step (\d+)", third.output)[0])
    assert stopped <= kept <= 12
    assert third.order() == order[kept:]

    one, other = losses(tmp_path / "straight" / "run"), losses(tmp_path / "run" / "run")
    assert one.keys() == other.keys() == set(range(1, 13))
    for step in one:
        for name, value in one[step].items():
            assert other[step][name] == pytest.approx(value, rel=1e-4, abs=1e-6), (step, name)


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, False),
        ({"SLURM_JOB_ID": "7"}, False),
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "2"}, True),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, False),
        ({"TPU_WORKER_HOSTNAMES": "t0,t1"}, True),
    ],
)
def test_a_cluster_is_seen_by_its_environment(variables, found):
    assert _in_cluster(variables) is found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--coordinator=127.0.0.1:9"], "--num-processes and --process-id"),
        (["--num-processes=2", "--process-id=0"], "need --coordinator=HOST:PORT"),
    ],
)
def test_half_a_cluster_is_refused(environment, tmp_path, arguments, message):
    command = [sys.executable, "-m", "experiments.train", f"--config={TINY}", f"--workdir={tmp_path / 'run'}"]
    done = subprocess.run([*command, *arguments], env=environment, text=True, capture_output=True)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
