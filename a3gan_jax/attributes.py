"""The attribute vocabulary: names, which of them may change, and which combinations a face can have."""

import dataclasses
import difflib
import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

CELEBA_ATTRIBUTES = tuple(
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair "
    "Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male "
    "Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks "
    "Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace "
    "Wearing_Necktie Young".split()
)
ATTGAN_ATTRIBUTES = tuple(
    "Bald Bangs Black_Hair Blond_Hair Brown_Hair Bushy_Eyebrows Eyeglasses Male Mouth_Slightly_Open Mustache No_Beard "
    "Pale_Skin Young".split()
)

#: What must stay so that a task can still be done on the anonymised faces (our own choice). A vocabulary keeps those of
#: them that it has.
TASKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "none": (),
        # What hides a face from a detector, or lays it bare.
        "detection": ("Blurry", "Eyeglasses", "Wearing_Hat"),
        # All that belongs to the person may change; the quality of the photo does not.
        "verification": ("Blurry",),
        "expression": ("Smiling", "Mouth_Slightly_Open", "High_Cheekbones", "Narrow_Eyes"),
        "fatigue": ("Mouth_Slightly_Open", "Narrow_Eyes", "Eyeglasses", "Bags_Under_Eyes"),
    }
)

#: Attributes that say how eyes and mouth are formed, or hide them (our own choice).
FORMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "eyes": ("Eyeglasses", "Narrow_Eyes"),
        "mouth": ("Goatee", "Mouth_Slightly_Open", "Mustache", "Smiling"),
    }
)

#: What a photo shows beyond the face that is replaced in it, on hair, neck, hands and clothes. A face that has them
#: otherwise does not fit its photo, and to keep them tells nobody more (our own choice). Male is not among them: that
#: it stayed was measured to help attackers.
BEYOND_FACE = tuple(
    "Bald Bangs Black_Hair Blond_Hair Brown_Hair Gray_Hair Pale_Skin Receding_Hairline Sideburns Straight_Hair "
    "Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Necklace Wearing_Necktie".split()
)

EYEGLASSES = "Eyeglasses"
#: What no new face in a photo has, unless asked (our own choice): networks of this size draw glasses that are half
#: dissolved, and glasses that stay are what others know somebody by.
TAKEN_OFF = (EYEGLASSES,)


def vocabulary(spec: str) -> tuple[str, ...]:
    """The attribute names that ``spec`` stands for: "attgan" (13), "celeba" (40) or CelebA names "A,B,C", in its order.

    Raises:
      ValueError: no names, one that CelebA does not have (with the nearest that it has), or one given twice.
    """
    if spec in (named := {"attgan": ATTGAN_ATTRIBUTES, "celeba": CELEBA_ATTRIBUTES}):
        return named[spec]
    names = tuple(name.strip() for name in spec.split(",") if name.strip())
    if not names:
        raise ValueError("no attributes: use attgan, celeba, or CelebA names separated by commas")
    positions(names, CELEBA_ATTRIBUTES)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"attributes given more than once: {', '.join(twice)}")
    return names


def positions(names: Sequence[str], available: Sequence[str]) -> list[int]:
    """Where each of ``names`` stands in ``available``.

    Raises:
      ValueError: naming all that are not there, each with the nearest name that is.
    """
    place = {name: i for i, name in enumerate(available)}
    if unknown := [name for name in names if name not in place]:
        raise ValueError(f"unknown attributes: {'; '.join(_nearest(name, available) for name in unknown)}")
    return [place[name] for name in names]


def _nearest(name: str, available: Sequence[str]) -> str:
    """The name with a hint at what may have been meant."""
    lower = {other.lower(): other for other in available}
    near = [other for other in lower if other.startswith(name.lower())]
    if near or (near := difflib.get_close_matches(name.lower(), lower, n=1)):
        return f"{name} (nearest: {lower[near[0]]})"
    return f"{name} (there are: {', '.join(available)})"


@dataclasses.dataclass(frozen=True, eq=False)
class Control:
    """The user's word on K attributes: each one may change, stays, or is forced to a value.

    change: (K,) float32 in {0, 1}, 1 = AINet may change it. What is forced may not change.
    forced: (K,) bool, True = has ``value`` whatever the photo shows.
    value: (K,) float32 in {0, 1}, 0 where nothing is forced.
    """

    change: np.ndarray
    forced: np.ndarray
    value: np.ndarray

    def resolve(self, attributes: np.ndarray | Array) -> Array:
        """Attributes (N, K) or (K,), as float32, with the forced values in place: what is kept bit for bit."""
        return jnp.where(self.forced, self.value, jnp.asarray(attributes, jnp.float32))


