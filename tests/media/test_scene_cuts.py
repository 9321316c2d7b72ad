"""Cuts between pictures of random blocks, and what only looks like one."""

import numpy as np
import pytest

from a3gan_jax.media.scene_cuts import is_cut


def scene(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (6, 8)).repeat(4, 0).repeat(4, 1)


def test_another_scene_is_a_cut():
    assert is_cut(scene(0), [scene(1)] * 3)


@pytest.mark.parametrize(
    "following",
    [
        [scene(0)] * 3,
        [scene(0) // 3 + 10] * 3,  # the light goes out
        [np.roll(scene(0), 3 * turn, axis=1) for turn in (1, 2, 3)],  # the camera turns
        [np.full((24, 32), 255), scene(0), scene(0)],  # a flash
        [scene(1), scene(0), scene(0)],  # one frame of something else
        [np.full((24, 32), 0)] * 3,  # nothing to be seen
    ],
    ids=["same", "light", "turn", "flash", "frame", "black"],
)
def test_what_is_no_cut(following):
    assert not is_cut(scene(0), following)
