"""k-Same: the mean of the nearest other faces, in the face's place."""

import io

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.data.procedural import ProceduralFaces
from a3gan_jax.evals.methods.ksame import KSame
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.mask import CORE, END
from a3gan_jax.faces.placement import place
from tests.faces.scenes import ellipse, face, photo

FACE = face(80, 70, 100, 0.2)


@pytest.fixture(scope="module")
def gallery() -> np.ndarray:
    faces = ProceduralFaces(24, image_size=64, photos_per_person=1)
    return np.stack([faces[i]["image"] for i in range(24)])


def test_the_nearest_are_those_with_the_nearest_pixels(gallery):
    crop = gallery[3] // 2 + gallery[7] // 2
    chosen = KSame(gallery, 2).nearest(crop)
    assert set(chosen.tolist()) == {3, 7}


def test_the_original_is_never_among_them_not_even_compressed_anew(gallery):
    method = KSame(gallery, 5)
    for i in range(8):
        file = io.BytesIO()
        Image.fromarray(gallery[i]).save(file, "JPEG", quality=85)
        for crop in (gallery[i], np.asarray(Image.open(file))):
            chosen = method.nearest(crop).tolist()
            assert i not in chosen and len(set(chosen)) == 5


def test_the_mean_takes_the_faces_place_and_nothing_else_changes(gallery):
    street = photo(140, 160)
    before = street.copy()
    result, empty = KSame(gallery, 3)([street, street], [[FACE], []], ["a.png", "b.png"])
    np.testing.assert_array_equal(street, before)
    np.testing.assert_array_equal(empty, street)
    outside = ~ellipse(street.shape, place(FACE), *END)
    np.testing.assert_array_equal(result[outside], street[outside])
    core = ellipse(street.shape, place(FACE), *CORE)
    assert (result[core] != street[core]).any(-1).mean() > 0.9


def test_the_same_photo_gives_the_same_bytes_in_any_company(gallery):
    method, streets = KSame(gallery, 3), [photo(140, 160, seed) for seed in range(3)]
    alone = [method([street], [[FACE]], ["a.png"])[0] for street in streets]
    together = KSame(gallery, 3)(streets, [[FACE]] * 3, ["a.png", "b.png", "c.png"])
    np.testing.assert_array_equal(alone, together)


def test_nothing_of_the_original_but_its_light_is_in_a_face_of_a_gallery_of_equals(gallery):
    equals = np.repeat(gallery[:1], 6, axis=0)
    street, detail = photo(140, 160), photo(140, 160)
    core = ellipse(street.shape, place(FACE), (CORE[0][0], CORE[0][1]), (0.8 * CORE[1][0], 0.8 * CORE[1][1]))
    detail[core] = 255 - detail[core]  # another face, in the same surroundings
    results = [KSame(equals, 2)([image], [[FACE]], ["a.png"])[0] for image in (street, detail)]
    inner = ellipse(street.shape, place(FACE), CORE[0], (0.5 * CORE[1][0], 0.5 * CORE[1][1]))
    np.testing.assert_allclose(results[0][inner].astype(int), results[1][inner].astype(int), atol=1)


def test_a_face_that_cannot_be_placed_is_covered(gallery):
    street = photo(140, 160)
    small = Detection(np.array([60.0, 60, 12, 12]), None, 1.0)
    (result,) = KSame(gallery, 3)([street], [[small]], ["a.png"])
    assert len(np.unique(result[60:72, 60:72].reshape(-1, 3), axis=0)) <= 25
    assert (result[60:72, 60:72] != street[60:72, 60:72]).any(-1).mean() > 0.9


def test_galleries_that_are_none_are_refused(gallery):
    for wrong in (gallery[0], gallery.astype(float), gallery[:, :32]):
        with pytest.raises(ValueError, match="gallery of ksame must be uint8"):
            KSame(wrong, 3)
    for k in (1, 24):
        with pytest.raises(ValueError, match=f"ksame:{k} needs 2 <= k < the faces of its gallery, 24"):
            KSame(gallery, k)
    with pytest.raises(ValueError, match="all but 0 faces of the gallery are the very face"):
        KSame(np.repeat(gallery[:1], 6, axis=0), 2).nearest(gallery[0])
