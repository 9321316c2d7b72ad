"""The way of faces through photos, with a network and a recogniser that are drawn by hand."""

import numpy as np
import pytest

from a3gan_jax.faces import replacement
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.mask import CORE, END
from a3gan_jax.faces.placement import place
from a3gan_jax.faces.replacement import (
    CANDIDATES,
    Face,
    compose,
    locate,
    replace,
    restrict,
    select,
)
from tests.faces.fakes import SIZE, Eye, Painter, never, on_the_way
from tests.faces.scenes import ellipse, face, photo


def test_all_faces_of_all_photos_go_through_the_network_together(dark):
    painter = Painter()
    images = [dark, photo(100, 100), dark[:150]]
    faces = on_the_way(images, *(Face(i, face(x, 90, 60), seed=x) for i, x in ((0, 80), (0, 200), (2, 110))))
    results = replace(images, faces, painter, None)
    assert painter.calls == [[80, 200, 110]]
    np.testing.assert_array_equal(results[1], images[1])
    for f in faces:
        assert f.outcome == "anonymised" and f.cosine is None
        middle = results[f.photo][85:95, int(f.seed) - 5 : int(f.seed) + 5]
        assert len(np.unique(middle)) == 1 and (middle > 40 - 30).all()
    assert not dark.any(), "the input was changed"


def test_outside_the_masks_photos_are_bit_identical():
    image = photo(300, 400)
    faces = on_the_way([image], Face(0, face(120, 140, 110, 0.4), 1), Face(0, face(300, 200, 60), 2))
    (result,) = replace([image], faces, Painter(), None)
    outside = np.all([~ellipse(image.shape, f.placement, *END) for f in faces], axis=0)
    np.testing.assert_array_equal(result[outside], image[outside])
    for f in faces:
        core = ellipse(image.shape, f.placement, *CORE)
        assert (result[core] != image[core]).any(-1).mean() > 0.95


def test_a_pseudonym_that_is_recognised_gives_way_to_the_next_seed(dark):
    """Both faces are checked; only the one that fails is made again."""
    eye = Eye(lambda value: value < 60)  # the colour of seed 10, and black
    faces = on_the_way([dark], Face(0, face(80, 90, 60), 10), Face(0, face(200, 90, 60), 100), embed=eye)
    painter = Painter()
    (result,) = replace([dark], faces, painter, eye)
    assert painter.calls == [[10, 100], [(10 + replacement.NEXT_SEED) % 2**32]]
    assert [f.outcome for f in faces] == ["anonymised"] * 2
    assert [f.cosine for f in faces] == [0.0, 0.0]
    assert (result[90, 80] >= 60).all()


def test_a_face_that_is_always_recognised_is_covered(dark):
    eye = Eye(lambda value: True)
    image = photo(200, 300)
    faces = on_the_way([image], Face(0, face(80, 90, 80), 10), embed=eye)
    painter = Painter()
    (result,) = replace([image], faces, painter, eye)
    assert len(painter.calls) == CANDIDATES and len({seed for (seed,) in painter.calls}) == CANDIDATES
    assert (faces[0].outcome, faces[0].cosine) == ("covered", 1.0)
    assert faces[0].reason == "the recogniser still finds the original (cosine 1.00)"
    left, top, width, height = faces[0].detection.box.astype(int)
    assert (result[top : top + height, left : left + width] % 32 == 16).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_recogniser_that_breaks_is_no_proof(dark, value):
    faces = on_the_way([dark], Face(0, face(80, 90, 60), 10), embed=lambda faces: np.full((len(faces), 2), value))
    replace([dark], faces, Painter(), lambda faces: np.ones((len(faces), 2)))
    assert faces[0].outcome == "covered"


