"""YuNet's outputs decoded by hand, and the network on a photo."""

import sys

import numpy as np
import pytest

from a3gan_jax.data.procedural import ProceduralFaces
from a3gan_jax.faces import detector
from a3gan_jax.faces.detector import YuNet, suppress


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
        cells = (detector.SIDE // stride) ** 2
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{name}_{stride}"] = np.zeros((1, cells, width), np.float32)
    cell = 3 * (640 // 16) + 5  # row 3, column 5 of the grid of stride 16
    outputs["cls_16"][0, cell], outputs["obj_16"][0, cell] = 0.81, 1.0
    outputs["bbox_16"][0, cell] = [0.5, 0.25, np.log(4), np.log(2)]
    outputs["kps_16"][0, cell, :2] = [1, -1]
    boxes, landmarks, scores = detector._decode(outputs, 0.7)
    np.testing.assert_allclose(boxes, [[88 - 32, 52 - 16, 64, 32]], rtol=1e-5)  # centre (5.5, 3.25) * 16
    np.testing.assert_allclose(landmarks[0, :2], [[96, 32], [80, 48]], rtol=1e-5)
    np.testing.assert_allclose(scores, [0.9], rtol=1e-5)


def test_large_photos_are_shrunk_and_small_ones_are_not():
    square, scale = detector._letterbox(np.full((320, 1280, 3), 7, np.uint8))
    assert scale == 0.5 and square.shape == (640, 640, 3)
    assert (square[:160] == 7).all() and not square[160:].any()
    square, scale = detector._letterbox(np.full((100, 50, 3), 7, np.uint8))
    assert scale == 1.0 and square.sum() == 100 * 50 * 3 * 7


def test_a_drawn_face_is_found_where_it_is():
    size = 192
    faces, yunet = ProceduralFaces(16, image_size=size), YuNet()
    errors = []
    for i in range(0, 16, 4):
        if detections := yunet(faces[i]["image"]):
            errors.append(np.abs(detections[0].landmarks - faces.annotation(i)["landmarks"]).max())
    assert len(errors) >= 2 and np.median(errors) < 0.12 * size
    assert yunet(np.zeros((96, 128, 3), np.uint8)) == []


def test_without_onnxruntime_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModuleNotFoundError, match=r'needs onnxruntime: pip install "a3gan-jax\[eval\]"'):
        YuNet()
