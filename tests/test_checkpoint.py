"""Checkpoints, the workdir's configuration, exported models."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import flax
import grain
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from a3gan_jax import sharding
from a3gan_jax.checkpoint import (
    Checkpoints,
    WorkdirMismatch,
    claim_workdir,
    describe_model,
    export_model,
    load_model,
    model_variables,
)
from a3gan_jax.networks import ModelConfig

ROOT = Path(__file__).parent.parent
CONFIG = ModelConfig(64, ("Male", "Smiling"), num_people=7, base=4, levels=2, z_dim=2, conv="lax")

KILLED_WHILE_SAVING = """
import os, signal, sys
import grain, jax.numpy as jnp
from a3gan_jax.checkpoint import Checkpoints

batches = iter(grain.MapDataset.range(100).to_iter_dataset())
state = {"step": jnp.int32(1), "big": jnp.ones((64, 1024, 1024))}
with Checkpoints(sys.argv[1]) as checkpoints:
    next(batches)
    checkpoints.save(1, state, batches)
    checkpoints.wait()
    next(batches)
    checkpoints.save(2, {"step": jnp.int32(2), "big": 2 * state["big"]}, batches)  # 256 MiB, being written now
    os.kill(os.getpid(), signal.SIGKILL)
"""

ON_EIGHT_DEVICES = """
import sys
import grain, jax, jax.numpy as jnp, numpy as np
from a3gan_jax import sharding
from a3gan_jax.checkpoint import Checkpoints

abstract = jax.eval_shape(lambda: {"kernel": jnp.zeros((4, 16))})
shardings = sharding.state_shardings(sharding.create_mesh(fsdp=8), abstract)
batches = iter(grain.MapDataset.range(100).seed(3).shuffle().repeat().to_iter_dataset())
with Checkpoints(sys.argv[1]) as checkpoints:
    _, state = checkpoints.restore(abstract, shardings, batches)
