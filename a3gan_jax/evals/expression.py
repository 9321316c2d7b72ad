"""Does the face still show what it showed? The expression before and after, smiles, and open mouths.

The network is small and often wrong about posed or rare expressions: that it says the same before and after is worth
more than how often it is right. A face that is not found, or of which an observer says nothing, disagrees.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from a3gan_jax.evals.evidence import clusters, faces_found, numbers, plain
from a3gan_jax.evals.face_mesh import COLUMNS as MESH_COLUMNS
from a3gan_jax.evals.figures import Evidence, Figure, mean, share
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.sights import Sights
from a3gan_jax.models.fer import EXPRESSIONS

FER, MESH = "fer", "mesh"
LABEL = "expression"  # the column

#: Words of the data sets, in lower case -> the network's. LFW's labels and RAF-DB (Li et al. 2017) have nouns, CK+
#: (Lucey et al. 2010) mixes; the rest are usual in folders. Numbers are not read: 1 is surprise in RAF-DB and anger in
#: CK+. The network knows no contempt, and no compound expressions as RAF-DB's second part has.
WORDS = {
    **{word: "angry" for word in ("angry", "anger")},
    **{word: "disgust" for word in ("disgust", "disgusted")},
    **{word: "fear" for word in ("fear", "fearful", "afraid")},
    **{word: "happy" for word in ("happy", "happiness", "joy", "smile", "smiling")},
    **{word: "sad" for word in ("sad", "sadness")},
    **{word: "surprise" for word in ("surprise", "surprised")},
    "neutral": "neutral",
    "contempt": None,
}
#: CelebA's attributes that say what two of the questions ask.
SMILING, MOUTH_OPEN = "Smiling", "Mouth_Slightly_Open"
OPEN = 0.1  # of the mouth's opening ratio, from which it counts as open: our own choice


class Expression:
    """The task. ``fer`` (N, 7): probabilities of ``EXPRESSIONS``; ``mesh`` (N, D): the columns of ``face_mesh``."""

    name = "expression"
    needs = (FER, MESH)

    def measure(self, photos: LabelledPhotos, before: Sights, after: Sights) -> Evidence:
        """Probabilities, mouths and labels, photo by photo.

        Raises:
            ValueError: neither observer is there, or the column ``expression`` has words that nobody has explained.
        """
        if not {FER, MESH} & before.values.keys():
            raise ValueError("expression needs what the observer fer or mesh says: install one of them")
        labels = expression_labels(photos.labels.get(LABEL, ()))
        unsayable = sum(label is None for label in labels)
        named = dict(zip(photos.attribute_names, photos.attributes.T, strict=True))
        evidence = {
            "files": list(photos.files),
            "cluster": clusters(photos).tolist(),
            "found": faces_found(before, after).tolist(),
            "label": [label or "" for label in labels],
            "attributes": {name: named[name].tolist() for name in (SMILING, MOUTH_OPEN) if name in named},
            "not_run": [],
        }
        if FER in before.values:
            evidence[FER] = {"before": plain(before.values[FER]), "after": plain(after.values[FER])}
        else:
            evidence["not_run"].append([FER, "there is no observer fer: neither expressions nor smiles were compared"])
        if MESH in before.values:
            column = MESH_COLUMNS.index("mouth")
            evidence["mouth"] = {
                "before": plain(before.values[MESH][:, column]),
                "after": plain(after.values[MESH][:, column]),
            }
        else:
            evidence["not_run"].append([MESH, "there is no observer mesh: open mouths were not compared"])
        if not any(labels):
            evidence["not_run"].append(["accuracy", f"{photos.name} has no labels in a column {LABEL}"])
        if unsayable:
            evidence["not_run"].append([f"accuracy on {unsayable} photos", "the network does not know contempt"])
        return evidence

    def figures(self, evidence: Evidence) -> Iterator[Figure]:
        found, groups = np.array(evidence["found"], bool), np.array(evidence["cluster"], int)
        if FER in evidence:
            before, after = (numbers(evidence[FER][when], len(EXPRESSIONS)) for when in ("before", "after"))
            yield from _expressions(before, after, found, groups)
            seen, happy = (classes(before), classes(after)), EXPRESSIONS.index("happy")
            label = np.array([EXPRESSIONS.index(name) if name else -1 for name in evidence["label"]], int)
            if (label >= 0).any():
                yield from _right(f"{FER}/accuracy", *(said == label for said in seen), found, label >= 0)
            smiles = tuple(np.where(said < 0, np.nan, said == happy) for said in seen)
            yield from _states("smile", *smiles, found, evidence["attributes"].get(SMILING))
        if "mouth" in evidence:
            ratios = tuple(numbers(evidence["mouth"][when]) for when in ("before", "after"))
            states = tuple(np.where(np.isnan(ratio), np.nan, ratio >= OPEN) for ratio in ratios)
            yield from _states("mouth open", *states, found, evidence["attributes"].get(MOUTH_OPEN))
            change, usable = np.abs(ratios[1] - ratios[0]), found & np.isfinite(ratios[0] + ratios[1])
            yield mean("mouth open/difference of the ratio/found only", change[usable], groups[usable])


def expression_labels(texts: Sequence[str]) -> list[str | None]:
    """The network's word for each text, "" where there is none, None for an expression that it does not know.

    Raises:
        ValueError: naming the texts that are no word of ``WORDS``.
    """
    if unknown := sorted({text for text in texts if text and text.lower() not in WORDS}):
        raise ValueError(
            f"the column {LABEL} has {', '.join(unknown[:10])}; write one of {', '.join(WORDS)}, or leave it empty"
        )
    return [WORDS[text.lower()] if text else "" for text in texts]


def classes(probabilities: np.ndarray) -> np.ndarray:
    """(N, C) -> the most likely class (N,) int; -1 where there are no probabilities."""
    return np.where(np.isnan(probabilities).any(1), -1, np.nan_to_num(probabilities).argmax(1))


def _expressions(before: np.ndarray, after: np.ndarray, found: np.ndarray, groups: np.ndarray) -> Iterator[Figure]:
    """Agreement of the most likely expression, and half the sum of the probabilities' differences: 0 equal, 1 apart."""
    usable = found & np.isfinite(before + after).all(1)
    agrees = usable & (classes(before) == classes(after))
    apart = np.where(usable, np.abs(after - before).sum(1) / 2, 1.0)
    for end, rows in (("", slice(None)), ("/found only", usable)):
        yield share(f"{FER}/agreement{end}", agrees[rows])
        yield mean(f"{FER}/total variation{end}", apart[rows], groups[rows])


def _right(name: str, before: np.ndarray, after: np.ndarray, found: np.ndarray, known: np.ndarray) -> Iterator[Figure]:
    """How often both are right (N,) bool on the ``known`` faces; the original is judged whether or not it is found."""
    yield share(f"{name}/before", before[known])
    yield share(f"{name}/after", (after & found)[known])
    yield share(f"{name}/before/found only", before[known & found])
    yield share(f"{name}/after/found only", after[known & found])


def _states(
    name: str, before: np.ndarray, after: np.ndarray, found: np.ndarray, truth: Sequence[int] | None
) -> Iterator[Figure]:
    """Of a state (N,) in {0, 1, nan}: the share of faces that keep it, and of those for which it is the true one."""
    usable = found & np.isfinite(before + after)
    agrees = usable & (before == after)
    yield share(f"{name}/agreement", agrees)
    yield share(f"{name}/agreement/found only", agrees[usable])
    if truth is not None:
        true = np.array(truth)
        yield from _right(f"{name}/accuracy", before == true, after == true, found, np.ones_like(found))
