"""The suppressive convolution unit (SCU) and the multi-scale suppression network that it makes up.

That SCUs take identity out of multi-scale features is the paper's (doi 10.1145/3503161.3547757, abstract); the
equations are our own choice, after the selective transfer unit of STGAN (arXiv 1904.09709).
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from a3gan_jax.geometry import face_region
from a3gan_jax.models.layers import Conv, he_normal, leaky_relu, lecun_normal, upsample

#: Slack of the gate on both sides of the sigmoid's range, so that it reaches exactly 0 and exactly 1: a gate that stops
#: at 0.98 leaks the rest, and what follows amplifies it.
GATE_SLACK = 0.1


def _face_prior(logit: float):
    """Initialiser of a map (H, W, 1): ``+logit`` in the face of an aligned crop, ``-logit`` outside of it."""

    def init(key: Array, shape: tuple[int, ...], dtype=jnp.float32) -> Array:
        if shape[0] != shape[1]:
            raise ValueError(f"the gate prior is made for square crops, not {shape[0]}x{shape[1]}")
        # Drawn fine and averaged: at 4x4 cells a cell's centre says little about what the cell holds.
        fine = face_region(16 * shape[0]).reshape(shape[0], 16, shape[1], 16, 1).mean((1, 3))
        return jnp.asarray(logit * (2.0 * fine - 1.0), dtype)

    return init


class SuppressiveConvUnit(nn.Module):
    """Replaces what identifies in a feature by what the state below proposes.

    With feature ``f`` (N, H, W, C), state ``h`` of the next deeper unit (N, H/2, W/2, D) or (N, H, W, D), and strength
    ``s`` (N,) in [0, 1]::

        u = h, brought to C channels and H x W
        g = clip(1.2 sigmoid(conv([f, u]) + prior) - 0.1, 0, 1)     suppression gate, (N, H, W, C)
        r = leaky_relu(conv([(1 - s g) f, u]))                      replacement
        out = (1 - s g) f + s g r

    ``s = 0`` returns ``f`` unchanged; where ``s g = 1`` nothing of ``f`` reaches the output. The learned prior is a map
    over the aligned crop that starts at ``+-face_prior`` inside and outside the face. A ``gate`` (a number or an
    array that broadcasts) takes the place of ``g``.
    """

    face_prior: float = 2.0

    @nn.compact
    def __call__(self, f: Array, h: Array, strength: Array, gate: Array | float | None = None) -> tuple[Array, Array]:
        """Returns the suppressed feature, in the type of ``f``, and the gate in float32, both (N, H, W, C)."""
        channels = f.shape[-1]
        s = strength[:, None, None, None]
        u = Conv(channels, "pointwise", kernel_init=lecun_normal, name="state")(h)
        if u.shape[1] != f.shape[1]:
            u = upsample(u)
        prior = self.param("prior", _face_prior(self.face_prior), (*f.shape[1:3], 1))
        logit = Conv(channels, kernel_init=lecun_normal, name="gate")(jnp.concatenate([f, u], -1)) + prior  # float32
        g = jnp.clip((1 + 2 * GATE_SLACK) * nn.sigmoid(logit) - GATE_SLACK, 0.0, 1.0)
        if gate is not None:
            g = jnp.broadcast_to(jnp.asarray(gate, g.dtype), g.shape)
        kept = (1.0 - s * g).astype(f.dtype) * f
        r = leaky_relu(Conv(channels, kernel_init=he_normal, name="replacement")(jnp.concatenate([kept, u], -1)))
        return kept + (s * g).astype(f.dtype) * r, g


class SuppressionNetwork(nn.Module):
    """One SCU a level, from the deepest feature to the shallowest; each unit's output is the next one's state.

    ``face_priors``: the units' priors, deepest first.
    """

    face_priors: Sequence[float]

    @nn.compact
    def __call__(
        self, features: Sequence[Array], h: Array, strength: Array, gate: Array | float | None = None
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Features deepest first, each twice the size of the last; ``h`` (N, H, W, D) the state below the deepest.

        Returns the suppressed features and the gates, deepest first.
        """
        if len(features) != len(self.face_priors):
            raise ValueError(f"{len(features)} features but {len(self.face_priors)} gate priors")
        suppressed, gates = [], []
        for level, (f, prior) in enumerate(zip(features, self.face_priors, strict=True)):
            h, g = SuppressiveConvUnit(prior, name=f"unit_{level}")(f, h, strength, gate)
            suppressed.append(h)
            gates.append(g)
        return tuple(suppressed), tuple(gates)


def gate_floor_region(side: int) -> np.ndarray:
    """Cells (side, side, 1) of a level that lie well inside the face: 1 there, 0 elsewhere."""
    fine = face_region(16 * side).reshape(side, 16, side, 16, 1).mean((1, 3))
    return (fine > 0.85).astype(np.float32)
