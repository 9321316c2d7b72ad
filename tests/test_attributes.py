"""The vocabulary, controls and plausibility."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a3gan_jax.attributes import (
    ATTGAN_ATTRIBUTES,
    CELEBA_ATTRIBUTES,
    TASKS,
    control,
    plausibility_penalty,
    positions,
    violations,
    vocabulary,
)


def face(*present: str, names=CELEBA_ATTRIBUTES) -> np.ndarray:
    return np.array([name in present for name in names], np.float32)


# ---- vocabulary


def test_the_order_of_the_named_vocabularies():
    assert len(CELEBA_ATTRIBUTES) == 40 and CELEBA_ATTRIBUTES[0] == "5_o_Clock_Shadow"
    assert CELEBA_ATTRIBUTES.index("Male") == 20 and CELEBA_ATTRIBUTES[-1] == "Young"
    assert vocabulary("celeba") is CELEBA_ATTRIBUTES
    assert vocabulary("attgan") is ATTGAN_ATTRIBUTES and len(ATTGAN_ATTRIBUTES) == 13
    assert list(ATTGAN_ATTRIBUTES) == sorted(ATTGAN_ATTRIBUTES)


def test_a_vocabulary_by_name_keeps_its_order():
    assert vocabulary("Young, Bald") == ("Young", "Bald")
    assert positions(("Young", "Bald"), CELEBA_ATTRIBUTES) == [39, 4]


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("Young,Smilling,bald", r"Smilling \(nearest: Smiling\); bald \(nearest: Bald\)"),
        ("Mouth", r"Mouth \(nearest: Mouth_Slightly_Open\)"),
        ("Xyzzy", r"Xyzzy \(there are: 5_o_Clock_Shadow, "),
        ("Bald,Young,Bald", "more than once: Bald"),
        (" , ", "no attributes"),
    ],
)
def test_wrong_vocabularies(spec, complaint):
    with pytest.raises(ValueError, match=complaint):
        vocabulary(spec)


# ---- control


def test_everything_may_change_unless_it_is_held():
    free = control(ATTGAN_ATTRIBUTES)
    assert free.change.dtype == np.float32 and free.change.all() and not free.forced.any() and not free.value.any()
    held = control(ATTGAN_ATTRIBUTES, task="fatigue", keep=["Male"], set={"Bald": 0, "Bangs": 1})
    kept = {"Mouth_Slightly_Open", "Eyeglasses", "Male"}  # of the task, those that the vocabulary has
    assert {n for n, c in zip(ATTGAN_ATTRIBUTES, held.change, strict=True) if not c} == kept | {"Bald", "Bangs"}
    assert {n for n, f in zip(ATTGAN_ATTRIBUTES, held.forced, strict=True) if f} == {"Bald", "Bangs"}


def test_change_names_the_only_ones():
    only = control(ATTGAN_ATTRIBUTES, change=["Young", "Bald"], task="expression", set={"Male": 1})
    assert [n for n, c in zip(ATTGAN_ATTRIBUTES, only.change, strict=True) if c] == ["Bald", "Young"]
    assert not control(ATTGAN_ATTRIBUTES, change=[]).change.any()


def test_in_a_photo_what_it_shows_beyond_the_face_stays_unless_asked():
    def free(**words):
        found = control(ATTGAN_ATTRIBUTES, in_photo=True, **words)
        return [n for n, c in zip(ATTGAN_ATTRIBUTES, found.change, strict=True) if c]

    face = ["Bushy_Eyebrows", "Male", "Mouth_Slightly_Open", "Mustache", "No_Beard", "Young"]
    assert free() == face and free(set={"Bald": 1}) == face
    assert free(task="fatigue", keep=["Male"]) == ["Bushy_Eyebrows", "Mustache", "No_Beard", "Young"]
    assert free(change=["Young", "Bald"]) == ["Bald", "Young"]
    assert free(change=["Eyeglasses"]) == ["Eyeglasses"]


@pytest.mark.parametrize(
    ("words", "worn"),
    [
        ({}, (0, 0)),
        ({"set": {"Eyeglasses": 1}}, (1, 1)),
        ({"keep": ["Eyeglasses"]}, (0, 1)),
        ({"task": "fatigue"}, (0, 1)),
        ({"change": []}, (0, 1)),
        ({"in_photo": False, "change": []}, (0, 1)),
    ],
)
def test_in_a_photo_glasses_are_taken_off_unless_asked(words, worn):
    names = ("Eyeglasses", "Young")
    found = control(names, **{"in_photo": True} | words)
    resolved = np.asarray(found.resolve(np.array([[0, 1], [1, 1]], np.float32)))
    assert tuple(resolved[:, 0]) == worn and (resolved[:, 1] == 1).all() and not found.change[0]
    assert not control(("Young",), in_photo=True).forced.any()


def test_resolve_forces_values_and_keeps_the_rest_bit_for_bit():
    attributes = np.random.default_rng(0).random((5, 13)).astype(np.float32)
    forced = control(ATTGAN_ATTRIBUTES, set={"Bald": 1, "Young": 0})
    resolved = np.asarray(forced.resolve(attributes))
    bald, young = ATTGAN_ATTRIBUTES.index("Bald"), ATTGAN_ATTRIBUTES.index("Young")
    assert (resolved[:, bald] == 1).all() and (resolved[:, young] == 0).all()
    rest = [i for i in range(13) if i not in (bald, young)]
    np.testing.assert_array_equal(resolved[:, rest], attributes[:, rest])
    assert forced.resolve(attributes[0].astype(np.uint8)).dtype == jnp.float32
    np.testing.assert_array_equal(jax.jit(forced.resolve)(attributes), resolved)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"keep": ["Male"], "change": ["Male", "Young"]}, "Male is both kept and to be changed"),
        ({"keep": ["Male"], "set": {"Male": 1}}, "Male is both kept and set to 1"),
        ({"change": ["Bald"], "set": {"Bald": 0}}, "Bald is both to be changed and set to 0"),
        ({"task": "expression", "set": {"Mouth_Slightly_Open": 1}}, "both kept by task expression and set to 1"),
        ({"set": {"Male": 2}}, "set to 0 or 1: Male=2"),
        ({"task": "expresion"}, r"unknown task expresion \(nearest: expression\)"),
        ({"keep": ["Smiling"], "set": {"Yung": 1}}, r"Smiling .*; Yung \(nearest: Young\)"),
    ],
)
def test_contradictions_are_errors(words, complaint):
    with pytest.raises(ValueError, match=complaint):
        control(ATTGAN_ATTRIBUTES, **words)


def test_tasks_name_celeba_attributes():
    assert set(TASKS) == {"none", "detection", "verification", "expression", "fatigue"}
    for kept in TASKS.values():
        positions(kept, CELEBA_ATTRIBUTES)
    assert set(TASKS["expression"]) == {"Smiling", "Mouth_Slightly_Open", "High_Cheekbones", "Narrow_Eyes"}


# ---- plausibility


@pytest.mark.parametrize(
    ("present", "broken"),
    [
        (("Male", "No_Beard", "Brown_Hair", "Bangs", "Young"), []),
        (("No_Beard", "Blond_Hair", "Wavy_Hair"), []),
        (("Male", "Goatee", "Mustache", "Bald", "Gray_Hair"), []),
        (("Male", "No_Beard", "5_o_Clock_Shadow"), []),  # CelebA has plenty of these
        (("Male", "No_Beard", "Bald", "Bangs"), ["Bald with Bangs"]),
        (("Male", "No_Beard", "Mustache"), ["No_Beard with Mustache"]),
        (("No_Beard", "Black_Hair", "Blond_Hair"), ["Black_Hair with Blond_Hair"]),
        (("Young",), ["neither No_Beard nor Male"]),
        (("Mustache", "No_Beard"), ["No_Beard with Mustache", "Mustache without Male"]),
    ],
)
def test_each_broken_rule_costs_one(present, broken):
    attributes = face(*present)
    assert violations(attributes, CELEBA_ATTRIBUTES) == broken
    assert float(plausibility_penalty(jnp.asarray(attributes[None]), CELEBA_ATTRIBUTES)[0]) == len(broken)


def test_three_hair_colours_break_three_rules_and_a_batch_reports_each_once():
    rows = np.stack([face("No_Beard", "Black_Hair", "Brown_Hair", "Gray_Hair"), face("Male", "Goatee")])
    np.testing.assert_array_equal(plausibility_penalty(jnp.asarray(rows), CELEBA_ATTRIBUTES), [3, 0])
    assert len(violations(np.concatenate([rows, rows]), CELEBA_ATTRIBUTES)) == 3


def test_rules_hold_for_any_vocabulary():
    names = ("Young", "Bangs", "Bald")  # other order, and most rules speak of names that are not here
    combinations = jnp.array(list(itertools.product((0.0, 1.0), repeat=3)))
    expected = [float(bangs and bald) for _, bangs, bald in combinations.tolist()]
    np.testing.assert_array_equal(plausibility_penalty(combinations, names), expected)
    np.testing.assert_array_equal(plausibility_penalty(combinations[:, :1], ("Young",)), np.zeros(8))
    assert violations(combinations[:, :1], ("Young",)) == []


def test_the_penalty_is_differentiable_and_pushes_both_apart():
    names = ("Bald", "Bangs", "Male")
    gradient = jax.jit(jax.grad(lambda a: plausibility_penalty(a, names).sum()))(jnp.array([[0.5, 0.25, 1.0]]))
    np.testing.assert_allclose(gradient, [[0.25, 0.5, -0.5]])  # d/d Bald: Bangs + (1 - Male)
