"""The seed attack: an attacker who knows the weights anonymises under many seeds and averages what a recogniser says.

What all pseudonyms of one face have in common is what the seed does not decide: a trace of the original. The average is
then looked for as one photo is (``identification``).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from a3gan_jax.evals.sights import Sights


def averaged(sights: Sequence[Sights], names: Sequence[str]) -> Sights:
    """The sights of the same N photos under several seeds as those of one photo each.

    Embeddings of ``names`` are averaged over the seeds under which the recogniser gave one; where they have unit
    length under each seed, so has the average. A face counts as found if it was under any seed.
    """
    values = {}
    for name in names:
        stack = np.stack([sight.values[name] for sight in sights])  # (seeds, N, D)
        known = np.isfinite(stack).all(-1, keepdims=True)
        total = np.where(known, stack, 0.0).sum(0)
        count = known.sum(0)
        average = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        length = np.linalg.norm(stack, axis=-1)
        if np.allclose(length[known[..., 0]], 1.0, atol=1e-3):
            average = average / np.linalg.norm(average, axis=-1, keepdims=True)
        values[name] = average.astype(np.float32)
    found = np.any([sight.found for sight in sights], axis=0)
    return dataclasses.replace(sights[0], found=found, values=values)
