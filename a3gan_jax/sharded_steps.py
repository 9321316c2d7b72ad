"""The training steps of a run, jitted for a mesh: every array where ``sharding`` says, the old state given back."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax import Array
from jax.sharding import Mesh

from a3gan_jax import sharding, steps
from a3gan_jax.compilation import network_options
from a3gan_jax.train_state import Setup, TrainState, init_state


class ShardedSteps:
    """What ``steps`` and ``train_state.init_state`` do, on a mesh.

    abstract_state: a ``TrainState`` of ``ShapeDtypeStruct``.
    shardings: for each of its leaves.
    """

    def __init__(self, setup: Setup, mesh: Mesh):
        self._setup, self._mesh = setup, mesh
        self._init = functools.partial(init_state, setup=setup)
        self.abstract_state: TrainState = jax.eval_shape(self._init, jax.random.key(0))
        self.shardings: TrainState = sharding.state_shardings(mesh, self.abstract_state)
        self._jitted = functools.cache(self._jit)

    def init(self, key: Array) -> TrainState:
        """A fresh state; no device ever holds more of it than its part."""
        # Run once: on a CPU the compiler's optimisations cost half a minute and save nothing.
        quick = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
        return jax.jit(self._init, out_shardings=self.shardings, compiler_options=quick)(key)

    def at(self, step: int) -> Callable[[TrainState, Any, Any, Array], tuple[TrainState, dict[str, Array]]]:
        """The jitted function (state, frozen, batch, key) -> (state, metrics) that takes a run from ``step`` (0, 1,
        ...) to the next one, see ``steps.step_for``. The state that it is given is used up."""
        return self._jitted(steps.step_for(step, self._setup))

    def gather(self, tree: Any) -> Any:
        """Arrays on the mesh -> the same, whole on every device; all processes must ask."""
        return jax.jit(lambda tree: tree, out_shardings=sharding.replicated(self._mesh))(tree)

    def _jit(self, function: Callable) -> Callable:
        everywhere = sharding.replicated(self._mesh)
        return jax.jit(
            functools.partial(function, setup=self._setup),
            in_shardings=(self.shardings, everywhere, sharding.batch_sharding(self._mesh), everywhere),
            out_shardings=(self.shardings, everywhere),
            donate_argnums=0,
            compiler_options=network_options(self._mesh.devices.flat[0].platform),
        )
