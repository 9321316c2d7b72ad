"""A3GAN in JAX and Flax: faces that keep what a task needs and lose who they are.

``Anonymizer`` is the one object that a user of the library needs; it is loaded when it is first asked for, so that
``import a3gan_jax`` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from a3gan_jax.anonymizer import Anonymizer

__all__ = ["Anonymizer"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "Anonymizer":
        from a3gan_jax.anonymizer import Anonymizer

        return Anonymizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