def test_a_match_by_the_points_of_a_face_found_anew_counts(dark):
    """The recogniser knows nobody in templates cut by the original's points, and the original in any other."""
    means = []

    class Watching(Eye):
        def __call__(self, templates):
            means.extend(templates[:, 40:70, 40:70].mean((1, 2, 3)))
            return super().__call__(templates)

    def outcome(detect, eye):
        faces = on_the_way([dark], Face(0, face(80, 90, 60), 10), embed=eye)
        replace([dark], faces, Painter(), eye, detect)
        return faces[0].outcome

    assert outcome(None, Watching(never)) == "anonymised"
    usual = means[-1]
    careful = Eye(lambda value: value < 1 or abs(value - usual) > 1)
    assert outcome(None, careful) == outcome(lambda image: [], careful) == "anonymised"
    assert outcome(lambda image: [face(80, 90, 60)], careful) == "anonymised"
    assert outcome(lambda image: [face(94, 90, 60)], careful) == "covered"
    assert outcome(lambda image: [face(220, 90, 60)], careful) == "anonymised"  # somebody else
    lost = Detection(face(80, 90, 60).box, np.full((5, 2), np.nan), 0.9)
    assert outcome(lambda image: [lost], careful) == "anonymised"


def test_one_person_has_one_seed_even_where_it_is_the_lesser_evil(dark):
    """Person 7 is in both photos. With seed 10 one face fails, with all others both do."""
    images = [dark, photo(200, 300)]

    class Half(Eye):
        def __call__(self, templates):
            return np.array([[0.0, 1] if 45 < t[40:70, 40:70].mean() < 55 else [1.0, 0] for t in templates])

    eye = Half(None)
    faces = on_the_way(
        images, Face(0, face(80, 90, 60), 10, person=7), Face(1, face(200, 90, 60), 10, person=7), embed=eye
    )
    faces[1].embedding = np.array([0.0, 1])  # its pseudonym of seed 10 looks like it
    replace(images, faces, Painter(), eye)
    assert [f.outcome for f in faces] == ["anonymised", "covered"]
    assert [f.seed for f in faces] == [10, 10]


def test_what_is_not_finite_is_made_again_then_covered(dark):
    faces = on_the_way([dark], Face(0, face(80, 90, 60), 10), Face(0, face(200, 90, 60), 11))
    seeds = {(10 + i * replacement.NEXT_SEED) % 2**32 for i in range(CANDIDATES)}
    (result,) = replace([dark], faces, Painter(broken=seeds | {11}), None)
    assert [f.outcome for f in faces] == ["covered", "anonymised"]
    assert faces[0].reason == "the model's output is not finite" and faces[0].new is None
    assert faces[1].seed == (11 + replacement.NEXT_SEED) % 2**32
    assert (result[85:95, 75:85] % 32 == 16).all()


@pytest.mark.parametrize(
    ("detection", "reason"),
    [
        (Detection(np.array([50.0, 50, 60, 80]), np.full((5, 2), np.nan), 0.9), "the five points are not finite"),
        (
            Detection(np.array([50.0, 50, 60, 80]), np.full((5, 2), 70.0), 0.9),
            "the five points do not lie as in a face",
        ),
        (face(100, 100, 12), "smaller than 10 pixels"),
        (face(100, 100, 3000), "larger than the photo"),
        (face(1e12, 100, 100), "outside the photo"),
        (face(-100, 100, 100), "outside the photo"),
    ],
)
def test_a_face_that_cannot_be_placed_is_covered(detection, reason):
    image = photo(200, 300)
    painter = Painter()
    faces = on_the_way([image], Face(0, detection, 0))
    (result,) = replace([image], faces, painter, None)
    assert (faces[0].outcome, faces[0].reason) == ("covered", reason)
    assert not painter.calls
    left, top, right, bottom = np.clip([*detection.box[:2], *(detection.box[:2] + detection.box[2:])], 0, 300).astype(
        int
    )
    assert (result[top:bottom, left:right] % 32 == 16).all()


@pytest.mark.parametrize("box", [[np.nan, 0, 5, 5], [0, 0, np.inf, 5], [0, 0, 0, 5], [0, 0, 5, -5], [0, 0, 5]])
def test_a_box_that_is_none_stops_everything(dark, box):
    with pytest.raises(ValueError, match="a detection's box must be"):
        locate([Face(0, Detection(np.array(box), None, 0.9), 0)], [dark], SIZE, 10)


