"""The drawn faces: deterministic, well placed, and what their labels say is what one sees."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.data.drawing import EXPRESSIONS, Face, Head, Person, render
from a3gan_jax.data.procedural import ProceduralFaces
from a3gan_jax.geometry import crop_landmarks

SIZE = 64
HAIR = {"Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"}
FLAT = dict(contrast=0.2, light=(0.0, -0.3))


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    """Parameters only: sampling many is cheap."""
    dataset = ProceduralFaces(1600)
    return [dataset.face(i) for i in range(len(dataset))]


def region(image: np.ndarray, center, reach: float) -> np.ndarray:
    """The pixels (n, 3) within ``reach`` sides of the image of a point in pixels."""
    y, x = np.mgrid[: len(image), : len(image)]
    inside = np.hypot(x - center[0], y - center[1]) <= reach * len(image)
    assert inside.any()
    return image[inside].astype(float)


def brightness(pixels: np.ndarray) -> np.ndarray:
    return pixels @ (0.299, 0.587, 0.114)


def digest(image: np.ndarray) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def test_item_is_what_a_source_gives():
    dataset = ProceduralFaces(20, image_size=48, seed=1, photos_per_person=8)
    item = dataset[17]
    assert len(dataset) == 20 and dataset.num_people == 3 and dataset.crop == "square"
    assert dataset.attribute_names == CELEBA_ATTRIBUTES
    assert item["image"].shape == (48, 48, 3) and item["image"].dtype == np.uint8
    assert item["attributes"].shape == (40,) and item["attributes"].dtype == np.uint8
    assert set(np.unique(item["attributes"])) <= {0, 1}
    assert item["identity"] == 2 and isinstance(item["name"], str)
    assert len({dataset[i]["name"] for i in range(20)}) == 20
    with pytest.raises(IndexError, match="face 20 of 20"):
        dataset[20]


@pytest.mark.parametrize("wrong", [dict(size=0), dict(image_size=0), dict(photos_per_person=0), dict(seed=-1)])
def test_wrong_sizes_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ProceduralFaces(**{"size": 8, **wrong})


def test_same_in_any_order_instance_and_length():
    first, second = ProceduralFaces(16, SIZE, seed=4), ProceduralFaces(200, SIZE, seed=4)
    forward = [first[i] for i in range(12)]
    backward = [second[i] for i in reversed(range(12))][::-1]
    for a, b in zip(forward, backward, strict=True):
        assert np.array_equal(a["image"], b["image"]) and np.array_equal(a["attributes"], b["attributes"])
    assert not np.array_equal(forward[0]["image"], ProceduralFaces(16, SIZE, seed=5)[0]["image"])
    assert len({digest(item["image"]) for item in forward}) == 12


def test_same_in_another_process():
    code = (
        "import hashlib; from a3gan_jax.data.procedural import ProceduralFaces\n"
        "for i in (3, 9): print(hashlib.sha256(ProceduralFaces(16, 64, seed=2)[i]['image'].tobytes()).hexdigest())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    dataset = ProceduralFaces(16, SIZE, seed=2)
    assert out.split() == [digest(dataset[i]["image"]) for i in (3, 9)]


def test_larger_picture_shows_the_same_face():
    small, large = (ProceduralFaces(4, size, seed=1)[2]["image"].astype(float) for size in (64, 128))
    assert np.abs(large.reshape(64, 2, 64, 2, 3).mean((1, 3)) - small).mean() < 6


def test_faces_sit_in_the_crop(faces):
    landmarks = np.array([Head(face, SIZE).landmarks for face in faces[::8]])
    away = landmarks - crop_landmarks(SIZE)
    assert np.abs(away.mean(0)).max() < 0.015 * SIZE  # there on average
    assert 0.005 * SIZE < away.std() < 0.04 * SIZE  # with some jitter around it
    assert np.abs(away).max() < 0.15 * SIZE


def test_still_face_lies_on_the_template_and_pose_moves_it():
    still = Head(Face(), SIZE).landmarks
    assert np.abs(still - crop_landmarks(SIZE)).max() < 0.02 * SIZE
    eyes = lambda head: head.landmarks[1] - head.landmarks[0]  # noqa: E731
    assert np.arctan2(*eyes(Head(Face(roll=0.1), SIZE))[::-1]) == pytest.approx(0.1, abs=0.01)
    assert np.hypot(*eyes(Head(Face(zoom=1.1), SIZE))) == pytest.approx(1.1 * np.hypot(*eyes(Head(Face(), SIZE))))
    shifted = Head(Face(shift=(0.05, -0.02)), SIZE).landmarks - still
    assert shifted == pytest.approx(np.broadcast_to((0.05 * SIZE, -0.02 * SIZE), (5, 2)))

    def nose_offset(head):  # of the nose tip from the middle between the eyes
        return head.landmarks[2] - head.landmarks[:2].mean(0)

    right, left, up, down = (
        nose_offset(Head(Face(**pose), SIZE))
        for pose in (dict(yaw=0.2), dict(yaw=-0.2), dict(pitch=0.15), dict(pitch=-0.15))
    )
    assert right[0] > left[0] + 1 and up[1] < down[1] - 1


def test_annotations_fit_the_picture():
    dataset = ProceduralFaces(160, SIZE)
    for i in range(0, 160, 3):
        note = dataset.annotation(i)
        left, top, right, bottom = note["box"]
        assert note["expression"] in EXPRESSIONS and note["landmarks"].shape == (5, 2)
        assert (note["landmarks"] >= (left, top)).all() and (note["landmarks"] <= (right, bottom)).all()
        assert left > -1 and top > -1 and right < SIZE and bottom < 1.15 * SIZE
        assert 0 <= note["eyes_open"] <= 1 and 0 <= note["mouth_open"] <= 1
        assert np.abs(note["pose"]).max() < 25
        attributes = dict(zip(CELEBA_ATTRIBUTES, dataset.face(i).attributes, strict=True))
        assert attributes["Mouth_Slightly_Open"] == (note["mouth_open"] > 0.15)
        assert attributes["Smiling"] == (note["expression"] == "happy")
        if note["eyes_open"] < 0.5:
            assert attributes["Narrow_Eyes"]


def test_people_keep_what_is_theirs(faces):
    for start in range(0, 400, 8):
        photos = faces[start : start + 8]
        assert len({face.person for face in photos}) == 1
        for name in ("Male", "Young", "Big_Nose", "Pale_Skin", "Oval_Face", *HAIR):
            assert len({name in face.drawn for face in photos}) == 1
        assert len({face.drawn for face in photos}) > 1 or len({face.expression for face in photos}) > 1
    assert len({face.person for face in faces}) == 200


def test_attributes_are_plausible_and_none_is_too_rare(faces):
    for face in faces:
        has = {name for name, value in zip(CELEBA_ATTRIBUTES, face.attributes, strict=True) if value}
        assert len(has & HAIR) <= 1
        assert not (has & HAIR and "Bald" in has)
        assert not {"Bald", "Bangs"} <= has and not {"Bald", "Receding_Hairline"} <= has
        assert not {"Bangs", "Receding_Hairline"} <= has
        assert not {"Straight_Hair", "Wavy_Hair"} <= has and not {"Big_Nose", "Pointy_Nose"} <= has
        assert not {"Chubby", "Oval_Face"} <= has
        if has & {"Mustache", "Goatee", "5_o_Clock_Shadow", "Sideburns"}:
            assert "No_Beard" not in has and "Male" in has
        if "No_Beard" not in has:
            assert has & {"Mustache", "Goatee", "5_o_Clock_Shadow"}
        if "Wearing_Hat" in has:
            assert not has & {"Bald", "Bangs", "Receding_Hairline"}
    share = np.mean([face.attributes for face in faces], axis=0)
    rare = {name: float(s) for name, s in zip(CELEBA_ATTRIBUTES, share, strict=True) if not 0.02 < s < 0.98}
    assert not rare


def blank(*drawn: str, **more) -> Face:
    """A photo of an average person with just these attributes."""
    return Face(drawn=frozenset(drawn), **{**FLAT, **more})


_SHAVEN = blank("Young", "No_Beard", "Brown_Hair", hair_length=0.5)
_BASES = {
    **dict.fromkeys(HAIR, blank("Young", "No_Beard", hair_length=0.5)),
    **dict.fromkeys(
        ("5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns"), blank("Young", "Male", "Brown_Hair", beard_density=0.1)
    ),
}


@pytest.mark.parametrize("name", [name for name in CELEBA_ATTRIBUTES if name != "Attractive"])
def test_every_attribute_can_be_seen(name):
    base = _BASES.get(name, _SHAVEN)
    without, with_it = base.with_attribute(name, False), base.with_attribute(name, True)
    place = CELEBA_ATTRIBUTES.index(name)
    assert without.attributes[place] == 0 and with_it.attributes[place] == 1
    others = np.delete(without.attributes != with_it.attributes, place)
    assert others.sum() <= 1  # Attractive follows
    change = np.abs(render(without, SIZE).astype(int) - render(with_it, SIZE)).max(-1)
    assert (change > 12).sum() >= 8  # pixels of 4096: a necklace is small


def test_attractive_follows_and_unknown_names_are_refused():
    place = CELEBA_ATTRIBUTES.index("Attractive")
    assert _SHAVEN.attributes[place] == 1
    assert _SHAVEN.with_attribute("Young", False).attributes[place] == 0
    assert _SHAVEN.with_attribute("Chubby", True).attributes[place] == 0
    for name in ("Attractive", "Tall"):
        with pytest.raises(ValueError, match=name):
            _SHAVEN.with_attribute(name, True)


def test_hair_has_the_colour_of_its_label():
    colors = {}
    for name in HAIR:
        face = blank("Young", "No_Beard", "Straight_Hair", name)
        crown = Head(face, SIZE).place([(0.12, -0.34)], depth=0.03)[0]
        colors[name] = region(render(face, SIZE), crown, 0.03).mean(0)
    light = {name: brightness(color) for name, color in colors.items()}
    assert light["Black_Hair"] < 45 < light["Brown_Hair"] < 100 < light["Blond_Hair"]
    assert light["Gray_Hair"] > 110
    assert np.ptp(colors["Gray_Hair"]) < 15 and np.ptp(colors["Blond_Hair"]) > 60
    bald = blank("Young", "No_Beard", "Bald")
    skin = region(render(bald, SIZE), Head(bald, SIZE).place([(0.0, -0.33)], depth=0.03)[0], 0.03).mean(0)
    assert brightness(skin) > 120


@pytest.mark.parametrize("skin", [0.0, 0.5, 1.0])
def test_open_mouth_is_dark_inside(skin):
    shut = replace(_SHAVEN, person=Person(skin=skin))
    wide = replace(shut, mouth_open=0.8)
    for face, opened in ((shut, False), (wide, True)):
        head = Head(face, SIZE)
        inside = head.place([(0.0, head.mouth_y + 0.55 * (head.gap or 0.05))])[0]
        pixels = brightness(region(render(face, SIZE), inside, 0.02))
        cheek = brightness(region(render(face, SIZE), head.place([(0.14, 0.16)])[0], 0.02)).mean()
        assert (pixels.min() < 0.5 * cheek and pixels.min() < 60) == opened


def test_eyes_open_and_shut():
    white, pupil = [], []
    for opened in (0.0, 0.4, 0.9):
        face = replace(_SHAVEN, eyes_open=opened)
        image = render(face, 128)
        eye = Head(face, 128).landmarks[0]
        white.append((brightness(region(image, eye, 0.06)) > 190).mean())
        pupil.append(brightness(region(image, eye, 0.008)).mean())
    assert white[0] < 0.01 and white[0] < white[1] < white[2]
    assert pupil[2] < 60 < 100 < pupil[0]  # where the pupil was is skin


def test_glasses_and_lipstick_change_their_own_place_only():
    plain = render(_SHAVEN, SIZE).astype(int)
    head = Head(_SHAVEN, SIZE)
    for name, middle, reach in (
        ("Eyeglasses", (0, 0.01), (0.30, 0.12)),
        ("Wearing_Lipstick", (0, head.mouth_y), (0.13, 0.08)),
    ):
        changed = np.abs(render(_SHAVEN.with_attribute(name, True), SIZE) - plain).max(-1) > 3
        y, x = np.nonzero(changed)
        away = np.abs(np.stack([x, y], 1) - head.place([middle], depth=0.15)) / SIZE
        assert len(away) > 30 and (away <= reach).all()


def test_smile_lifts_the_corners_of_the_mouth():
    def lift(face):  # corners against the nose, in eye distances
        points = Head(face, SIZE).landmarks
        return (points[2, 1] - points[3:, 1].mean()) / (points[1, 0] - points[0, 0])

    sad, neutral, happy = (lift(replace(_SHAVEN, smile=smile)) for smile in (-0.8, 0.0, 0.8))
    assert sad < neutral < happy


def test_blur_takes_the_detail_away():
    detail = [
        np.abs(np.diff(render(_SHAVEN.with_attribute("Blurry", value), SIZE).astype(float), axis=0)).mean()
        for value in (False, True)
    ]
    assert detail[1] < 0.75 * detail[0]


def test_person_is_recognisable_across_photos():
    """Photos of one person are more alike in the middle of the face than those of two, light and pose aside."""
    dataset = ProceduralFaces(64, SIZE, seed=3)
    plain = {"Eyeglasses", "Blurry", "Heavy_Makeup", "Wearing_Lipstick", "Wearing_Hat", "Bangs"}
    pictures, people = [], []
    for i in range(64):
        face = dataset.face(i)
        still = replace(
            face, drawn=face.drawn - plain, yaw=0.0, pitch=0.0, roll=0.0, warmth=0.0, zoom=1.0, shift=(0, 0), **FLAT
        )
        pictures.append(render(still, SIZE)[18:58, 12:52].astype(float).ravel())
        people.append(i // 8)
    pictures, people = np.array(pictures), np.array(people)
    distance = np.abs(pictures[:, None] - pictures[None]).mean(-1)
    np.fill_diagonal(distance, np.inf)
    assert (people[distance.argmin(1)] == people).mean() > 0.9