def control(
    names: Sequence[str],
    *,
    task: str = "none",
    keep: Sequence[str] = (),
    change: Sequence[str] | None = None,
    set: Mapping[str, int] | None = None,
    in_photo: bool = False,
) -> Control:
    """The control over the attributes ``names`` of a model, in words.

    Args:
      names: the K attributes of the model.
      task: a key of TASKS, whose attributes stay.
      keep: more attributes that stay.
      change: the only ones that may change; None: all that nothing else holds.
      set: attribute -> 0 or 1, forced.
      in_photo: the face is put back into a photo; if ``change`` is None, BEYOND_FACE holds its attributes, and those of
        TAKEN_OFF that nothing else names are set to 0.

    Raises:
      ValueError: an unknown task or attribute (with the nearest name), a value other than 0 and 1, or an attribute with
        two of the roles: kept (also by the task), changed, set.
    """
    if task not in TASKS:
        raise ValueError(f"unknown task {_nearest(task, tuple(TASKS))}")
    values = dict(set or {})
    positions([*keep, *(change or ()), *values], names)  # all unknown names in one error
    kept = {name: f"kept by task {task}" for name in TASKS[task] if name in names} | dict.fromkeys(keep, "kept")
    roles = [kept, dict.fromkeys(change or (), "to be changed"), {name: f"set to {v}" for name, v in values.items()}]
    for one, other in itertools.combinations(roles, 2):
        if both := [name for name in one if name in other]:
            raise ValueError("; ".join(f"{name} is both {one[name]} and {other[name]}" for name in both))
    if wrong := [name for name, value in values.items() if value not in (0, 1)]:
        raise ValueError(f"attributes are set to 0 or 1: {', '.join(f'{name}={values[name]}' for name in wrong)}")

    if change is None:
        change = [name for name in names if not (in_photo and name in BEYOND_FACE)]
        if in_photo:
            values = {name: 0 for name in TAKEN_OFF if name in names and name not in kept} | values
    free = frozenset(change) - kept.keys() - values.keys()
    return Control(
        change=np.array([name in free for name in names], np.float32),
        forced=np.array([name in values for name in names], bool),
        value=np.array([values.get(name, 0) for name in names], np.float32),
    )


_HAIR_COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")

#: Two findings (attribute, 0 or 1) that hardly any face has together. Counted over 15,178 CelebA photos, of those with
#: the rarer finding under 3.5 % have the other (Gray with Blond 7 %, most under 1 %). What sounds impossible but is not
#: is left out: gray hair on a bald head (24 %), 5_o_Clock_Shadow with No_Beard (30 %).
_IMPOSSIBLE: tuple[tuple[tuple[str, int], tuple[str, int]], ...] = (
    *(((one, 1), (other, 1)) for one, other in itertools.combinations(_HAIR_COLOURS, 2)),
    *((("Bald", 1), (hair, 1)) for hair in ("Bangs", *_HAIR_COLOURS[:3], "Straight_Hair", "Wavy_Hair")),
    (("Bangs", 1), ("Receding_Hairline", 1)),
    (("Straight_Hair", 1), ("Wavy_Hair", 1)),
    *((("No_Beard", 1), (beard, 1)) for beard in ("Goatee", "Mustache", "Sideburns")),
    *(((male, 1), ("Male", 0)) for male in ("5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns", "Bald")),
    (("No_Beard", 0), ("Male", 0)),
)


def _rules(names: Sequence[str]) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """The rules that speak of nothing but ``names``."""
    return [rule for rule in _IMPOSSIBLE if all(name in names for name, _ in rule)]


def plausibility_penalty(attributes: Array, names: Sequence[str]) -> Array:
    """How many rules of plausibility a combination of attributes breaks (our own rules).

    Hair colours exclude each other; a bald head has no bangs; No_Beard goes with no mustache; and so on. Each rule
    forbids two findings together and costs their product, so the penalty is 0 for a plausible 0/1 combination, the
    number of broken rules for another, and smooth in between.

    Args:
      attributes: (N, K) in [0, 1].
      names: the K attributes; rules about others do not apply.

    Returns:
      (N,), differentiable.
    """
    rules = _rules(names)
    if not rules:
        return jnp.zeros(attributes.shape[:-1], attributes.dtype)

    def findings(side: int) -> Array:
        """(N, rules): how far the first or second finding of each rule is there."""
        columns = attributes[..., np.array(positions([rule[side][0] for rule in rules], names))]
        return jnp.where(np.array([rule[side][1] == 1 for rule in rules]), columns, 1 - columns)

    return (findings(0) * findings(1)).sum(-1)


def violations(attributes: np.ndarray | Array, names: Sequence[str]) -> list[str]:
    """The rules of ``plausibility_penalty`` that 0/1 attributes (K,), or any row of (N, K), break; for reports.

    Each as words: "Bald with Bangs", "Mustache without Male".
    """
    has = np.asarray(jax.device_get(attributes)).reshape(-1, len(names)) > 0.5
    broken = []
    for rule in _rules(names):
        one, other = (has[:, names.index(name)] == value for name, value in rule)
        if (one & other).any():
            broken.append(_words(rule))
    return broken


def _words(rule: tuple[tuple[str, int], tuple[str, int]]) -> str:
    (one, first), (other, second) = rule
    if not first:
        return f"neither {one} nor {other}"
    return f"{one} {'with' if second else 'without'} {other}"
