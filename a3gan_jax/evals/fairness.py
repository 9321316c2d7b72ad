"""Are some people protected worse than others, or left with less? Every headline by gender, age and race."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from a3gan_jax.evals.evidence import clusters, faces_found, numbers, plain
from a3gan_jax.evals.expression import FER, classes
from a3gan_jax.evals.figures import RESAMPLES, Evidence, Figure, bootstrap, mean, share
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.recognition import Attacker, similarities
from a3gan_jax.evals.sights import Sights
from a3gan_jax.evals.similarity import COLUMNS

SIMILARITY, STRUCTURE = "similarity", "ssim inside"
LABELS = ("gender", "age", "race")  # columns
LEAST = 30  # cases of a group that counts in a gap; our own choice


class Fairness:
    """The task: faces found, faces that a recogniser takes for their own original (at its published threshold),
    expressions that stay (``fer``), and structure inside the face (``similarity``), by groups of people.

    Args:
        recognizers: the attackers.
    """

    name = "fairness"

    def __init__(self, recognizers: Sequence[Attacker]):
        self._recognizers = tuple(recognizers)
        self.needs = (*(recognizer.name for recognizer in recognizers), FER, SIMILARITY)

    def measure(self, photos: LabelledPhotos, before: Sights, after: Sights) -> Evidence:
        """Groups and values, photo by photo; None for a value that is not known.

        Raises:
            ValueError: the photos have none of the labels.
        """
        groups = {name: [text.strip() for text in photos.labels[name]] for name in LABELS if name in photos.labels}
        if not any(map(any, groups.values())):
            raise ValueError(f"{photos.name} has no labels in columns {', '.join(LABELS)}: fairness needs one of them")
        not_run = [[name, f"{photos.name} has no column {name}"] for name in LABELS if name not in groups]
        for name, texts in groups.items():
            small = [value for value in sorted({*texts} - {""}) if texts.count(value) < LEAST]
            not_run += [[f"{name} {value}", f"it counts in no gap: fewer than {LEAST} photos"] for value in small]
        values: dict[str, tuple[np.ndarray, float]] = {"found": (after.found.astype(float), 0.0)}
        for attacker in self._recognizers:
            if attacker.name in before.values:
                accepted = _accepted(attacker, before.values[attacker.name], after.values[attacker.name])
                values[f"{attacker.name}/accepted"] = accepted, 1.0
            else:
                not_run.append([attacker.name, f"there is no observer {attacker.name}"])
        if FER in before.values:
            said = [classes(sights.values[FER]) for sights in (before, after)]
            agrees = np.where(np.minimum(*said) < 0, np.nan, said[0] == said[1])
            values[f"{FER}/agreement"] = agrees, 0.0
        else:
            not_run.append([FER, "there is no observer fer"])
        if SIMILARITY in after.values:
            values[STRUCTURE] = after.values[SIMILARITY][:, COLUMNS.index(STRUCTURE)], 0.0
        else:
            not_run.append([SIMILARITY, "there is no comparer similarity"])
        return {
            "files": list(photos.files),
            "cluster": clusters(photos).tolist(),
            "found": faces_found(before, after).tolist(),
            "groups": groups,
            "measures": {
                name: {"values": plain(v), "worst": worst, "yes or no": name != STRUCTURE}
                for name, (v, worst) in values.items()
            },
            "not_run": not_run,
        }

    def figures(self, evidence: Evidence) -> Iterator[Figure]:
        """Each measure over all and by group, and the largest gap between two groups of ``LEAST`` cases at least.

        A face that is lost counts as the worst: not found, recognised, another expression, no structure. Also groups
        that are treated alike have a gap, by chance: "gap by chance" is the one that only one in twenty random
        divisions into groups of these sizes exceeds. The interval of a gap errs upwards for the same reason.
        """
        found, cluster = np.array(evidence["found"], bool), np.array(evidence["cluster"], int)
        for name, measure in evidence["measures"].items():
            values, average = numbers(measure["values"]), _share if measure["yes or no"] else _mean
            # A mean of structure has a value wherever there is a result; an expression is one of a face that is found.
            lost = np.isnan(values) | (~found if name == f"{FER}/agreement" else False)
            parts = {"": np.where(lost, measure["worst"], values)}
            if name != "found":
                parts["/found only"] = np.where(lost | ~found, np.nan, values)
            for end, cases in parts.items():
                yield average(f"{name}/all{end}", cases, cluster)
                for column, texts in evidence["groups"].items():
                    yield from _by_group(f"{name}/{column}", end, cases, np.array(texts), cluster, average)


def _accepted(attacker: Attacker, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(N,) in {0, 1}: the result passes for its own original; nan where one of them could not be embedded."""
    rows = range(len(before))
    alike = np.array([similarities(attacker, before[i : i + 1], after[i : i + 1])[0, 0] for i in rows])
    return np.where(np.isnan(before).any(1) | np.isnan(after).any(1), np.nan, alike >= attacker.threshold)


def _share(name: str, values: np.ndarray, cluster: np.ndarray) -> Figure:
    """Of ones among zeros, without nan."""
    return share(name, values[np.isfinite(values)] == 1)


def _mean(name: str, values: np.ndarray, cluster: np.ndarray) -> Figure:
    """Without nan."""
    there = np.isfinite(values)
    return mean(name, values[there], cluster[there])


def _by_group(
    name: str,
    end: str,
    values: np.ndarray,
    texts: np.ndarray,
    cluster: np.ndarray,
    average: Callable[[str, np.ndarray, np.ndarray], Figure],
) -> Iterator[Figure]:
    """``average`` of the ``values`` (N,) of each group, nan left out, and the gap between those that are large."""
    there = np.isfinite(values)
    large = []
    for text in sorted({*texts} - {""}):
        rows = texts == text
        yield average(f"{name}/{text.lower().replace('/', ' or ')}{end}", np.where(rows, values, np.nan), cluster)
        if (rows & there).sum() >= LEAST:
            large.append(text)
    if len(large) < 2:
        return
    rows = there & np.isin(texts, large)
    values, cluster, codes = values[rows], cluster[rows], np.searchsorted(large, texts[rows])

    def gap(codes: np.ndarray, values: np.ndarray) -> float:
        counts = np.bincount(codes, minlength=len(large))
        means = np.bincount(codes, values, len(large))[counts > 0] / counts[counts > 0]
        return float(means.max() - means.min())

    yield bootstrap(f"{name}/largest gap{end}", lambda cases: gap(codes[cases], values[cases]), len(values), cluster)
    random = np.random.default_rng(0)
    chance = np.quantile([gap(random.permutation(codes), values) for _ in range(RESAMPLES)], 0.95)
    yield Figure(f"{name}/gap by chance{end}", float(chance), len(values))
