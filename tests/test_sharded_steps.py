"""Full training steps on one device and on eight, in float64, where only a real difference is one."""

from tests.eight_devices import run_on_eight_devices

# Adam divides by the size of the gradients: in float32 the order of a sum, which differs between meshes, decides the
# sign of an update where a gradient is nearly zero. In float64 it is far below what is compared here.
SCRIPT = """
import jax, jax.numpy as jnp, numpy as np
from flax import linen as nn

jax.config.update("jax_enable_x64", True)

from a3gan_jax import generator_objective, sharded_steps, sharding
from a3gan_jax.models.recognizers import Recognizer
from a3gan_jax.models.yunet import Sights
from a3gan_jax.networks import ModelConfig, Networks
from a3gan_jax.sharded_steps import ShardedSteps
from a3gan_jax.train_state import Setup, init_state
from a3gan_jax.training_config import LossConfig, OptimizerConfig

generator_objective.to_float = lambda images: images.astype(jnp.float64) / 127.5 - 1.0  # the only cast to float32

class TinyRecognizer(nn.Module):
    @nn.compact
    def __call__(self, images):
        return nn.Dense(8)(images[:, ::8, ::8].reshape(images.shape[0], -1))

class TinyDetector(nn.Module):
    @nn.compact
    def __call__(self, images):
        seen = nn.Dense(22)(images[:, ::8, ::8].reshape(images.shape[0], -1))
        return Sights(nn.sigmoid(seen[:, :2]), seen[:, 2:].reshape(-1, 2, 5, 2))

N, STEPS = 8, 5
names = ("Male", "Smiling", "Eyeglasses")
sizes = dict(base=8, levels=2, z_dim=4, style_width=8, discriminator_base=8, critic_base=8)
model = ModelConfig(64, names, 8, **sizes, compute="float64")
recognizer = Recognizer("tiny", 112, 0.4, TinyRecognizer())
loss = LossConfig(
    gradient_penalty_every=2, identity_ramp_steps=2, identity_images=0, landmarks=1.0
)
detector, optimizer = TinyDetector(), OptimizerConfig(critic_warmup_steps=0)
setup = Setup(Networks.create(model), (recognizer,), loss, optimizer, STEPS, detector)

def double(tree):
    return jax.tree.map(lambda x: x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)

frozen = double({
    "tiny": jax.jit(recognizer.network.init)(jax.random.key(1), jnp.zeros((1, 112, 112, 3))),
    generator_objective.DETECTOR: jax.jit(detector.init)(jax.random.key(3), jnp.zeros((1, 64, 64, 3))),
})
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

sharded_steps.init_state = lambda key, setup: double(init_state(key, setup))

def run(mesh):
    sharded = ShardedSteps(setup, mesh)
    state = sharded.init(jax.random.key(0))
    split = sum(not leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(state))
    measured = []
    for step, batch in enumerate(batches):
        key = jax.random.fold_in(jax.random.key(2), step)
        state, metrics = sharded.at(step)(state, frozen, sharding.put_batch(mesh, batch), key)
        measured.append(metrics)
    return jax.device_get((sharded.gather(state), measured)), split

(expected, _) = run(sharding.create_mesh(devices=jax.devices()[:1]))
for data, fsdp in ((8, 1), (4, 2), (1, 8)):
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
    assert said.count("is one device") == 3
