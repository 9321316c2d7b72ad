"""Methods by name."""

import difflib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from a3gan_jax.anonymizer import Anonymizer
from a3gan_jax.attributes import TASKS
from a3gan_jax.evals.methods import filters
from a3gan_jax.evals.methods.a3gan import A3GAN, read_weights
from a3gan_jax.evals.methods.ksame import K, KSame
from a3gan_jax.evals.methods.method import Method
from a3gan_jax.evals.methods.open_gates import OpenGates
from a3gan_jax.evals.methods.peers import Folder, Peer

_SEVERAL = {
    "blur": tuple(f"blur:{share:g}" for share in filters.BLUR_SHARES),
    "pixelate": tuple(f"pixelate:{blocks}" for blocks in filters.PIXELATE_BLOCKS),
    "ksame": (f"ksame:{K}",),
}
_PLAIN = ("identity", "blackbox", "a3gan", "a3gan-unchecked", "a3gan-no-scu", "a3gan-no-ainet", "random-edit")
_FORMS = (*_PLAIN, "a3gan:STRENGTH", "a3gan:TASK", "blur:SHARE", "pixelate:BLOCKS", "ksame:K", "folder:PATH")
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def method_names() -> tuple[str, ...]:
    """All methods that can be named without a word of the user's own, with their usual parameters."""
    plain = list(_PLAIN)
    at = plain.index("a3gan")
    return (*plain[:at], *(name for names in _SEVERAL.values() for name in names), *plain[at:])


def expand(text: str) -> tuple[str, ...]:
    """The names in a list "A,B,C", for ``load_method``: "all" stands for ``method_names``, "blur", "pixelate" and
    "ksame" for their usual parameters. One named twice counts once.

    Raises:
        ValueError: no name.
    """
    names: list[str] = []
    for name in (part.strip() for part in text.split(",")):
        names += method_names() if name == "all" else _SEVERAL.get(name, (name,)) if name else ()
    if not names:
        raise ValueError(f"no method: name some of {', '.join(_FORMS)}, or package.module:function")
    return tuple(dict.fromkeys(names))


def load_method(text: str, *, weights: str | Path | None, seed: int, gallery: np.ndarray | None = None) -> Method:
    """A method by its name.

    Args:
        text: one of ``method_names``, or one of their kinds with another parameter: ``a3gan:STRENGTH`` in (0, 1],
            ``a3gan:TASK`` of ``attributes.TASKS``, ``blur:SHARE`` of the face's width, ``pixelate:BLOCKS`` over it,
            ``ksame:K``; ``folder:PATH`` of photos that are anonymised already, under the same relative names; or
            ``package.module:function``, see ``peers.PeerFunction``.
        weights: of the model behind the names with a3gan and ``random-edit``, see ``weights.read_model``.
        seed: of all that is drawn, 0 <= seed < 2**32.
        gallery: for ``ksame``, see ``KSame``.

    Raises:
        ValueError: no such method (with the nearest name), a parameter that is none or out of its range, no folder or
            function of this name, or no gallery.
        FileNotFoundError: ``weights`` is no model.
    """
    kind, colon, value = text.partition(":")
    if text in ("identity", "blackbox"):
        return filters.identity() if text == "identity" else filters.black_box()
    if text in ("a3gan-no-scu", "random-edit"):
        return OpenGates(*read_weights(weights), random_edit=text == "random-edit", seed=seed)
    if text in _PLAIN or (kind == "a3gan" and colon):
        options = {"a3gan-unchecked": {"check": False}, "a3gan-no-ainet": {"check": False, "ainet": False}}
        asked = {"task": value} if value in TASKS else {"strength": _parameter(text, float)} if colon else {}
        model, words = read_weights(weights)
        return A3GAN(Anonymizer(model), words, seed=seed, **asked, **options.get(text, {}))
    if text in _SEVERAL:
        raise ValueError(f"{text} needs a parameter, such as {' or '.join(_SEVERAL[text])}")
    if kind == "blur":
        return filters.blur(_parameter(text, float))
    if kind == "pixelate":
        return filters.pixelate(_parameter(text, int))
    if kind == "ksame":
        k = _parameter(text, int)
        if gallery is None:
            raise ValueError(f"{text} needs a gallery: aligned faces of photos that are not evaluated")
        return KSame(gallery, k)
    if kind == "folder" and value:
        return Folder(value)
    if _FUNCTION.fullmatch(text):
        return Peer(text)
    raise ValueError(f"unknown method {_nearest(text)}")


def _parameter(text: str, kind: Callable[[str], float]) -> float:
    """The number behind the colon."""
    name, _, value = text.partition(":")
    try:
        return kind(value)
    except ValueError as error:
        noun = "a whole number" if kind is int else "a number"
        raise ValueError(f"{text} has {value!r} where {name} needs {noun}") from error


def _nearest(text: str) -> str:
    """The name with a hint at what may have been meant."""
    kinds = {form.partition(":")[0]: form for form in reversed(_FORMS)}
    if near := difflib.get_close_matches(text.partition(":")[0].lower(), kinds, n=1):
        return f"{text} (nearest: {kinds[near[0]]})"
    return f"{text} (there are: {', '.join(_FORMS)}, and package.module:function)"
