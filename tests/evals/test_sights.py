"""Looking at photos: which face matters, where one looks when it is gone, and what a failure leaves."""

import numpy as np
import pytest

from a3gan_jax.evals.sights import again, central, join, look
from a3gan_jax.faces.detector import Detection

PHOTO = np.full((100, 200, 3), 90, np.uint8)


def face(left: float, top: float, side: float = 40.0, score: float = 0.9) -> Detection:
    return Detection(np.array([left, top, side, side]), np.full((5, 2), left + side / 2), score)


class Where:
    """An observer that says where it was sent."""

    name, size = "where", 2

    def __call__(self, image, seen):
        return np.float32(seen.box[:2])


class Difference:
    """A comparer that says how far a photo has changed, and whether the face was found again."""

    name, size = "difference", 2

    def __call__(self, original, result, before, after):
        return np.float32([np.abs(original.astype(int) - result).mean(), after is not None])


def test_the_central_face_matters_not_the_largest():
    assert central([face(0, 0, 90), face(85, 35)], 100, 200).box[0] == 85
    assert central([], 100, 200) is None


def test_a_face_elsewhere_is_not_the_face_found_again():
    assert again([face(0, 0), face(82, 33)], face(80, 30)).box[0] == 82
    assert again([face(0, 0)], face(80, 30)) is None


def test_where_the_face_is_lost_one_looks_where_it_was():
    seen = {90: [face(80, 30)], 91: [], 92: [face(84, 30)]}
    result = look(
        [PHOTO, PHOTO],
        [PHOTO + 1, PHOTO + 2],
        lambda image: seen[int(image[0, 0, 0])],
        [Where()],
        [Difference()],
    )
    assert result.found.tolist() == [False, True]
    assert result.values["where"].tolist() == [[80, 30], [84, 30]]
    assert result.values["difference"].tolist() == [[1, 0], [2, 1]]


def test_originals_alone_are_not_compared():
    result = look([PHOTO], None, lambda image: [face(80, 30)], [Where()], [Difference()])
    assert result.values.keys() == {"where"} and result.found.all()


def test_a_photo_without_a_face_is_looked_at_in_the_middle():
    result = look([PHOTO], None, lambda image: [], [Where()])
    assert not result.found[0]
    left, top, width, height = result.box[0]
    assert left + width / 2 == pytest.approx(100) and top + height / 2 == pytest.approx(50)
    assert (result.landmarks[0] > result.box[0, :2]).all()


def test_a_failure_leaves_nan_and_its_place():
    result = look([PHOTO, None, PHOTO], [PHOTO, None, None], lambda image: [face(80, 30)], [Where()], [Difference()])
    assert result.found.tolist() == [True, False, False]
    assert np.isnan(result.values["where"][1:]).all() and np.isnan(result.values["difference"][1:]).all()


def test_a_result_of_another_size_is_an_error():
    with pytest.raises(ValueError, match="another|shape"):
        look([PHOTO], [PHOTO[:50]], lambda image: [face(80, 30)], [Where()])


def test_parts_join_in_order():
    one = look([PHOTO], None, lambda image: [face(80, 30)], [Where()])
    other = look([PHOTO, PHOTO], None, lambda image: [face(70, 20)], [Where()])
    whole = join([one, other])
    assert whole.values["where"].tolist() == [[80, 30], [70, 20], [70, 20]] and whole.box.shape == (3, 4)
