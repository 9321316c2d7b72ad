"""The README's pictures: which there are, what a row shows, which photos are refused."""

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from a3gan_jax.contact_sheet import GAP, LABEL_HEIGHT
from a3gan_jax.face_model import Anonymized
from a3gan_jax.networks import ModelConfig
from tests.random_models import random_model
from tools import draw_pictures

NAMES = ("Male", "Mouth_Slightly_Open")
MODEL = ModelConfig(64, NAMES, 2, base=4, levels=2, z_dim=2, style_width=8, discriminator_base=2, critic_base=2)


class StandIn:
    """A model that paints attributes and strength into faces."""

    attribute_names = NAMES

    def predict_attributes(self, images):
        return images[:, 0, 0, :2]

    def anonymize(self, images, *, control=None, strength=1.0, seed=0):
        before = self.predict_attributes(images)
        asked = before if control is None else np.asarray(control.resolve(before), np.uint8)
        changed = asked if control is None else np.where(control.change > 0, 9, asked)
        painted = np.zeros_like(images)
        painted[:, 0, 0, :2], painted[..., 2] = changed, round(strength * 100) + seed
        return Anonymized(painted, before, asked, NAMES)


@pytest.fixture
def faces() -> np.ndarray:
    """Three faces that show the two attributes as (0, 1), (1, 0) and (1, 1)."""
    images = np.zeros((3, 8, 8, 3), np.uint8)
    images[:, 0, 0, :2] = [[0, 1], [1, 0], [1, 1]]
    return images


def test_an_attribute_is_kept_and_changed_row_by_row(faces):
    columns = dict(draw_pictures.attribute(StandIn(), faces, "Mouth_Slightly_Open"))
    np.testing.assert_array_equal(columns["original"], faces)
    for seed in (0, 1):
        kept, changed = columns[f"kept, seed {seed}"], columns[f"changed, seed {seed}"]
        np.testing.assert_array_equal(kept[:, 0, 0, :2], [[9, 1], [9, 0], [9, 1]])
        np.testing.assert_array_equal(changed[:, 0, 0, :2], [[9, 0], [9, 1], [9, 0]])
        assert (kept[..., 2] == 100 + seed).all() and (changed[..., 2] == 100 + seed).all()
    with pytest.raises(ValueError, match="Mouth_Slightly_Open"):
        draw_pictures.attribute(StandIn(), faces, "Mouth")


def test_seeds_and_strengths_are_those_of_the_labels(faces):
    for label, images in draw_pictures.seeds(StandIn(), faces)[1:]:
        assert (images[..., 2] == 100 + int(label.removeprefix("seed "))).all()
    for label, images in draw_pictures.dial(StandIn(), faces)[1:]:
        assert (images[..., 2] == round(100 * float(label.removeprefix("strength ")))).all()


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(draw_pictures, "use_compilation_cache", lambda: None)
    monkeypatch.setattr(draw_pictures, "read_model", lambda name: random_model(MODEL))

    def run(*arguments) -> str:
        command = ["draw_pictures", *map(str, arguments), f"--output={tmp_path / 'docs'}"]
        monkeypatch.setattr("sys.argv", command)
        assert draw_pictures.main() == 0
        return capsys.readouterr().out

    return run


def test_a_photo_becomes_four_pictures(run, tmp_path):
    Image.fromarray(astronaut()).save(tmp_path / "photo.png")
    said = run(tmp_path / "photo.png", tmp_path / "photo.png")
    columns = {"seeds": 6, "attribute": 5, "dial": 6, "gates": 4}
    cell = 2 * 64 + GAP
    for name, count in columns.items():
        path = tmp_path / "docs" / f"{name}.jpg"
        assert str(path) in said
        with Image.open(path) as picture:
            assert picture.size == (count * cell - GAP, LABEL_HEIGHT + 2 * cell - GAP)
            # The first column shows the face: to the grey of the astronaut's cheek, not a blank.
            assert np.asarray(picture)[LABEL_HEIGHT + 40 : LABEL_HEIGHT + 100, 40:100].std() > 10


@pytest.mark.parametrize("content", [b"no photo", None])
def test_a_photo_without_a_face_is_named(run, tmp_path, content):
    path = tmp_path / "photo.png"
    if content:
        path.write_bytes(content)
    else:
        Image.fromarray(np.full((80, 80, 3), 127, np.uint8)).save(path)
    with pytest.raises(SystemExit, match="photo.png: no"):
        run(path)
    assert not (tmp_path / "docs").exists()
