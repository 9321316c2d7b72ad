"""Which of its seeds a face takes, with a network, a judge and a recogniser that are drawn by hand."""

import numpy as np

from a3gan_jax.faces.choice import choose
from a3gan_jax.faces.replacement import CANDIDATES, Face, replace
from tests.faces.fakes import SIZE, Eye, Painter, on_the_way
from tests.faces.scenes import face, photo


def middles(crops):
    return crops[:, SIZE // 2, SIZE // 2, 0].astype(float)


nobody = Eye(lambda value: False)


def test_the_most_natural_seeds_come_first_and_one_that_is_recognised_gives_way_to_the_next_best(dark):
    """Natural is what is light here, and the lightest but one is not recognised."""
    grey = {seed: 40 + seed % 151 for seed in Face(0, face(80, 90, 60), 10).candidates}
    assert len(grey) == CANDIDATES
    ranked = sorted(grey, key=grey.get, reverse=True)
    eye = Eye(lambda value: value < 1 or value > grey[ranked[1]] + 0.5)
    faces = on_the_way([dark], Face(0, face(80, 90, 60), 10), Face(0, face(200, 90, 60), 11), embed=eye)
    faces[1].outcome = "spared"
    choose(faces, Painter(), middles, nobody)
    assert list(faces[0].candidates) == ranked and faces[0].seed == ranked[0]
    assert faces[1].candidates == Face(0, face(200, 90, 60), 11).candidates
    painter = Painter()
    replace([dark], faces, painter, eye)
    assert painter.calls == [[ranked[0]], [ranked[1]]]
    assert (faces[0].outcome, faces[0].seed) == ("anonymised", ranked[1])


def test_a_person_takes_the_seed_that_is_most_natural_in_all_photos_together(dark):
    faces = on_the_way(
        [dark, dark + 90],
        Face(0, face(80, 90, 60), 10, person=7),
        Face(1, face(90, 90, 60), 25, person=7),
        Face(1, face(220, 90, 60), 10, person=8),
        embed=nobody,
    )
    first = [f.candidates for f in faces]
    greys = np.array([[40 + seed % 151 for seed in candidates] for candidates in first])
    choose(faces, Painter(), lambda crops: -abs(middles(crops) - 100), nobody)
    together, alone = (np.argsort(-rows.mean(0), kind="stable") for rows in np.split(-abs(greys - 100), [2]))
    assert (together != alone).any()
    for f, seeds, order in zip(faces, first, (together, together, alone), strict=True):
        assert f.candidates == tuple(np.take(seeds, order)) and f.seed == f.candidates[0]


def test_a_face_is_judged_where_it_will_stand_and_what_is_not_finite_is_the_last_choice(dark):
    image = photo(200, 300)
    faces = on_the_way([image], Face(0, face(80, 90, 60), 10), embed=nobody)
    seen, last = [], faces[0].candidates[2]

    class Frame(Painter):
        def __call__(self, crops, faces):
            images, *rest = super().__call__(crops, faces)
            images[:, 0] = 255  # outside of the mask
            return images, *rest

    choose(faces, Frame(broken=[last]), lambda crops: seen.append(crops) or middles(crops), nobody)
    shown = np.concatenate(seen)
    assert len(shown) == CANDIDATES and faces[0].candidates[-1] == last
    np.testing.assert_array_equal(shown[:, 0], [faces[0].crop[0]] * CANDIDATES)
    assert (faces[0].outcome, faces[0].new) == ("anonymised", None)
    choose([], Painter(), middles, nobody)


class Circle:
    """A recogniser for which a grey is an angle, that of the original 0: the cosine falls as ``alike`` says."""

    def __init__(self, alike):
        self.alike = alike

    def __call__(self, templates):
        cosines = np.array([self.alike(value) for value in templates[:, 40:70, 40:70].mean((1, 2, 3))])
        return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)


def test_looking_natural_and_being_unlike_the_original_count_alike(dark):
    """Whatever their units; and a face of which the recogniser says no number is the last choice."""
    grey = {seed: 40 + seed % 151 for seed in Face(0, face(80, 90, 60), 10).candidates}
    unlike = {seed: value**2 % 83 for seed, value in grey.items()}
    last = min(grey, key=grey.get)
    by_grey = {value: unlike[seed] for seed, value in grey.items()}

    def alike(value):
        nearest = min(by_grey, key=lambda known: abs(known - value))
        return 1.0 if value < 1 else np.nan if nearest == grey[last] else 0.2 - by_grey[nearest] / 1000

    embed = Circle(alike)
    faces = on_the_way([dark], Face(0, face(80, 90, 60), 10), embed=embed)
    choose(faces, Painter(), lambda crops: 7 * middles(crops), embed)
    values = np.array([[grey[seed], unlike[seed]] for seed in grey if seed != last], float)
    standard = ((values - values.mean(0)) / values.std(0)).sum(1)
    expected = np.array([seed for seed in grey if seed != last])[np.argsort(-standard)]
    assert faces[0].candidates == (*expected, last)
    assert not np.array_equal(expected, sorted(expected, key=grey.get, reverse=True))
    assert not np.array_equal(expected, sorted(expected, key=unlike.get, reverse=True))
