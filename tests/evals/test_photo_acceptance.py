"""Broken promises are planted in results, and found; a result that keeps them is accepted."""

from pathlib import Path

import numpy as np
import pytest

from a3gan_jax.anonymizer import AnonymizedPhoto
from a3gan_jax.evals.face_comparison import compare, ellipse
from a3gan_jax.evals.photo_acceptance import CHANGED, Violation, judge, masks
from a3gan_jax.evals.photo_report import as_json, summary, violations
from a3gan_jax.faces.detector import Detection
from tests.evals.judged import FOUND, look, replaced, street, told
from tests.faces.scenes import face


def detect(image: np.ndarray) -> list[Detection]:
    return FOUND


def kinds(original, photo, drawn=(), found=FOUND, look=look) -> list[str]:
    return [violation.kind for violation in judge(original, photo, lambda image: found, look, drawn).violations]


@pytest.mark.parametrize("covered", [(), (0,), (1,), (0, 1)])
def test_faces_that_are_replaced_or_covered_are_accepted(covered):
    verdict = judge(street(), replaced(street(), covered=covered), detect, look)
    assert verdict.violations == () and verdict.outside == 0
    assert [face.outcome for face in verdict.faces] == ["covered" if n in covered else "anonymised" for n in (0, 1)]
    assert all(face.comparison.changed > CHANGED and face.comparison.difference > 0.3 for face in verdict.faces)


def test_a_face_at_the_border_is_judged_by_what_the_photo_has_of_it():
    found = [face(20, 100, 130)]
    assert kinds(street(), replaced(street(), found), found=found) == []
    assert kinds(street(), AnonymizedPhoto(street(), (told(found[0]),)), found=found) == ["unchanged", "match"]


def test_a_face_left_alone_is_found_whatever_the_product_says():
    image, photo = street(), replaced(street())
    where, inside = ellipse(image.shape, FOUND[0].box, 1.6)
    photo.image[where][inside] = image[where][inside]
    verdict = judge(image, photo, detect, look)
    assert [violation.kind for violation in verdict.violations] == ["unchanged", "match"]
    assert "cosine 1.000" in verdict.violations[1].text
    for outcomes in ((told(FOUND[0], "spared"), photo.faces[1]), photo.faces[1:]):
        assert kinds(image, AnonymizedPhoto(photo.image, outcomes))[0] == "left alone"


def test_a_face_that_shows_through_is_a_match():
    image, photo = street(), replaced(street())
    mixed = np.round(0.15 * photo.image + 0.85 * image).astype(np.uint8)
    assert "match" in kinds(image, AnonymizedPhoto(mixed, photo.faces))


def test_noise_over_a_face_is_no_change():
    image = street()
    where, inside = ellipse(image.shape, FOUND[0].box, 1.2)
    noisy = image.copy()
    noisy[where][inside] ^= 1
    found = FOUND[:1]
    assert "unchanged" in kinds(image, AnonymizedPhoto(noisy, (told(FOUND[0]),)), found=found)


def test_one_pixel_far_outside_is_found_and_counted():
    image, photo = street(), replaced(street())
    photo.image[3, 300, 1] ^= 1
    verdict = judge(image, photo, detect, look)
    assert [violation.kind for violation in verdict.violations] == ["changed outside"]
    assert verdict.outside == verdict.far == 1


def test_masks_are_those_of_the_product_and_no_larger():
    image = street()
    for covered in ((), (0,)):
        changed = (replaced(image, covered=covered).image != image).any(-1)
        allowed = masks(image, replaced(image, covered=covered).faces)
        assert not (changed & ~allowed).any()
        assert changed.sum() > 0.85 * allowed.sum()
    assert not masks(image, [told(FOUND[0], "spared")]).any()


def test_a_drawn_box_counts_where_its_face_is_found():
    image, photo = street(), replaced(street())
    (left, top, width, height), far = FOUND[1].box, np.array([5.0, 180.0, 30.0, 30.0])
    wide = np.array([left - 0.35 * width, top - 0.35 * height, 1.7 * width, 1.7 * height])
    verdict = judge(image, photo, detect, look, [FOUND[1].box, far, wide])
    assert [box.found for box in verdict.boxes] == [True, False, True]
    assert [violation.kind for violation in verdict.violations] == ["box uncovered"]
    assert verdict.boxes[0].ellipse > 0.99 > verdict.boxes[0].whole > 0.8
    assert verdict.boxes[1].ellipse == verdict.boxes[1].whole == 0
    assert 0.5 < verdict.boxes[2].ellipse < CHANGED


def test_a_face_found_anew_may_be_the_match():
    image, photo = street(), replaced(street())
    moved = Detection(FOUND[0].box + [3, 0, 0, 0], FOUND[0].landmarks + 3, 0.9)

    def by_new_points(shown, points):
        original = shown is image or (points == moved.landmarks).all()
        return np.array([1.0, 0.0]) if original else np.array([0.0, 1.0])

    seen = compare(image, photo.image, FOUND[0], [moved, FOUND[1]], by_new_points)
    assert seen.cosine == 1 and seen.found_again == 1 and seen.matches
    assert compare(image, photo.image, FOUND[0], [FOUND[1]], by_new_points).cosine == 0


def test_a_recogniser_without_an_answer_is_a_match():
    kind = kinds(street(), replaced(street()), look=lambda image, points: np.full(2, np.nan))
    assert kind == ["match", "match"]


@pytest.mark.parametrize("side, expected", [(50, []), (120, ["match"])])
def test_a_covered_face_may_match_where_it_is_too_small_to_tell(side, expected):
    found = [face(100, 100, side)]
    photo = replaced(street(), found, covered=(0,))
    assert kinds(street(), photo, found=found, look=lambda image, points: np.ones(1)) == expected
    assert "match" in kinds(street(), replaced(street(), found), found=found, look=lambda image, points: np.ones(1))


def test_the_summary_counts_what_was_judged():
    good = judge(street(), replaced(street(), covered=(1,)), detect, look, [FOUND[0].box])
    bad = judge(street(), AnonymizedPhoto(street(), ()), detect, look)
    none = judge(street(), AnonymizedPhoto(street(), ()), lambda image: [], look)
    failed = Violation("failed", "truncated")
    judged = [(Path(name), verdict) for name, verdict in zip("abcd", (good, bad, none, failed), strict=True)]
    figures = summary(judged)
    assert (figures["photos"], figures["photos without a face"], figures["faces"]) == (4, 1, 4)
    assert figures["outcomes"] == {"anonymised": 1, "covered": 1, "none": 2}
    assert figures["covered because"] == {"too small": 1}
    assert figures["violations"] == {"left alone": 2, "unchanged": 2, "match": 2, "failed": 1}
    assert figures["cosine of replaced faces"]["100%"] < 0.363 and figures["boxes found"] == 1
    assert len(violations(judged)) == 7
    entry = as_json(*judged[0])
    assert entry["faces"][1]["reason"] == "too small" and entry["boxes"][0]["found"] and "embedding" not in str(entry)
    assert as_json(*judged[3])["violations"] == [{"kind": "failed", "text": "truncated"}]
    assert summary([])["cosine of replaced faces"] is None
