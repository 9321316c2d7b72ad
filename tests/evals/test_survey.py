"""What a method was to show is put to the face that is looked at, and a recogniser's folder is known by its content."""

import numpy as np

from a3gan_jax.anonymizer import AnonymizedPhoto, FaceOutcome
from a3gan_jax.evals.survey import apply, asked, folder_content
from a3gan_jax.faces.detector import Detection

PHOTO = np.zeros((100, 100, 3), np.uint8)
CORNER, MIDDLE = (Detection(np.float32([at, at, 20, 20]), np.zeros((5, 2)), 1.0) for at in (0, 42))


def told(face: Detection, after: dict[str, int] | None) -> FaceOutcome:
    outcome = "covered" if after is None else "anonymised"
    return FaceOutcome(face.box, face.landmarks, face.score, outcome, "", 0, None, after, None)


class Chooses:
    """A method that makes everybody in the middle smile, and covers the rest; it fails on the photo "bad"."""

    name = description = "chooses"

    def __call__(self, images, faces, files):
        return [photo.image for photo in self.edit(images, faces, files)]

    def edit(self, images, faces, files):
        if "bad" in files:
            raise ValueError("bad: cannot")
        shown = {id(MIDDLE): {"Smiling": 1, "Male": 0}}
        return [AnonymizedPhoto(PHOTO, tuple(told(face, shown.get(id(face))) for face in found)) for found in faces]


def test_what_is_asked_is_that_of_the_central_face():
    photos, faces = [PHOTO, PHOTO, None, PHOTO, PHOTO], [[CORNER, MIDDLE], [CORNER], [], [], [MIDDLE]]
    made, failures = apply(Chooses(), photos, faces, ["a", "b", "c", "d", "bad"])
    assert failures == [(4, "bad: cannot")] and made[2] is made[4] is None
    shown = asked(photos, faces, made)
    np.testing.assert_array_equal(shown["Smiling"], [1, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(shown["Male"], [0, np.nan, np.nan, np.nan, np.nan])


def test_a_method_that_only_makes_photos_is_asked_nothing():
    made, failures = apply(lambda images, faces, files: images, [PHOTO], [[MIDDLE]], ["a"])
    assert not failures and asked([PHOTO], [[MIDDLE]], made) == {}
    np.testing.assert_array_equal(made[0].image, PHOTO)


def test_a_recogniser_is_known_by_what_lies_in_its_folder(tmp_path):
    assert folder_content("sface") is None
    contents = set()
    for number, weights in enumerate((b"old", b"new")):
        folder = tmp_path / f"recogniser{number}"
        folder.mkdir()
        (folder / "weights.msgpack").write_bytes(weights)
        contents.add(folder_content(str(folder)))
    assert len(contents) == 2 and None not in contents