def test_only_faces_whose_centre_lies_in_the_region_are_touched():
    image = photo(200, 300)
    faces = [Face(0, face(80, 90, 60), 1), Face(0, face(200, 90, 60), 2)]
    restrict(faces, (0, 0, 150, 200))
    locate(faces, [image], SIZE, 10)
    (result,) = replace([image], faces, Painter(), None)
    assert [f.outcome for f in faces] == ["anonymised", "spared"] and faces[1].reason == "outside the region"
    np.testing.assert_array_equal(result[:, 150:], image[:, 150:])
    assert (result[:, :150] != image[:, :150]).any()


def known(cosine, side=100):
    vector = np.array([cosine, np.sqrt(1 - cosine**2)])
    return Face(0, face(100, 100, side), 0, embedding=vector)


@pytest.mark.parametrize(
    ("who", "cosine", "side", "outcome"),
    [
        ("spare", 0.6, 100, "spared"),
        ("spare", 0.45, 100, "anonymised"),  # a match for the publisher, not certain
        ("spare", 0.9, 50, "anonymised"),  # too small to tell
        ("only", 0.6, 100, "anonymised"),
        ("only", 0.2, 100, "anonymised"),  # hardly a match
        ("only", -0.1, 100, "spared"),
        ("only", -0.1, 50, "anonymised"),
        ("only", np.nan, 100, "anonymised"),
        ("spare", np.nan, 100, "anonymised"),
    ],
)
def test_in_doubt_a_face_is_anonymised(who, cosine, side, outcome):
    one = known(cosine, side)
    select([one], **{"spare": None, "only": None} | {who: np.array([[1.0, 0]])})
    assert one.outcome == outcome


def test_somebody_to_spare_among_several():
    one = known(0.6)
    select([one], np.array([[0.0, -1], [1, 0]]), np.array([[1.0, 0]]))
    assert (one.outcome, one.reason) == ("spared", "one of the people to spare")


def test_a_spared_face_beside_a_covered_one_stays():
    image = photo(200, 300)
    left, right = Face(0, face(90, 100, 100), 0), Face(0, face(140, 100, 100), 0)
    left.outcome, right.outcome = "spared", "covered"
    result = compose(image, [left, right])
    core = ellipse(image.shape, place(left.detection), (0.5, 0.55), (0.2, 0.3))
    np.testing.assert_array_equal(result[core], image[core])
    core = ellipse(image.shape, place(right.detection), (0.5, 0.55), (0.2, 0.3))
    assert (result[core] != image[core]).any(-1).all()


def test_covering_shows_nothing_of_what_is_replaced_below():
    """A small detection within a large face is pixelated as it now is, not as it was."""
    image = photo(300, 300)
    inner = Face(0, Detection(np.array([140.0, 140, 20, 20]), np.full((5, 2), np.nan), 0.9), 5)
    faces = on_the_way([image], Face(0, face(150, 150, 250), 60), inner)
    (result,) = replace([image], faces, Painter(), None)
    assert [f.outcome for f in faces] == ["anonymised", "covered"]
    part = result[142:158, 142:158]
    assert len(np.unique(part.reshape(-1, 3), axis=0)) <= 2, "the blocks differ as the original does"


def test_twenty_faces():
    image = photo(400, 500)
    faces = on_the_way(
        [image], *(Face(0, face(50 + 100 * (i % 5), 50 + 100 * (i // 5), 80 + 4 * i, 0.05 * i), i) for i in range(20))
    )
    (result,) = replace([image], faces, Painter(), None)
    assert {f.outcome for f in faces} == {"anonymised"}
    changed = (result != image).any(-1)
    for f in faces:
        assert changed[ellipse(image.shape, f.placement, *CORE)].mean() > 0.95


@pytest.mark.parametrize("shape", [(1, 1), (12, 9), (40, 3)])
def test_small_photos(shape):
    image = np.full((*shape, 3), 128, np.uint8)
    faces = on_the_way([image], Face(0, Detection(np.array([0.0, 0, *shape[::-1]]), None, 0.9), 0))
    (result,) = replace([image], faces, Painter(), None)
    assert result.shape == image.shape and faces[0].outcome == ("covered" if min(shape) < 10 else "anonymised")
