"""Outlines of tracks: of some frames as the mesh sees them, of the others on the way from one to the next."""

import numpy as np

from a3gan_jax import track_pseudonyms
from a3gan_jax.faces.tracking import TrackedFace
from a3gan_jax.track_pseudonyms import OUTLINE_EVERY, _outlines
from tests.faces.scenes import face

FRAMES = [np.full((200, 300, 3), number, np.uint8) for number in range(8)]


def test_outlines_move_from_one_sight_to_the_next(monkeypatch):
    """Track 1 is in all frames; 2 from the third on, and the mesh sees it last alone; 3 in one, and is never seen."""
    asked = []

    def seen(images, placements):
        """Moves in jumps, so that what lies between two sights is known."""
        found = []
        for image, placement in zip(images, placements, strict=True):
            frame, right = int(image[0, 0, 0]), placement.box[0] > 150
            asked.append((frame, right))
            value = (5 if frame == 7 else None) if right else frame**2
            found.append(None if value is None else np.full((29, 2), float(value)))
        return found

    monkeypatch.setattr(track_pseudonyms, "outlines", seen)
    first, second = face(80, 90, 60), face(220, 90, 60)
    faces = [[TrackedFace(1, first, 0)] + [TrackedFace(2, second, 0)] * (number >= 2) for number in range(8)]
    faces[4].insert(0, TrackedFace(3, second, 0))
    found = _outlines(FRAMES, faces)
    assert [len(part) for part in found] == [len(part) for part in faces]
    assert sorted(frame for frame, right in asked if not right) == [0, OUTLINE_EVERY, 7]
    assert sorted(frame for frame, right in asked if right) == [2, 4, 6, 7]
    middle = [part[-2 if number >= 2 else -1] for number, part in enumerate(found)]
    np.testing.assert_allclose([each[0, 0] for each in middle], [0, 4, 8, 12, 16, 27, 38, 49])
    assert all((part[-1] == 5).all() for part in found[2:])
    assert found[4][0] is None
