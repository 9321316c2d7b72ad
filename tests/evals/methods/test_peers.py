"""Methods of others: what they get, and every failure by the name of its file."""

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.evals.methods.peers import Folder, Peer
from a3gan_jax.faces.detector import Detection
from tests.faces.scenes import photo

FOUND = [Detection(np.array([5.0, 6, 20, 30]), None, 1.0), Detection(np.array([40.0, 6, 20, 30]), None, 0.8)]
MODULE = """
import numpy as np

def blacken(photo, boxes):
    assert boxes.shape == (2, 4) and boxes.dtype == float and photo.dtype == np.uint8
    for left, top, width, height in boxes.astype(int):
        photo[top : top + height, left : left + width] = 0
    return photo

def half(photo, boxes): return photo[::2]
def floats(photo, boxes): return photo / 2
def fails(photo, boxes): raise KeyError("no weights")
number = 3
"""


@pytest.fixture(scope="module")
def street() -> np.ndarray:
    return photo(50, 80).clip(1)


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "peer_of_these_tests.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_function_gets_a_copy_of_each_photo_with_faces_and_their_boxes(street):
    before = street.copy()
    result, empty = Peer("peer_of_these_tests:blacken")([street, street], [FOUND, []], ["a.png", "b.png"])
    np.testing.assert_array_equal(street, before)
    np.testing.assert_array_equal(empty, street)
    assert not result[6:36, 5:25].any() and not result[6:36, 40:60].any()
    assert (result == 0).all(-1).sum() == 2 * 20 * 30


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            "half",
            r"c/b.png: .*:half must return uint8 \(50, 80, 3\), and returned uint8 \(25, 80, 3\)",
        ),
        ("floats", r"c/b.png: peer_of_these_tests:floats must return uint8 .* returned float64"),
        ("fails", "c/b.png: peer_of_these_tests:fails raised KeyError: 'no weights'"),
    ],
)
def test_what_a_function_does_wrong_is_told_by_file(street, name, complaint):
    with pytest.raises(ValueError, match=complaint):
        Peer(f"peer_of_these_tests:{name}")([street, street], [[], FOUND], ["a.png", "c/b.png"])


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("no_such_module_here:function", "No module named 'no_such_module_here'"),
        ("peer_of_these_tests:function", "has no attribute 'function'"),
        ("peer_of_these_tests:number", "it cannot be called"),
    ],
)
def test_what_is_no_function_is_refused(path, complaint):
    with pytest.raises(ValueError, match=f"no method {path}: .*{complaint}"):
        Peer(path)


def test_a_folder_is_read_by_relative_names(street, tmp_path):
    (tmp_path / "done" / "c").mkdir(parents=True)
    images = {"a.png": 255 - street, "c/b.png": street // 2}
    for file, image in images.items():
        Image.fromarray(image).save(tmp_path / "done" / file)
    results = Folder(tmp_path / "done")([street, street], [FOUND, []], list(images))
    for result, image in zip(results, images.values(), strict=True):
        np.testing.assert_array_equal(result, image)


def test_failures_of_a_folder_are_told_by_file(street, tmp_path):
    folder = tmp_path / "done"
    (folder / "c").mkdir(parents=True)
    Image.fromarray(street[:40]).save(folder / "small.png")
    (folder / "c" / "text.png").write_text("no image")
    for file, complaint in {
        "c/absent.png": "c/absent.png: in folder:.* cannot be opened: No such file",
        "c/text.png": "c/text.png: in folder:.* no image format",
        "small.png": "small.png: in folder:.* it has 80x40 pixels, the original 80x50",
    }.items():
        with pytest.raises(ValueError, match=complaint):
            Folder(folder)([street], [FOUND], [file])
    with pytest.raises(ValueError, match="is no folder: name one"):
        Folder(tmp_path / "absent")
