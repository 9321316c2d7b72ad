"""What a drawn face looks like: a person, and one photo of that person, as plain numbers."""

from dataclasses import dataclass, field, replace

import numpy as np

from a3gan_jax.attributes import CELEBA_ATTRIBUTES

#: Seven-class data sets of expressions have these too, but for "tired": eyes half or quite shut, often a yawn.
EXPRESSIONS = ("neutral", "happy", "surprised", "sad", "angry", "tired")

HAIR_COLORS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")

#: From here on a mouth counts as open, a smile as one and an eye as narrow. Sampled faces keep clear of the borders.
MOUTH_OPEN, SMILING, EYES_NARROW = 0.15, 0.3, 0.5


@dataclass(frozen=True)
class Person:
    """What two photos of one person share. Numbers without a unit are in [-1, 1], 0 being the average face."""

    seed: tuple[int, ...] = (0,)  # of the person's own texture: moles, the grain of the hair
    face_width: float = 0.0
    face_length: float = 0.0
    jaw: float = 0.0
    chin: float = 0.0
    eye_distance: float = 0.0
    eye_size: float = 0.0
    eye_tilt: float = 0.0
    eye_color: tuple[float, float, float] = (0.30, 0.20, 0.12)  # sRGB in [0, 1]
    brow_height: float = 0.0
    brow_weight: float = 0.0
    nose_length: float = 0.0
    nose_width: float = 0.0
    mouth_width: float = 0.0
    mouth_height: float = 0.0
    lips: float = 0.0
    skin: float = 0.3  # 0 light .. 1 dark
    ruddiness: float = 0.0
    hair_tone: float = 0.0
    hair_volume: float = 0.0
    parting: float = 0.0
    freckles: float = 0.0  # 0 none .. 1 many


@dataclass(frozen=True)
class Face:
    """One photo: everything that :func:`a3gan_jax.data.drawing.render` needs to know.

    ``drawn`` are the CelebA attributes that are flags of the drawing. The rest follow from the picture, see
    :attr:`attributes`. Angles are radians, lengths are in sides of the crop.
    """

    person: Person = field(default_factory=Person)
    drawn: frozenset[str] = frozenset({"Young", "No_Beard", "Brown_Hair"})
    seed: tuple[int, ...] = (0,)  # of background, clothes, grain
    expression: str = "neutral"
    smile: float = 0.0  # -1 corners down .. 1 a broad smile
    mouth_open: float = 0.0  # 0 shut .. 1 a yawn
    eyes_open: float = 0.9  # 0 shut .. 1 wide open
    brow_raise: float = 0.0  # -1 .. 1
    brow_tilt: float = 0.0  # -1 inner ends down (angry) .. 1 inner ends up (sad)
    gaze: tuple[float, float] = (0.0, 0.0)  # -1 .. 1, to the right and down in the image
    yaw: float = 0.0  # > 0: turned to the right of the image
    pitch: float = 0.0  # > 0: turned up
    roll: float = 0.0  # > 0: clockwise
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    hair_length: float = 0.0  # 0 short, 0.5 to the jaw, 1 over the shoulders
    beard_density: float = 0.6  # 0 .. 1, of a beard if there is one
    light: tuple[float, float] = (0.3, -0.4)  # where it comes from: to the right, down
    contrast: float = 0.5  # 0 flat .. 1 hard light
    warmth: float = 0.0  # -1 bluish .. 1 yellowish light

    @property
    def narrow_eyes(self) -> bool:
        return "Narrow_Eyes" in self.drawn or self.eyes_open < EYES_NARROW

    @property
    def attributes(self) -> np.ndarray:
        """CelebA's 40 attributes, (40,) uint8.

        Four follow from other parameters: Smiling and Mouth_Slightly_Open from the mouth, Narrow_Eyes also from lids
        that are half shut, and Attractive, a matter of taste that nothing in the picture decides, is by definition the
        young, sharp face without bags under its eyes, big nose, chubby cheeks, double chin, bald head or receding hair.
        """
        follows = {
            "Smiling": self.smile > SMILING,
            "Mouth_Slightly_Open": self.mouth_open > MOUTH_OPEN,
            "Narrow_Eyes": self.narrow_eyes,
            "Attractive": "Young" in self.drawn and not self.drawn & _PLAIN,
        }
        return np.array([follows.get(name, name in self.drawn) for name in CELEBA_ATTRIBUTES], np.uint8)

    def with_attribute(self, name: str, value: bool) -> "Face":
        """The same photo with one attribute set, everything else as it is (plausible or not).

        Raises:
            ValueError: for a name that is not CelebA's, and for Attractive, which follows from the others.
        """
        if name not in CELEBA_ATTRIBUTES or name == "Attractive":
            raise ValueError(f"{name!r} cannot be set on a drawn face; what can is CelebA's 40 without Attractive")
        if name == "Smiling":
            return replace(self, smile=0.8 if value else 0.0)
        if name == "Mouth_Slightly_Open":
            return replace(self, mouth_open=0.4 if value else 0.0)
        face = self
        if name == "Narrow_Eyes" and not value:
            face = replace(face, eyes_open=max(self.eyes_open, 0.85))
        return replace(face, drawn=self.drawn | {name} if value else self.drawn - {name})


_PLAIN = frozenset({"Bags_Under_Eyes", "Big_Nose", "Chubby", "Double_Chin", "Bald", "Receding_Hairline", "Blurry"})
