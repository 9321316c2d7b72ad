"""A3GAN in JAX and Flax: faces that keep what a task needs and lose who they are.

``Anonymizer`` is the one object that a user of the library needs; ``load`` reads any model folder, also of converted
PyTorch weights. Both are imported when they are first asked for, so that ``import a3gan_jax`` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from a3gan_jax.anonymizer import Anonymizer
    from a3gan_jax.loading import load

__all__ = ["Anonymizer", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "Anonymizer":
        from a3gan_jax.anonymizer import Anonymizer

        return Anonymizer
    if name == "load":
        from a3gan_jax.loading import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
