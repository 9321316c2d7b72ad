"""Built-in faces: a data set of drawn people that needs no file, for tests, the quickstart, and all who have no data.

What is drawn, and how likely it is, is our own choice: shares are of the order of CelebA's, with rare attributes made
common enough to be learnt from a few thousand faces.
"""

import numpy as np

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.data.drawing import EXPRESSIONS, Face, Head, Person, render
from a3gan_jax.data.drawing.face import HAIR_COLORS

_EYE_COLORS = np.array(
    [(0.24, 0.14, 0.08), (0.36, 0.23, 0.12), (0.30, 0.45, 0.60), (0.33, 0.45, 0.30), (0.42, 0.46, 0.50)]
)
_GENES = (
    "face_width face_length jaw chin eye_distance eye_size eye_tilt brow_height brow_weight nose_length nose_width "
    "mouth_width mouth_height lips ruddiness hair_tone hair_volume parting"
).split()


class ProceduralFaces:
    """``size`` photos of drawn people, ``photos_per_person`` each (the last person may have fewer).

    A :class:`a3gan_jax.data.sources.FaceDataset`. Photo ``i`` is a function of ``(seed, i)`` and ``photos_per_person``
    alone: the same in any process and any order of access. The photos of one person are neighbours.

    Raises:
      ValueError: where ``size``, ``image_size`` or ``photos_per_person`` is below 1, or ``seed`` is negative.
    """

    attribute_names = CELEBA_ATTRIBUTES
    crop = "square"

    def __init__(self, size: int, image_size: int = 64, seed: int = 0, *, photos_per_person: int = 8):
        positive = dict(size=size, image_size=image_size, photos_per_person=photos_per_person)
        for name, value in positive.items():
            if value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        if seed < 0:
            raise ValueError(f"seed is {seed}; it must not be negative")
        self.size, self.image_size, self.seed, self.photos_per_person = size, image_size, seed, photos_per_person
        self.num_people = -(-size // photos_per_person)

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return (
            f"ProceduralFaces(size={self.size}, image_size={self.image_size}, seed={self.seed}, "
            f"photos_per_person={self.photos_per_person})"
        )

    def __getitem__(self, index: int) -> dict:
        """``name`` (str), ``image`` uint8 (S, S, 3) RGB, ``attributes`` uint8 (40,) and ``identity`` (int)."""
        face = self.face(index)
        return {
            "name": "drawn_{}_{}_{}".format(*face.seed),
            "image": render(face, self.image_size),
            "attributes": face.attributes,
            "identity": index // self.photos_per_person,
        }

    def annotation(self, index: int) -> dict:
        """What else is true of photo ``index``.

        ``expression`` (one of :data:`a3gan_jax.data.drawing.EXPRESSIONS`), ``eyes_open`` (0 shut .. 1 wide open),
        ``mouth_open`` (0 shut .. 1 a yawn), ``pose`` (yaw, pitch, roll) in degrees, positive to the right of the image,
        up and clockwise, ``box`` (left, top, right, bottom) and ``landmarks`` (5, 2) in the pixels of the image, in the
        order of :func:`a3gan_jax.geometry.crop_landmarks`.
        """
        face = self.face(index)
        head = Head(face, self.image_size)
        return {
            "expression": face.expression,
            "eyes_open": face.eyes_open,
            "mouth_open": face.mouth_open,
            "pose": np.degrees([face.yaw, face.pitch, face.roll]),
            "box": head.box(),
            "landmarks": head.landmarks,
        }

    def face(self, index: int) -> Face:
        """The parameters of photo ``index``, which :func:`a3gan_jax.data.drawing.render` draws."""
        if not 0 <= index < self.size:
            raise IndexError(f"face {index} of {self.size}")
        person, photo = divmod(index, self.photos_per_person)
        return sample_face(self.seed, person, photo)


def sample_person(seed: int, number: int) -> tuple[Person, frozenset[str]]:
    """A person, and the attributes that this person has in every photo."""
    rng = np.random.default_rng((seed, number))
    chance = lambda probability: rng.random() < probability  # noqa: E731
    genes = {name: float(np.clip(rng.normal(0, 0.55), -1, 1)) for name in _GENES}
    male, young = chance(0.45), chance(0.75)
    skin = float(rng.beta(1.1, 1.5))
    pale = skin < 0.45 and chance(0.22)
    eye = _EYE_COLORS[rng.choice(5, p=(0.25, 0.2, 0.3, 0.15, 0.1))] if skin < 0.4 else _EYE_COLORS[rng.integers(2)]
    traits = {"Male"} if male else set()
    traits |= {"Young"} if young else set()
    traits |= {"Pale_Skin"} if pale else set()
    for name, probability in {
        "Big_Nose": 0.25 if male else 0.15,
        "Big_Lips": 0.25,
        "Bushy_Eyebrows": 0.25 if male else 0.10,
        "Arched_Eyebrows": 0.08 if male else 0.40,
        "High_Cheekbones": 0.35,
        "Narrow_Eyes": 0.10,
        "Bags_Under_Eyes": 0.12 if young else 0.4,
        "Double_Chin": 0.05 if young else 0.2,
        "Chubby": 0.12,
        "Receding_Hairline": (0.10 if young else 0.3) if male else 0.03,
    }.items():
        if chance(probability):
            traits.add(name)
    if "Big_Nose" not in traits and chance(0.3):
        traits.add("Pointy_Nose")
    if "Chubby" not in traits and chance(0.4):
        traits.add("Oval_Face")
    if "Double_Chin" in traits and chance(0.5):
        traits = (traits | {"Chubby"}) - {"Oval_Face"}
    if male and chance(0.08 if young else 0.25):
        traits = (traits | {"Bald"}) - {"Receding_Hairline"}
    else:
        dark = skin > 0.55
        shares = (
            (0.77, 0.03, 0.16, 0.02, 0.02) if dark else (0.27, 0.29, 0.33, 0.02, 0.09)
        )  # the last: none of the four
        if not young:
            shares = (0.15, 0.13, 0.20, 0.47, 0.05)
        color = (*HAIR_COLORS, None)[rng.choice(5, p=shares)]
        texture = (None, "Straight_Hair", "Wavy_Hair")[rng.choice(3, p=(0.3, 0.35, 0.35))]
        traits |= {name for name in (color, texture) if name}
    person = Person(
        seed=(seed, number),
        skin=skin,
        eye_color=tuple((eye * rng.uniform(0.8, 1.2)).tolist()),
        freckles=float(rng.random()) if skin < 0.4 and chance(0.2) else 0.0,
        **genes,
    )
    return person, frozenset(traits)


def sample_face(seed: int, number: int, photo: int) -> Face:
    """Photo ``photo`` of person ``number``: always the same one."""
    person, traits = sample_person(seed, number)
    habits = np.random.default_rng((seed, number, 1))  # what this person likes to wear
    beard = ("none", "shadow", "goatee", "mustache", "full")[habits.choice(5, p=(0.45, 0.2, 0.1, 0.1, 0.15))]
    glasses, makeup, length = habits.random() < 0.2, habits.random() < 0.5, habits.random()
    sideburns, suit = habits.random() < 0.4, habits.random() < 0.3
    rng = np.random.default_rng((seed, number, 2, photo))
    chance = lambda probability: rng.random() < probability  # noqa: E731
    male, drawn = "Male" in traits, set(traits)

    if chance(0.8 if glasses else 0.03):
        drawn.add("Eyeglasses")
    if chance(0.09) and "Bald" not in traits:
        drawn.add("Wearing_Hat")
    if chance(0.07):
        drawn.add("Blurry")
    beard = beard if male and chance(0.85) else "none"
    drawn |= {
        "none": {"No_Beard"},
        "shadow": {"5_o_Clock_Shadow"},
        "goatee": {"Goatee"},
        "mustache": {"Mustache"},
        "full": {"Mustache", "Goatee"},
    }[beard]
    if male:
        if sideburns and beard != "none" and "Bald" not in traits:
            drawn.add("Sideburns")
        if chance(0.7 if suit else 0.03):
            drawn.add("Wearing_Necktie")
        length = 0.35 * length if length > 0.85 else 0.0
    else:
        if makeup and chance(0.7):
            drawn |= {"Heavy_Makeup", "Wearing_Lipstick"}
        for name, probability in {
            "Wearing_Lipstick": 0.25,
            "Rosy_Cheeks": 0.2,
            "Wearing_Earrings": 0.35,
            "Wearing_Necklace": 0.3,
        }.items():
            if chance(probability):
                drawn.add(name)
        length = 0.0 if length < 0.15 else float(np.clip(0.1 + 0.9 * length + rng.uniform(-0.1, 0.1), 0.25, 1))
    if "Bald" not in drawn and "Receding_Hairline" not in drawn and chance(0.1 if male else 0.25):
        drawn.add("Bangs")
    if "Wearing_Hat" in drawn:  # nobody sees the hairline below
        drawn -= {"Bangs", "Receding_Hairline"}

    return Face(
        person=person,
        drawn=frozenset(drawn),
        seed=(seed, number, photo),
        hair_length=length,
        beard_density=float(rng.uniform(0.7, 1.0) if beard == "full" else rng.uniform(0.05, 0.35)),
        **_expression(rng),
        gaze=(float(rng.normal(0, 0.3)), float(rng.normal(0, 0.25))),
        yaw=float(np.clip(rng.normal(0, 0.13), -0.35, 0.35)),
        pitch=float(np.clip(rng.normal(0, 0.08), -0.22, 0.22)),
        roll=float(np.clip(rng.normal(0, 0.04), -0.12, 0.12)),
        zoom=float(np.clip(rng.normal(1, 0.025), 0.93, 1.07)),
        shift=tuple(np.clip(rng.normal(0, 0.008, 2), -0.02, 0.02).tolist()),
        light=(float(rng.uniform(-0.8, 0.8)), float(rng.uniform(-0.6, -0.1))),
        contrast=float(rng.uniform(0.15, 0.9)),
        warmth=float(np.clip(rng.normal(0, 0.5), -1, 1)),
    )


def _expression(rng: np.random.Generator) -> dict:
    """A facial expression as parameters of a face. Mouths are clearly open or clearly shut, and so are eyes."""
    expression = str(EXPRESSIONS[rng.choice(6, p=(0.31, 0.38, 0.09, 0.08, 0.07, 0.07))])
    between = lambda low, high: float(rng.uniform(low, high))  # noqa: E731
    opens = lambda probability, low, high: between(low, high) if rng.random() < probability else 0.0  # noqa: E731
    smile, mouth, eyes, lift, tilt = {
        "neutral": lambda: (between(-0.1, 0.15), opens(0.25, 0.20, 0.35), between(0.80, 1.0), between(-0.2, 0.2), 0.0),
        "happy": lambda: (between(0.55, 1.0), opens(0.6, 0.22, 0.55), between(0.68, 0.9), between(-0.1, 0.4), 0.0),
        "surprised": lambda: (between(0.0, 0.15), between(0.35, 0.75), between(1.1, 1.25), between(0.7, 1.0), 0.0),
        "sad": lambda: (
            between(-1.0, -0.6),
            opens(0.15, 0.20, 0.3),
            between(0.62, 0.75),
            between(-0.2, 0.3),
            between(0.6, 1.0),
        ),
        "angry": lambda: (
            between(-0.7, -0.3),
            opens(0.35, 0.22, 0.45),
            between(0.65, 0.85),
            between(-0.9, -0.5),
            between(-1.0, -0.7),
        ),
        "tired": lambda: (
            between(-0.2, 0.05),
            opens(0.5, 0.6, 1.0),
            between(0.0, 0.3),
            between(0.0, 0.4),
            between(0.0, 0.3),
        ),
    }[expression]()
    if expression in ("neutral", "happy") and rng.random() < 0.04:  # a blink
        eyes = between(0.0, 0.1)
    return dict(
        expression=expression, smile=smile, mouth_open=mouth, eyes_open=min(eyes, 1.0), brow_raise=lift, brow_tilt=tilt
    )
