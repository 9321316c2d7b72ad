"""Full training steps on one device and on eight, in float64, where only a real difference is one."""

from tests.eight_devices import run_on_eight_devices

# Adam divides by the size of the gradients: in float32 the order of a sum, which differs between meshes, decides the
# sign of an update where a gradient is nearly zero. In float64 it is far below what is compared here.
SCRIPT = """
import functools, sys
import jax, jax.numpy as jnp, numpy as np
from flax import linen as nn
from jax.sharding import AxisType

jax.config.update("jax_enable_x64", True)

from a3gan_jax import generator_objective, sharding, steps
from a3gan_jax.models.recognizers import Recognizer
from a3gan_jax.networks import ModelConfig, Networks
from a3gan_jax.train_state import Setup, init_state
from a3gan_jax.training_config import LossConfig, OptimizerConfig

generator_objective.to_float = lambda images: images.astype(jnp.float64) / 127.5 - 1.0  # the only cast to float32

class TinyRecognizer(nn.Module):
    @nn.compact
    def __call__(self, images):
        return nn.Dense(8)(images[:, ::8, ::8].reshape(images.shape[0], -1))

N, STEPS = 8, 5
names = ("Male", "Smiling", "Eyeglasses")
model = ModelConfig(64, names, 8, base=8, levels=2, z_dim=4, style_width=8, discriminator_base=8, critic_base=8)
recognizer = Recognizer("tiny", 112, 0.4, TinyRecognizer())
loss = LossConfig(gradient_penalty_every=2, identity_ramp_steps=2, identity_images=0, feature_matching_sides=(8, 4))
setup = Setup(Networks.create(model), (recognizer,), loss, OptimizerConfig(critic_warmup_steps=0), STEPS)

def double(tree):
    return jax.tree.map(lambda x: x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)

frozen = double({"tiny": jax.jit(recognizer.network.init)(jax.random.key(1), jnp.zeros((1, 112, 112, 3)))})
rng = np.random.default_rng(0)
batches = [
    {
        "image": rng.integers(0, 256, (N, 64, 64, 3)).astype(np.uint8),
        "attributes": rng.integers(0, 2, (N, 3)).astype(np.uint8),
        "identity": rng.integers(-1, 8, N).astype(np.int32),
        "index": np.arange(N, dtype=np.int32),
    }
    for _ in range(STEPS)
]

def run(mesh):
    create = lambda key: double(init_state(key, setup))
    shardings = sharding.state_shardings(mesh, jax.eval_shape(create, jax.random.key(0)))
    state = jax.jit(create, out_shardings=shardings)(jax.random.key(0))
    split = sum(not leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(state))
    everywhere = sharding.replicated(mesh)
    compiled = {}
    measured = []
    for step, batch in enumerate(batches):
        function = steps.step_for(step, setup)
        if function not in compiled:
            compiled[function] = jax.jit(
                functools.partial(function, setup=setup),
                in_shardings=(shardings, everywhere, sharding.batch_sharding(mesh), everywhere),
                out_shardings=(shardings, everywhere),
                donate_argnums=0,
            )
        key = jax.random.fold_in(jax.random.key(2), step)
        state, metrics = compiled[function](state, frozen, sharding.put_batch(mesh, batch), key)
        measured.append(metrics)
    return jax.device_get((state, measured)), split

def one_device():
    axes = dict(axis_types=(AxisType.Auto, AxisType.Auto), devices=jax.devices()[:1])
    return jax.make_mesh((1, 1), ("data", "fsdp"), **axes)

(expected, _) = run(one_device())
for data, fsdp in ((4, 2),):
    found, split = run(sharding.create_mesh(data, fsdp))
    assert (split > 50) == (fsdp > 1), split
    pairs = zip(jax.tree_util.tree_leaves_with_path(expected), jax.tree.leaves(found), strict=True)
    for (path, one), eight in pairs:
        name = jax.tree_util.keystr(path)
        close = dict(rtol=1e-5, atol=1e-9 * np.abs(one).max())
        np.testing.assert_allclose(eight, one, **close, err_msg=f"{data} x {fsdp}: {name}")
    assert len(found[1][-1]) > 30
    print(f"{data} x {fsdp} is one device")
"""


def test_losses_and_parameters_are_the_same_on_eight_devices():
    said = run_on_eight_devices(SCRIPT, "--xla_backend_optimization_level=0")
    assert said.count("is one device") == 1