assert state["kernel"].addressable_shards[0].data.shape == (4, 2)
np.testing.assert_array_equal(state["kernel"], np.arange(64.0).reshape(4, 16))
"""


@flax.struct.dataclass
class State:
    step: jax.Array
    generator: dict
    discriminator: dict
    ema: dict
    optimizer_states: dict


def a_state(value: float) -> State:
    variables = {"params": {"Conv_0": {"kernel": jnp.full((4, 4, 3, 8), value), "bias": jnp.arange(8.0)}}}
    return State(
        step=jnp.int32(value),
        generator=variables,
        discriminator=variables,
        ema={"generator": jax.tree.map(lambda x: 2 * x, variables), "ainet": variables},
        optimizer_states={"generator": optax.adam(1e-3).init(variables)},
    )


def numbers() -> grain.DatasetIterator:
    return iter(grain.MapDataset.range(100).seed(3).shuffle().repeat().to_iter_dataset())


def assert_equal_trees(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


def restore(workdir, iterator):
    mesh = sharding.create_mesh()
    abstract = jax.eval_shape(lambda: a_state(0.0))
    with Checkpoints(workdir) as checkpoints:
        return checkpoints.restore(abstract, sharding.state_shardings(mesh, abstract), iterator)


def test_state_and_data_come_back_together(tmp_path):
    batches = numbers()
    seen = [int(next(batches)) for _ in range(5)]
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step() is None
        checkpoints.save(5, a_state(5.0), batches)
        ahead = [int(next(batches)) for _ in range(5)]  # while it is being written
    fresh = numbers()
    step, state = restore(tmp_path, fresh)
    assert step == 5
    assert_equal_trees(state, a_state(5.0))
    assert [int(next(fresh)) for _ in range(5)] == ahead != seen


def test_a_donated_state_is_saved_as_it_was(tmp_path):
    # The next step overwrites the memory that is being written to disk.
    advance = jax.jit(lambda state: jax.tree.map(lambda x: x + 1, state), donate_argnums=0)
    mesh, batches = sharding.create_mesh(), numbers()
    state = {"big": jnp.zeros((8, 1024, 1024)), "step": jnp.int32(0)}
    with Checkpoints(tmp_path) as checkpoints:
        for step in range(1, 7):
            state = advance(state)
            if step == 3:
                checkpoints.save(step, state, batches)
    abstract = jax.eval_shape(lambda: state)
    with Checkpoints(tmp_path) as checkpoints:
        _, saved = checkpoints.restore(abstract, sharding.state_shardings(mesh, abstract), numbers())
    assert int(saved["step"]) == 3
    np.testing.assert_array_equal(saved["big"], np.full((8, 1024, 1024), 3.0))


def test_a_checkpoint_of_one_device_restores_onto_eight(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"kernel": jnp.arange(4.0 * 16).reshape(4, 16)}, numbers())
    done = subprocess.run(
        [sys.executable, "-c", ON_EIGHT_DEVICES, str(tmp_path)],
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=8"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_only_the_newest_are_kept(tmp_path):
    batches = numbers()
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        for step in (1, 2, 3, 3):
            checkpoints.save(step, a_state(float(step)), batches)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["2", "3"]


def test_a_process_killed_while_it_saves_leaves_the_older_checkpoint(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_SAVING, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert any(not path.name.isdigit() for path in (tmp_path / "checkpoints").iterdir()), "nothing was being written"
    abstract = jax.eval_shape(lambda: {"step": jnp.int32(0), "big": jnp.zeros((64, 1024, 1024))})
    batches = iter(grain.MapDataset.range(100).to_iter_dataset())
    with Checkpoints(tmp_path) as checkpoints:
        step, state = checkpoints.restore(abstract, sharding.state_shardings(sharding.create_mesh(), abstract), batches)
        assert step == int(state["step"]) == 1
        assert float(state["big"].min()) == float(state["big"].max()) == 1.0
        assert int(next(batches)) == 1
        checkpoints.save(2, state, batches)  # the remains are not in the way
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["1", "2"]


def test_another_configuration_is_refused_naming_the_keys(tmp_path):
    config = {"seed": 0, "model": {"base": 20, "levels": 4}, "recognizers": ("sface",), "mesh": {"fsdp": 1}}
    claim_workdir(tmp_path, config)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, a_state(1.0), numbers())
    claim_workdir(tmp_path, config)
    with pytest.raises(WorkdirMismatch) as refused:
        claim_workdir(tmp_path, {**config, "model": {"base": 24}, "mesh": {"fsdp": 2}, "extra": 1})
    message = str(refused.value)
    assert "model.base: 20 in the workdir, 24 now" in message
    assert "model.levels: 4 in the workdir, 'absent' now" in message
    assert "extra: 'absent' in the workdir, 1 now" in message
    assert not any(key in message for key in ("seed", "recognizers", "mesh"))
    claim_workdir(tmp_path, {**config, "mesh": {"fsdp": 8}})  # where it runs is no part of what it computes


def test_a_workdir_without_a_checkpoint_takes_a_new_configuration(tmp_path):
    claim_workdir(tmp_path / "run", {"root": "/mistyped"})
    claim_workdir(tmp_path / "run", {"root": "/right"})
    assert "/right" in (tmp_path / "run" / "config.json").read_text()


def test_a_model_folder_explains_itself(tmp_path):
    variables = model_variables(a_state(3.0))
    export_model(tmp_path / "model", CONFIG, variables, step=30)
    model = load_model(tmp_path / "model")
    assert (model.config, model.step) == (CONFIG, 30)
    assert_equal_trees(model.variables, jax.device_get(variables))
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(model.variables))

    export_model(tmp_path / "model", CONFIG, model_variables(a_state(4.0)), step=40)  # in place of the older one
    assert load_model(tmp_path / "model").step == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_a_workdir_is_a_model_too(tmp_path):
    describe_model(tmp_path, CONFIG)
    with pytest.raises(FileNotFoundError, match="no finished checkpoint"):
        load_model(tmp_path)
    with Checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, a_state(float(step)), numbers())
    model = load_model(tmp_path)
    assert (model.config, model.step) == (CONFIG, 2)
    assert_equal_trees(model.variables, jax.device_get(model_variables(a_state(2.0))))


def test_a_folder_of_something_else_is_neither_read_nor_replaced(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="model.json"):
        load_model(tmp_path)
    with pytest.raises(FileExistsError, match="not a model"):
        export_model(tmp_path, CONFIG, {"generator": {"x": np.zeros(2)}}, step=1)
    assert (tmp_path / "holiday.jpg").exists()


def test_model_variables_are_the_averages():
    state = SimpleNamespace(ema={"generator": 1, "ainet": 2, "other": 3}, discriminator=4, generator=5)
    assert model_variables(state) == {"generator": 1, "ainet": 2, "discriminator": 4}
