"""Photos and sights made up for the tests of the tasks."""

import json
from collections.abc import Sequence
from typing import Any
from unittest import mock

import numpy as np

from a3gan_jax.evals import figures as figures_module
from a3gan_jax.evals.figures import Figure, Task
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.sights import Sights

LANDMARKS = np.array([[30.0, 40], [70, 40], [50, 60], [35, 80], [65, 80]])  # the eyes lie 40 pixels apart


def photos(count: int, **known: Any) -> LabelledPhotos:
    """``count`` photos that nobody may look at, with what is ``known`` of them."""
    files = tuple(f"{number}.jpg" for number in range(count))
    return LabelledPhotos(
        **{"name": "invented", "files": files, "load": _never, "identity": np.full(count, -1)} | known
    )


def _never(position: int) -> np.ndarray:
    raise AssertionError("a task does not look at photos")


def sights(count: int, found: Sequence[bool] | None = None, box: Any = None, landmarks: Any = None, **values: Any):
    """Sights of ``count`` photos, by default all found at the same place."""
    return Sights(
        found=np.ones(count, bool) if found is None else np.array(found, bool),
        box=np.tile([20.0, 20, 60, 80], (count, 1)) if box is None else np.array(box, np.float64),
        landmarks=np.tile(LANDMARKS, (count, 1, 1)) if landmarks is None else np.array(landmarks),
        score=np.ones(count),
        values={name: np.array(rows, np.float32) for name, rows in values.items()},
    )


def judge(task: Task, known: LabelledPhotos, before: Sights, after: Sights) -> tuple[dict, dict[str, Figure]]:
    """The evidence, after a journey through strict JSON, and the figures by name, each there once."""
    evidence = json.loads(json.dumps(task.measure(known, before, after), allow_nan=False))
    with mock.patch.object(figures_module, "RESAMPLES", 50):  # the intervals are tested elsewhere
        figures = list(task.figures(evidence))
    by_name = {figure.name: figure for figure in figures}
    assert len(by_name) == len(figures)
    return evidence, by_name
