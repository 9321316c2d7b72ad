"""A3GAN as it is used, and what is left of it without one of its parts.

Two parts can be taken from trained weights; the rest of the network is as it was trained, with the part:

* ``a3gan-no-scu``: every suppression gate is forced to 0, so the encoder's features reach the decoder whole (see
  ``open_gates``).
* ``a3gan-no-ainet``: the pseudonym's attributes are the original's, as if the user kept them all.

Two are losses, and take weights of a training without them, here as ``a3gan`` with ``weights`` of their own:

* no anonymization loss: ``python -m experiments.train --config.loss.anonymization=0 ...``
* no identity loss: ``python -m experiments.train --config.loss.identity=0 --config.loss.identity_critic=0 ...``

``a3gan:expression`` and its like are the whole again, where a user keeps what a task needs (``attributes.TASKS``).

Ablations run without the recogniser's check, which would cover what a part lets through, and without the choice among
seeds. ``a3gan-unchecked`` is the whole network to compare them with.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from a3gan_jax.anonymizer import AnonymizedPhoto, Anonymizer
from a3gan_jax.attributes import control
from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.faces.detector import Detection
from a3gan_jax.weights import read_model


class A3GAN:
    """The product on photos; an ``AttributeMethod``.

    Each face is a person of its own, told from the others by its pixels.
    """

    def __init__(
        self,
        anonymizer: Anonymizer,
        weights: str,
        *,
        seed: int = 0,
        strength: float = 1.0,
        task: str = "none",
        check: bool = True,
        ainet: bool = True,
    ):
        """
        Args:
            anonymizer: the model; its detector is asked by the check alone.
            weights: words for the report, see ``read_weights``.
            seed: 0 <= seed < 2**32.
            strength: in (0, 1]; below 1 there is no check.
            task: whose attributes stay, a key of ``attributes.TASKS``.
            check: as in ``Anonymizer.anonymize_photos``.
            ainet: whether AINet may choose attributes; all stay if not.

        Raises:
            ValueError: a strength out of its range.
        """
        if not 0 < strength <= 1:
            raise ValueError(f"a3gan needs a strength in (0, 1], not {strength:g}")
        check = check and strength == 1
        ablation = "-no-ainet" if not ainet else "" if check or strength < 1 else "-unchecked"
        dial = f":{strength:g}" if strength < 1 else ""
        self.name = f"a3gan{ablation}{dial}" + (f":{task}" if task != "none" else "")
        names = anonymizer.model.attribute_names
        wanted = control(names, **({"task": task} if ainet else {"change": ()}), in_photo=True)
        kept = ", ".join(np.array(names)[(wanted.change == 0) & ~wanted.forced]) if ainet else "all attributes"
        taken = ", ".join(np.array(names)[wanted.forced])
        parts = [f"A3GAN{'' if ainet else ' without AINet'}", weights, f"strength {strength:g}, seed {seed}"]
        parts += [f"kept: {kept}"] if kept else []
        parts += [f"taken off: {taken}"] if taken else []
        parts += [] if ablation else ["of several seeds one that looks natural and unlike the original"]
        self.description = ", ".join([*parts, "checked by a recogniser" if check else "unchecked"])
        self._anonymizer = anonymizer
        self._options = dict(seed=seed, strength=strength, choose=not ablation, check=check, control=wanted)

    def __call__(
        self, images: Sequence[np.ndarray], faces: Sequence[Sequence[Detection]], files: Sequence[str]
    ) -> list[np.ndarray]:
        return [photo.image for photo in self.edit(images, faces, files)]

    def edit(
        self, images: Sequence[np.ndarray], faces: Sequence[Sequence[Detection]], files: Sequence[str]
    ) -> list[AnonymizedPhoto]:
        return self._anonymizer.anonymize_photos(images, detections=faces, **self._options)


def read_weights(weights: str | Path | None) -> tuple[SavedModel, str]:
    """A model, as ``weights.read_model`` finds it, and words for the report that tell its weights from any others.

    Raises:
        FileNotFoundError, ValueError: as ``read_model``.
    """
    model = read_model(weights)
    name = "of the package" if weights is None else Path(weights).absolute().name
    content = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(model.variables):
        content.update(jax.tree_util.keystr(path).encode() + np.ascontiguousarray(leaf).tobytes())
    words = f"weights {name} (step {model.step}, {model.config.image_size} px, sha256 {content.hexdigest()[:8]})"
    return model, words
