"""YuNet's outputs decoded by hand, and the network on a photo."""

import sys

import numpy as np
import pytest

from a3gan_jax.convert.recognizers import SFACE_FILE, SFACE_PACKAGE
from a3gan_jax.data.procedural import ProceduralFaces
from a3gan_jax.faces import detector
from a3gan_jax.faces.detector import YuNet, suppress
from a3gan_jax.pretrained import wheel_file


def test_suppression_by_hand():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [20, 0, 10, 10], [5, 0, 10, 10]], float)
    scores = np.array([0.8, 0.9, 0.7, 0.6])
    # Box 1 is the best. It shares 90 of 110 with box 0 and 60 of 140 with box 3; box 2 lies apart.
    assert suppress(boxes, scores, 0.3).tolist() == [1, 2]
    assert suppress(boxes, scores, 0.5).tolist() == [1, 2, 3]
    assert suppress(boxes[:0], scores[:0], 0.3).size == 0


def test_one_cell_decoded_by_hand():
    outputs = {}
    for stride in detector.STRIDES:
        cells = (640 // stride) * (320 // stride)
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{name}_{stride}"] = np.zeros((1, cells, width), np.float32)
    cell = 3 * (640 // 16) + 5  # row 3, column 5 of the grid of stride 16
    outputs["cls_16"][0, cell], outputs["obj_16"][0, cell] = 0.81, 1.0
    outputs["bbox_16"][0, cell] = [0.5, 0.25, np.log(4), np.log(2)]
    outputs["kps_16"][0, cell, :2] = [1, -1]
    boxes, landmarks, scores = detector._decode(outputs, 640, 0.7)
    np.testing.assert_allclose(boxes, [[88 - 32, 52 - 16, 64, 32]], rtol=1e-5)  # centre (5.5, 3.25) * 16
    np.testing.assert_allclose(landmarks[0, :2], [[96, 32], [80, 48]], rtol=1e-5)
    np.testing.assert_allclose(scores, [0.9], rtol=1e-5)


def test_large_photos_are_shrunk_and_small_ones_are_not():
    shown, scale = detector._letterbox(np.full((340, 1280, 3), 7, np.uint8))
    assert scale == 0.5 and shown.shape == (192, 640, 3)
    assert (shown[:170] == 7).all() and not shown[170:].any()
    shown, scale = detector._letterbox(np.full((100, 50, 3), 7, np.uint8))
    assert scale == 1.0 and shown.shape == (128, 64, 3) and shown.sum() == 100 * 50 * 3 * 7


def test_a_face_is_found_where_it_was_whatever_black_lies_beyond():
    yunet, photo = YuNet(score=0.3), ProceduralFaces(1, image_size=192)[0]["image"]
    (face,) = yunet(photo)
    (other,) = yunet(np.pad(photo, ((0, 448), (0, 192), (0, 0))))
    np.testing.assert_allclose(other.landmarks, face.landmarks, atol=2)
    assert abs(other.score - face.score) < 0.05


def test_a_drawn_face_is_found_where_it_is():
    size = 192
    faces, yunet = ProceduralFaces(16, image_size=size), YuNet()
    errors = []
    for i in range(0, 16, 4):
        if detections := yunet(faces[i]["image"]):
            errors.append(np.abs(detections[0].landmarks - faces.annotation(i)["landmarks"]).max())
    assert len(errors) >= 2 and np.median(errors) < 0.12 * size
    assert yunet(np.zeros((96, 128, 3), np.uint8)) == []


def test_tiles_cover_a_large_photo_and_overlap():
    assert list(detector._tiles(1280, 1280)) == []
    for height, width in ((3000, 4000), (700, 5000), (1281, 900)):
        tiles = list(detector._tiles(height, width))
        for face in (1, 300):  # pixels, and tiles of the smallest kind that hold it whole
            seen = np.zeros((height, width), bool)
            for left, top, side in tiles:
                if side == detector.TILE:
                    seen[top : top + side - face + 1, left : left + side - face + 1] = True
            assert seen[: max(height - face, 1), : max(width - face, 1)].all()
    assert {side for *_, side in detector._tiles(100, 9000)} == {1280, 3840}


class SearchedInBlocks(YuNet):
    """In the place of the network: it sees a white square, as far as it is in sight, of 10 px or more when shrunk."""

    def __init__(self):
        self._overlap = 0.3

    def _search(self, image):
        shown, scale = detector._letterbox(image)
        rows, columns = np.nonzero(shown[..., 0] > 128)
        if not rows.size or np.ptp(rows) < 9:
            return np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0)
        box = np.array([columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]) / scale
        return box[None], np.tile(box[:2], (1, 5, 1)), np.ones(1)


@pytest.mark.parametrize("corner", [(700, 1000), (1270, 1270), (2950, 1100)])
def test_a_small_face_in_a_large_photo_is_found_once_and_whole(corner):
    photo, (x, y) = np.zeros((2000, 3000, 3), np.uint8), corner
    photo[y : y + 24, x : x + 24] = 255  # 5 px of the 640
    (face,) = SearchedInBlocks()(photo)
    np.testing.assert_allclose(face.box, [x, y, 24, 24], atol=3)
    np.testing.assert_allclose(face.landmarks, np.tile(face.box[:2], (5, 1)))


def test_without_onnxruntime_the_error_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModuleNotFoundError, match="needs onnxruntime: pip install onnxruntime"):
        YuNet()


def test_another_detector_of_the_same_form(tmp_path):
    file = tmp_path / "detector.onnx"
    file.write_bytes(wheel_file(*detector.YUNET_FILE, install=detector.YUNET_PACKAGE).read_bytes())
    photo = ProceduralFaces(1, image_size=192)[0]["image"]
    own, other = YuNet(score=0.3)(photo), YuNet(score=0.3, path=file)(photo)
    assert own and [face.box.tolist() for face in own] == [face.box.tolist() for face in other]


def test_files_that_are_no_detector(tmp_path):
    with pytest.raises(FileNotFoundError):
        YuNet(path=tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ValueError, match="not an ONNX model that runs here"):
        YuNet(path=tmp_path / "text.onnx")
    with pytest.raises(ValueError, match="not a YuNet of OpenCV's model zoo: it must take 'input'"):
        YuNet(path=wheel_file(*SFACE_FILE, install=SFACE_PACKAGE))
