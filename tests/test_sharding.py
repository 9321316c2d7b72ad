"""The mesh, the placement of batches and states, on one device here and on eight in a subprocess."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from a3gan_jax import sharding
from tests.eight_devices import run_on_eight_devices

EIGHT_DEVICES = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import PartitionSpec as P
from a3gan_jax import sharding

mesh = sharding.create_mesh(fsdp=4)
assert dict(mesh.shape) == {"data": 2, "fsdp": 4}
assert dict(sharding.create_mesh().shape) == {"data": 8, "fsdp": 1}

state = {
    "Conv_0": {"kernel": jnp.ones((4, 4, 3, 8)), "bias": jnp.ones(8)},
    "odd": {"kernel": jnp.ones((4, 4, 3, 6))},
    "Dense_0": {"kernel": jnp.ones((5, 12))},
    "people": jnp.ones((16, 20)),
}
placed = jax.device_put(state, sharding.state_shardings(mesh, state))
shards = lambda leaf: leaf.addressable_shards[0].data.shape
assert shards(placed["Conv_0"]["kernel"]) == (4, 4, 3, 2)
assert shards(placed["Conv_0"]["bias"]) == (8,)
assert shards(placed["odd"]["kernel"]) == (4, 4, 3, 6)
assert shards(placed["Dense_0"]["kernel"]) == (5, 3)
assert shards(placed["people"]) == (16, 5)

batch = {"image": np.arange(16 * 3, dtype=np.uint8).reshape(16, 3)}
put = sharding.put_batch(mesh, batch)
assert shards(put["image"]) == (2, 3)
np.testing.assert_array_equal(np.asarray(put["image"]), batch["image"])

try:
    sharding.per_process_batch_size(12, mesh)
except ValueError as error:
    assert "batch_size 12" in str(error) and "8 devices" in str(error)
else:
    raise AssertionError("12 images on 8 devices went through")
print("eight devices are fine")
"""


STATE_OF_A_TPU = """
import jax, numpy as np
from jax.sharding import PartitionSpec as P
from a3gan_jax import sharding
from a3gan_jax.sharded_steps import ShardedSteps
from experiments.configuration import create_setup, load_config

setup, _ = create_setup(load_config("celeba_tpu.py"), num_people=8_000)
sharded = ShardedSteps(setup, sharding.create_mesh(fsdp=8))
leaves = jax.tree.leaves_with_path(sharded.abstract_state)
places = jax.tree.leaves(sharded.shardings)
size = lambda shape, leaf: int(np.prod(shape)) * leaf.dtype.itemsize
whole = sum(size(leaf.shape, leaf) for _, leaf in leaves)
part = sum(size(place.shard_shape(leaf.shape), leaf) for (_, leaf), place in zip(leaves, places, strict=True))
assert part < whole / 6, (part, whole)
for (path, leaf), place in zip(leaves, places, strict=True):
    name = jax.tree_util.keystr(path[-1:], simple=True)
    last = leaf.shape[-1] if leaf.ndim else 1
    if name in ("kernel", "people") and last % 8 == 0:
        assert place.spec == P(*[None] * (leaf.ndim - 1), "fsdp"), (path, place)
    else:
        assert place.spec == P(), (path, place)
print(f"{part / whole:.3f} of the state on a device")
"""


def test_a_batch_is_split_over_both_axes():
    mesh = sharding.create_mesh()
    assert mesh.axis_names == ("data", "fsdp")
    batch = sharding.put_batch(mesh, {"identity": np.arange(4, dtype=np.int32)})
    assert batch["identity"].sharding.spec == PartitionSpec(("data", "fsdp"))
    np.testing.assert_array_equal(batch["identity"], np.arange(4))


@pytest.mark.parametrize("axes", [{"fsdp": 3}, {"data": 5}, {"fsdp": 0}])
def test_a_mesh_that_does_not_fit_the_devices_is_refused(axes, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 8)
    with pytest.raises(ValueError, match="mesh"):
        sharding.create_mesh(**axes)


def test_optimizer_moments_lie_where_their_parameters_lie():
    mesh = sharding.create_mesh()
    params = {"Conv_0": {"kernel": jnp.ones((4, 4, 3, 8)), "bias": jnp.ones(8)}}
    state = {"params": params, "opt": ({"mu": params, "nu": params}, jnp.zeros((), jnp.int32))}
    specs = jax.tree.map(lambda s: s.spec, sharding.state_shardings(mesh, jax.eval_shape(lambda: state)))
    assert specs["params"]["Conv_0"]["kernel"] == PartitionSpec(None, None, None, "fsdp")
    assert specs["opt"][0]["mu"] == specs["params"] == specs["opt"][0]["nu"]
    assert specs["opt"][1] == PartitionSpec()


def test_eight_devices():
    assert "eight devices are fine" in run_on_eight_devices(EIGHT_DEVICES)


def test_each_of_eight_devices_holds_less_than_a_sixth_of_the_state():
    assert "of the state on a device" in run_on_eight_devices(STATE_OF_A_TPU)
