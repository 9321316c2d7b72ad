"""The training command, as a person runs it: in a process of its own, from a working folder of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from jax.tree_util import tree_leaves_with_path

from a3gan_jax.checkpoint import load_model
from tests.experiments.train_command import command_line

ROOT = Path(__file__).parent.parent.parent
TINY = Path(__file__).parent / "tiny.py"

#: Kills the training while it writes the checkpoint of step 10: nothing waits for the write.
KILLED_WHILE_SAVING = """
import os, signal, sys
from a3gan_jax.checkpoint import Checkpoints
from experiments import train

save = Checkpoints.save
def save_and_die(self, step, state, iterator):
    save(self, step, state, iterator)
    if step == 10:
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoints.save = save_and_die
train.main()
"""

#: A step that learns nothing and breaks at step 8.
BROKEN_AT_STEP_8 = """
import sys
import jax.numpy as jnp
from a3gan_jax import steps
from experiments import train

def step(state, frozen, batch, key, *, setup):
    value = jnp.where(state.step == 7, jnp.nan, 1.0)
    return state.replace(step=state.step + 1), {"loss/identity": value, "loss/adversarial": jnp.ones(())}
steps.step_for = lambda step_number, setup: step
sys.exit(train.main())
"""


@pytest.fixture(scope="module")
def shared_environment(tmp_path_factory):
    """One compilation cache for all runs; little optimisation, since they take a few steps only."""
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def environment(shared_environment):
    """A copy that a test may change."""
    return dict(shared_environment)


@pytest.fixture
def start(environment, tmp_path):
    """Starts a training from an empty working folder; ends it with the test."""
    started = []

    def begin(workdir, *arguments, program=("-m", "experiments.train"), config=TINY):
        command = [sys.executable, *program, f"--config={config}", f"--workdir={workdir}", *arguments]
        process = subprocess.Popen(
            command, env=environment, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start):
    """Runs a training to its end: exit code, output, errors."""

    def finish(*arguments, **options):
        process = start(*arguments, **options)
        output, errors = process.communicate(timeout=600)
        return process.returncode, output, errors

    return finish


@pytest.fixture(scope="module")
def straight(shared_environment, tmp_path_factory):
    """The workdir of twenty steps without a stop."""
    workdir = tmp_path_factory.mktemp("straight") / "run"
    command = [sys.executable, "-m", "experiments.train", f"--config={TINY}", f"--workdir={workdir}"]
    done = subprocess.run(command, env=shared_environment, cwd=workdir.parent, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout
    return workdir


def flat(tree) -> dict[str, np.ndarray]:
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x for path, x in tree_leaves_with_path(tree)}


def checkpoint(workdir: Path, step: int) -> tuple[dict[str, np.ndarray], str]:
    """The state by path, and the position in the data."""
    folder = workdir / "checkpoints" / str(step)
    with ocp.PyTreeCheckpointer() as checkpointer:
        tree = checkpointer.metadata(folder / "state").item_metadata.tree
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        state = checkpointer.restore(folder / "state", restore_args=as_numpy)
    return flat(state), (folder / "data" / "metadata").read_text()


def measured(workdir: Path) -> list[dict]:
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "images_per_second"} for line in lines]


def assert_same_run(workdir: Path, other: Path):
    """State, position in the data and sheets, bit for bit."""
    (state, data), (other_state, other_data) = checkpoint(workdir, 20), checkpoint(other, 20)
    assert state.keys() == other_state.keys() and len(state) > 50
    for path, leaf in state.items():
        np.testing.assert_array_equal(leaf, other_state[path], err_msg=path)
    assert data == other_data
    sheets = sorted(path.name for path in (workdir / "sheets").iterdir())
    assert sheets == sorted(path.name for path in (other / "sheets").iterdir())
    for name in sheets:
        assert (workdir / "sheets" / name).read_bytes() == (other / "sheets" / name).read_bytes()


def test_a_run_leaves_what_the_help_promises(straight):
    assert {path.name for path in straight.iterdir()} == {
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "model",
        "model.json",
        "sheets",
        "tensorboard",
    }
    assert [path.name for path in sorted((straight / "sheets").iterdir())] == ["0000010.png", "0000020.png"]
    lines = measured(straight)
    assert [line["step"] for line in lines] == [5, 10, 10, 15, 20, 20]
    assert [line["step"] for line in lines if "validation/psnr" in line] == [10, 20]
    assert all(np.isfinite(value) for line in lines for value in line.values())
    assert lines[-2]["loss/reconstruction"] < lines[1]["loss/reconstruction"], "it does not learn to reconstruct"


def test_the_model_is_the_average_of_the_last_checkpoint(straight):
    model, run = load_model(straight / "model"), load_model(straight)
    assert model.config == run.config and model.config.attributes == ("Male", "Smiling")
    assert model.step == run.step == 20
    state, _ = checkpoint(straight, 20)
    for path, leaf in flat(model.variables).items():
        np.testing.assert_array_equal(leaf, state[path if path.startswith("discriminator") else f"ema/{path}"])
        np.testing.assert_array_equal(leaf, flat(run.variables)[path])


def test_a_run_that_starts_from_a_model_has_its_networks(straight, start, tmp_path):
    """Stopped while only the identity critic learns."""
    process = start(tmp_path / "run", f"--config.start_from={straight / 'model'}")
    for line in process.stdout:
        if line.startswith("starting from"):
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 143, process.stderr.read()
    step = max(int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert step <= 4, "the generator has learned already"
    state, _ = checkpoint(tmp_path / "run", step)
    model = flat(load_model(straight / "model").variables)
    for path, leaf in model.items():
        np.testing.assert_array_equal(state[path], leaf)
        if not path.startswith("discriminator"):
            np.testing.assert_array_equal(state[f"ema/{path}"], leaf)
    critic = [path for path in state if path.startswith("critic/")]
    assert critic and len(model) > 20


def test_a_finished_run_says_so(straight, run):
    code, output, _ = run(straight)
    assert code == 0
    assert "finished" in output and "step" not in output


def test_killed_stopped_and_continued_is_as_if_never_stopped(straight, start, run, tmp_path):
    workdir = tmp_path / "run"
    code, _, _ = run(workdir, program=("-c", KILLED_WHILE_SAVING))
    assert code == -signal.SIGKILL

    process = start(workdir)
    output = ""
    for line in process.stdout:
        output += line
        if line.startswith("step 15/"):
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    (continued,) = re.findall(r"continuing after step (\d+)", output)
    assert continued in ("5", "10")  # 10 if the disk was faster than the signal
    (stopped,) = re.findall(r"saved step (\d+)", output)
    assert 15 <= int(stopped) < 20
    assert (workdir / "checkpoints" / stopped).exists() and not (workdir / "model").exists()

    code, output, errors = run(workdir)
    assert code == 0, errors
    assert f"continuing after step {stopped}" in output
    assert_same_run(workdir, straight)
    # The average up to step 20 began anew at the stop.
    assert [line["step"] for line in measured(workdir)] == [line["step"] for line in measured(straight)]
    assert measured(workdir)[:-2] == measured(straight)[:-2]
    assert measured(workdir)[-1] == measured(straight)[-1]


def test_eight_devices_measure_what_one_does(straight, start, environment, tmp_path):
    environment["XLA_FLAGS"] += " --xla_force_host_platform_device_count=8"
    process = start(tmp_path / "run", "--config.mesh.fsdp=2")
    for line in process.stdout:
        if line.startswith("step 5/"):
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 143, process.stderr.read()
    one, eight = measured(straight)[0], measured(tmp_path / "run")[0]
    assert one.keys() == eight.keys() and len(one) > 30
    for name, value in one.items():
        assert eight[name] == pytest.approx(value, rel=2e-3, abs=1e-4), name


def test_another_configuration_is_refused(straight, monkeypatch, capsys):
    before = (straight / "config.json").read_bytes()
    settings = ("--config.model.base=6", "--config.total_steps=30")
    code, errors = command_line(monkeypatch, capsys, f"--config={TINY}", f"--workdir={straight}", *settings)
    assert code == 1
    assert "model.base: 4 in the workdir, 6 now" in errors
    assert "total_steps: 20 in the workdir, 30 now" in errors
    assert (straight / "config.json").read_bytes() == before


def test_a_broken_loss_stops_the_run_and_is_never_saved(run, tmp_path):
    workdir = tmp_path / "run"
    settings = ("--config.log_every=4", "--config.checkpoint_every=3", "--config.sheet_every=100")
    code, _, errors = run(workdir, *settings, program=("-c", BROKEN_AT_STEP_8))
    assert code == 1
    assert "step 8: loss/identity is nan" in errors and "adversarial" not in errors
    assert "Traceback" not in errors
    assert sorted(path.name for path in (workdir / "checkpoints").iterdir()) == ["3", "6"]
    assert [line["step"] for line in measured(workdir)] == [4]
