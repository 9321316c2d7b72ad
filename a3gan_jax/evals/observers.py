"""Observers and comparers by name. Each is imported when it is asked for: most need packages of their own."""

from collections.abc import Sequence

import numpy as np

from a3gan_jax.evals.dlib_recognizer import DlibAttacker
from a3gan_jax.evals.recognition import Attacker, TemplateAttacker
from a3gan_jax.evals.sights import Comparer, Observer
from a3gan_jax.faces.detector import Detection

OBSERVERS = ("fer", "mesh", "hog", "efficientnet")
COMPARERS = ("similarity", "perceptual")


class RecognizerObserver:
    """A recogniser's embedding of a face, as an ``Observer``."""

    def __init__(self, attacker: Attacker):
        self.name, self._attacker = attacker.name, attacker
        blank = np.zeros((112, 112, 3), np.uint8)
        self.size = self(blank, Detection(np.array([20.0, 20.0, 72.0, 82.0]), _POINTS, 1.0)).size

    def __call__(self, image: np.ndarray, face: Detection) -> np.ndarray:
        return self._attacker.embed(image[None], [face])[0]


_POINTS = np.array([[38.0, 52.0], [74.0, 52.0], [56.0, 72.0], [42.0, 92.0], [71.0, 92.0]])


def load_recognizers(names: Sequence[str]) -> list[Attacker]:
    """Attackers: "sface", "dlib", or the folder of a recogniser that tools/convert.py has written.

    Raises:
        ModuleNotFoundError: a package is not installed; the message says which, and how.
        ValueError: no such recogniser, or one without a published threshold.
    """
    return [DlibAttacker() if name == "dlib" else TemplateAttacker(name, batch_size=1) for name in names]


def load_observer(name: str) -> Observer:
    """One of ``OBSERVERS``.

    Raises:
        ModuleNotFoundError: a package is not installed; the message says which, and how.
        ValueError: no such observer.
    """
    if name == "fer":
        from a3gan_jax.evals.expression_observer import ExpressionObserver

        return ExpressionObserver()
    if name == "mesh":
        from a3gan_jax.evals.face_mesh import MeshObserver

        return MeshObserver()
    if name == "hog":
        from a3gan_jax.evals.second_detector import HogObserver

        return HogObserver()
    if name == "efficientnet":
        from a3gan_jax.evals.features import FeatureObserver

        return FeatureObserver()
    raise ValueError(f"unknown observer {name!r}: there are {', '.join(OBSERVERS)}")


def load_comparer(name: str) -> Comparer:
    """One of ``COMPARERS``; errors as for ``load_observer``."""
    if name == "similarity":
        from a3gan_jax.evals.similarity import Similarity

        return Similarity()
    if name == "perceptual":
        from a3gan_jax.evals.features import PerceptualDistance

        return PerceptualDistance()
    raise ValueError(f"unknown comparer {name!r}: there are {', '.join(COMPARERS)}")
