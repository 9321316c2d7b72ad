"""Choosing a pseudonym: of the seeds that a face may take, one that looks natural and unlike the original."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from a3gan_jax.faces import blending
from a3gan_jax.faces.identity import Embed, on_template
from a3gan_jax.faces.replacement import CANDIDATES, Face, Generate, by_person

TRIALS = 64  # faces that are made together: whole batches, in bounded memory

#: Crops (N, S, S, 3) uint8 -> (N,), the higher the more natural.
Judge = Callable[[np.ndarray], np.ndarray]


def choose(faces: Sequence[Face], generate: Generate, judge: Judge, embed: Embed) -> None:
    """Orders the candidates of the faces that are to be anonymised, which have embeddings.

    First come those that look natural to ``judge``, put back into their crops, and unlike the original to the
    recogniser. The faces of a person, whatever their own seeds, have one order.

    A generator makes better faces of some seeds than of others, and which they are differs from face to face (rejection
    by the discriminator, arXiv 1810.06758). By themselves the most natural are more like their originals than others;
    so both count alike, in standard deviations over the candidates (our own choice, by dlib on validation photos).
    """
    people = by_person(faces)
    tried = [face for some in people.values() for face in some]
    if not tried:
        return
    trials = [dataclasses.replace(face, seed=seed) for face in tried for seed in face.candidates]
    natural, alike = np.empty((2, len(trials)))
    for start in range(0, len(trials), TRIALS):
        part = slice(start, start + TRIALS)
        crops = np.stack([trial.crop for trial in trials[part]])
        images, _, _, finite = generate(crops, trials[part])
        shown = blending.on_crops(
            blending.match_colors(images, crops), crops, [trial.placement for trial in trials[part]]
        )
        templates = [
            on_template(crop, trial.placement.points * len(crop) - 0.5)
            for crop, trial in zip(shown, trials[part], strict=True)
        ]
        embeddings = embed(np.stack(templates))
        alike[part] = [trial.embedding @ found for trial, found in zip(trials[part], embeddings, strict=True)]
        natural[part] = np.where(finite & np.isfinite(alike[part]), judge(shown), np.nan)
    natural, alike = (scores.reshape(len(tried), CANDIDATES) for scores in (natural, alike))
    start = 0
    for some in people.values():
        part = slice(start, start + len(some))
        score = _standard(natural[part].mean(0)) - _standard(alike[part].mean(0))
        order = np.argsort(-score, kind="stable")  # what is no number comes last
        start += len(some)
        for face in some:
            face.candidates = tuple(face.candidates[number] for number in order)
            face.seed = face.candidates[0]


def _standard(values: np.ndarray) -> np.ndarray:
    """Values (N,) in standard deviations from their mean; what is no number has no part in either."""
    if not np.isfinite(values).any():
        return values
    away = values - np.nanmean(values)
    return away / (np.nanstd(values) or 1)
