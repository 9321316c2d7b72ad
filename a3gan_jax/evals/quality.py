"""How much of a photo is left, how natural are the faces, where do they look, and which attributes stay?

What is bounded is told of all faces, a lost one as the worst. Differences of landmarks and of the pose have no worst;
over all faces they are told as the share that stays within a bound.
"""

from collections.abc import Iterator

import numpy as np

from a3gan_jax.evals.attribute_agreement import attribute_evidence, attribute_figures
from a3gan_jax.evals.attribute_probe import AttributeProbe
from a3gan_jax.evals.evidence import clusters, faces_found, numbers, plain
from a3gan_jax.evals.face_mesh import COLUMNS as MESH_COLUMNS
from a3gan_jax.evals.figures import Evidence, Figure, mean, share
from a3gan_jax.evals.frechet import BLOCKS, LEAST, frechet_figures, frechet_parts
from a3gan_jax.evals.group_folds import group_folds
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.sights import Sights
from a3gan_jax.evals.similarity import COLUMNS

SIMILARITY, PERCEPTUAL, MESH, FEATURES = "similarity", "perceptual", "mesh", "efficientnet"
ANGLES = ("yaw", "pitch", "roll")
LANDMARKS_WITHIN = 0.1  # of the distance between the eyes, a usual bound of failure (Sagonas et al., 300-W, 2013)
POSE_WITHIN = 10.0  # degrees, of each angle; our own choice


class Quality:
    """The task. ``similarity`` (N, 4): ``COLUMNS``; ``perceptual`` (N, 1): a distance, 0 of equal photos; ``mesh``
    (N, D): the columns of ``face_mesh``; ``efficientnet`` (N, D): features of the face.

    Args:
        probe: tells attributes from the features, learned on other people's originals, all attributes of the photos in
            their order. None: it is learned on the originals of the same data set, for each part on that of others.
    """

    name = "quality"
    needs = (SIMILARITY, PERCEPTUAL, MESH, FEATURES)

    def __init__(self, probe: AttributeProbe | None = None):
        self._probe = probe

    def measure(self, photos: LabelledPhotos, before: Sights, after: Sights) -> Evidence:
        """Similarities, distances and angles photo by photo, features as sums, attributes seen before and after."""
        found, cluster = faces_found(before, after), clusters(photos)
        not_run: list[list[str]] = []
        evidence = {
            "files": list(photos.files),
            "cluster": cluster.tolist(),
            "found": found.tolist(),
            "nme": plain(np.where(found, landmark_error(before.landmarks, after.landmarks), np.nan)),
            "not_run": not_run,
        }
        for name in (SIMILARITY, PERCEPTUAL):
            if name in after.values:
                evidence[name] = plain(after.values[name])
            else:
                not_run.append([name, f"there is no comparer {name}"])
        if MESH in before.values:
            columns = [MESH_COLUMNS.index(angle) for angle in ANGLES]
            turned = after.values[MESH][:, columns] - before.values[MESH][:, columns]
            evidence["turned"] = plain((turned + 180.0) % 360.0 - 180.0)
        else:
            not_run.append(["pose", "there is no observer mesh"])
        if FEATURES not in before.values:
            not_run.append(["frechet distance and attributes", "there is no observer efficientnet"])
            return evidence
        features = [sights.values[FEATURES] for sights in (before, after)]
        usable = np.isfinite(np.concatenate(features, axis=1)).all(1)
        if not usable.all():
            not_run.append([f"frechet distance on {(~usable).sum()} photos", "there are no features of them"])
        if usable.sum() < LEAST or len(np.unique(cluster)) < 2:
            not_run.append(["frechet distance", f"it needs {LEAST} faces of several people, there are {usable.sum()}"])
        else:
            blocks = group_folds(cluster[usable], BLOCKS)
            evidence["frechet"] = frechet_parts(*(f[usable] for f in features), found[usable], blocks)
        evidence["attributes"] = attribute_evidence(photos, *features, cluster, self._probe, after.asked, not_run)
        return evidence

    def figures(self, evidence: Evidence) -> Iterator[Figure]:
        found, cluster = np.array(evidence["found"], bool), np.array(evidence["cluster"], int)
        if SIMILARITY in evidence:
            yield from _similarities(numbers(evidence[SIMILARITY], len(COLUMNS)), found, cluster)
        if PERCEPTUAL in evidence:
            yield from _distances("perceptual distance", numbers(evidence[PERCEPTUAL], 1)[:, 0], found, cluster)
        error = numbers(evidence["nme"])
        usable = np.isfinite(error)
        yield mean("landmarks/nme/found only", error[usable], cluster[usable])
        yield share(f"landmarks/within {LANDMARKS_WITHIN:g}", error < LANDMARKS_WITHIN)
        yield share(f"landmarks/within {LANDMARKS_WITHIN:g}/found only", error[usable] < LANDMARKS_WITHIN)
        if "turned" in evidence:
            yield from _pose(np.abs(numbers(evidence["turned"], len(ANGLES))), found, cluster)
        if "frechet" in evidence:
            yield from frechet_figures(evidence["frechet"])
        if evidence.get("attributes"):
            yield from attribute_figures(evidence["attributes"], found, cluster)


def landmark_error(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Mean distance (N,) of five points (N, 5, 2), in distances between the eyes of the first."""
    eyes = np.linalg.norm(before[:, 1] - before[:, 0], axis=1)
    return np.linalg.norm(after - before, axis=2).mean(1) / eyes


def _similarities(values: np.ndarray, found: np.ndarray, cluster: np.ndarray) -> Iterator[Figure]:
    """Without a result all are 0. In a photo that the face fills there is no outside, which is no failure."""
    values = np.where(np.isnan(values).all(1, keepdims=True), 0.0, values)
    for column, name in enumerate(COLUMNS):
        there = np.isfinite(values[:, column])
        for end, rows in (("", there), ("/found only", there & found)):
            yield mean(f"{name}{end}", values[rows, column], cluster[rows])


def _distances(name: str, values: np.ndarray, found: np.ndarray, cluster: np.ndarray) -> Iterator[Figure]:
    """Where there is none the largest that was seen stands for it."""
    usable = np.isfinite(values)
    worst = values[usable].max() if usable.any() else np.nan
    yield mean(name, np.where(usable, values, worst), cluster)
    yield mean(f"{name}/found only", values[usable & found], cluster[usable & found])


def _pose(turned: np.ndarray, found: np.ndarray, cluster: np.ndarray) -> Iterator[Figure]:
    """Of degrees (N, 3) >= 0."""
    usable = found & np.isfinite(turned).all(1)
    for column, angle in enumerate(ANGLES):
        yield mean(f"pose/{angle} difference/found only", turned[usable, column], cluster[usable])
    stays = usable & (turned < POSE_WITHIN).all(1)
    yield share(f"pose/within {POSE_WITHIN:g} degrees", stays)
    yield share(f"pose/within {POSE_WITHIN:g} degrees/found only", stays[usable])
