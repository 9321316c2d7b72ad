"""A method is attacked on photos of other people, and recognisers look at what the attack restores."""

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.evals import survey
from a3gan_jax.evals.attacks.restoration import Restoration, restore
from a3gan_jax.evals.data.open import DataSpec
from tests.evals.astronaut import astronaut


@pytest.fixture
def photos(tmp_path):
    """Writes photos as a data set."""

    def write(name: str, images: list[np.ndarray]) -> DataSpec:
        folder = tmp_path / name
        folder.mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{number}.png")
        rows = [f"{number}.png,0" for number in range(len(images))]
        (folder / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
        return DataSpec("csv", str(folder))

    return write


def attack(tmp_path, tested: DataSpec, train: DataSpec) -> Restoration:
    spec = survey.Spec(tested, "identity", None, 0, ("sface",), (), (), str(tmp_path / "seen"))
    return Restoration(spec, train, steps=2)


def test_each_photo_with_a_face_is_restored_and_seen(tmp_path, photos):
    image, _ = astronaut()
    given = attack(tmp_path, photos("tested", [image, np.zeros_like(image)]), photos("others", [image[:, ::-1]]))
    first, again = restore(given), restore(given)
    seen = first.values["sface"]
    assert np.isfinite(seen[0]).all() and np.isnan(seen[1]).all()
    np.testing.assert_array_equal(again.values["sface"], seen)


def test_an_attacker_needs_faces(tmp_path, photos):
    image, _ = astronaut()
    given = attack(tmp_path, photos("tested", [image]), photos("others", [np.zeros_like(image)]))
    with pytest.raises(ValueError, match="others shows none"):
        restore(given)
