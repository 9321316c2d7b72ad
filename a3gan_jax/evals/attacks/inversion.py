"""The inversion attack: a network learns to paint the original face back from the anonymised one.

The attacker has photos of other people, anonymises them himself and trains on the pairs. What he restores is then
looked for as a photo is (``identification``).
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from a3gan_jax.compilation import network_jit
from a3gan_jax.models.layers import ConvForm
from a3gan_jax.models.unet import UNet

LEARNING_RATE = 1e-3
BATCH_SIZE = 16


class Inversion:
    """A U-Net that is trained on pairs of aligned crops."""

    def __init__(self, *, base: int = 24, conv: ConvForm = "matmul", seed: int = 0):
        """``base``: channels of its shallowest stage; ``seed``: of weights and order of the photos."""
        self._network, self._seed = UNet(base, conv=conv), seed
        self._variables = None

    def train(
        self,
        anonymized: np.ndarray,
        originals: np.ndarray,
        steps: int,
        progress: Callable[[int, float], None] = lambda step, loss: None,
    ) -> list[float]:
        """Trains from scratch on N pairs of crops (N, S, S, 3) uint8, mirrored half of the time; the loss is L1.

        Returns the loss of every step, on values in [-1, 1]. ``progress`` is told each step and its loss.
        """
        key = jax.random.key(self._seed)
        self._variables = jax.jit(self._network.init)(key, _to_float(anonymized[:1]))
        optimizer = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps))
        state = jax.jit(optimizer.init)(self._variables)
        step_once = network_jit(functools.partial(_step, self._network, optimizer), donate_argnums=(0, 1))
        random, losses = np.random.default_rng(self._seed), []
        for step in range(steps):
            rows = random.integers(len(anonymized), size=BATCH_SIZE)
            way = slice(None, None, -1 if random.random() < 0.5 else 1)
            batch = anonymized[rows][:, :, way], originals[rows][:, :, way]
            self._variables, state, loss = step_once(self._variables, state, *batch)
            losses.append(float(loss))
            progress(step + 1, losses[-1])
        return losses

    def __call__(self, anonymized: np.ndarray) -> np.ndarray:
        """What the originals of crops (N, S, S, 3) uint8 looked like, likewise.

        Raises:
            ValueError: it has not been trained.
        """
        if self._variables is None:
            raise ValueError("an inversion attack must be trained before it restores a face: call train")
        restored = []
        for start in range(0, len(anonymized), BATCH_SIZE):
            rows = np.arange(start, start + BATCH_SIZE) % len(anonymized)  # one compiled shape
            restored.append(np.asarray(_restore(self._network, self._variables, anonymized[rows])))
        return np.concatenate(restored)[: len(anonymized)] if restored else anonymized


def _to_float(images: Array) -> Array:
    return images.astype(jnp.float32) / 127.5 - 1.0


def _step(
    network: UNet, optimizer: optax.GradientTransformation, variables, state, anonymized: Array, originals: Array
):
    def loss(variables):
        return jnp.abs(network.apply(variables, _to_float(anonymized)) - _to_float(originals)).mean()

    value, gradient = jax.value_and_grad(loss)(variables)
    updates, state = optimizer.update(gradient, state, variables)
    return optax.apply_updates(variables, updates), state, value


@functools.partial(network_jit, static_argnums=0)
def _restore(network: UNet, variables, anonymized: Array) -> Array:
    images = network.apply(variables, _to_float(anonymized))
    return jnp.clip(jnp.round((images + 1.0) * 127.5), 0, 255).astype(jnp.uint8)
