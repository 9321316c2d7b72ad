"""The command from end to end: every layout, everything that it refuses, and that it writes all or nothing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import onnxruntime
import pytest
import torch

import a3gan_jax
from a3gan_jax import model_folder, pretrained
from a3gan_jax.convert import recognizers, reference
from a3gan_jax.convert.layouts import LAYOUTS, build, entries, skeleton
from a3gan_jax.convert.torch_writer import write_state_dict

ROOT = Path(__file__).parents[2]
SMALL = {
    "attgan": dict(num_attributes=3, shortcut=1, inject=1, width=2, layers=3),
    "attgan_discriminator": dict(num_attributes=3, image_size=16, width=2, layers=2, hidden=4),
    "stgan": dict(
        num_attributes=3, shortcut=1, use_stu=True, one_more_conv=True, width=4, layers=3, stu_kernel=3
    ),
    "stgan_discriminator": dict(num_attributes=3, image_size=16, width=2, layers=2, hidden=4),
    "arcface": dict(blocks=(1, 1, 1, 1), width=2, features=8, image_size=32),
    "facenet": dict(num_classes=None, repeats=(1, 1, 1)),
    "mtcnn_pnet": {},
    "mtcnn_rnet": {},
    "mtcnn_onet": {},
}  # fmt: skip
SFACE_FILE = pretrained.wheel_file(*recognizers.SFACE_FILE, install=recognizers.SFACE_PACKAGE)


def tensors(name, seed=0):
    """A state dict of a small network: positive everywhere, so that variances are."""
    layout, random = LAYOUTS[name], np.random.default_rng(seed)
    shapes = entries(layout, skeleton(layout.network(**SMALL[name]), layout.inputs(SMALL[name])))
    return {key: random.uniform(0.01, 0.1, shape).astype(np.float32) for key, shape in shapes.items()}


def saved(path, tree):
    """By torch, as users' files are."""
    torch.save(jax.tree.map(torch.from_numpy, tree), path)
    return path


def assert_equal_trees(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_every_layout_is_tested():
    assert SMALL.keys() | {"sface"} == LAYOUTS.keys()


@pytest.mark.parametrize("name", SMALL)
def test_every_layout_is_guessed_and_comes_back(run_convert, tmp_path, name):
    given = tensors(name)
    code, out, err = run_convert(saved(tmp_path / "weights.pth", given), "--to", "model")
    assert (code, err) == (0, "")
    assert f"layout {name} (guessed" in out
    model = a3gan_jax.load("model", conv="lax")
    network, arguments, variables = build(LAYOUTS[name], given)
    assert arguments == SMALL[name]
    assert model.network == network
    assert_equal_trees(model.variables, variables)
    assert sorted(os.listdir(tmp_path)) == ["model", "weights.pth"]


def test_the_folder_explains_itself(run_convert, tmp_path):
    file = saved(tmp_path / "backbone.pth", tensors("arcface"))
    run_convert(file, "--to", "model")
    description = json.loads((tmp_path / "model" / "model.json").read_text())
    assert description["network"] == "arcface" and description["arguments"]["blocks"] == [1, 1, 1, 1]
    assert description["input"] == {
        "size": 32,
        "sizes": None,
        "channel_order": "RGB",
        "value_range": [-1.0, 1.0],
        "normalisation": "(x / 255 - 0.5) / 0.5; faces aligned to the ArcFace template",
    }
    assert description["source"]["file"] == "backbone.pth"
    digest = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True).stdout.split()[0]
    assert description["source"]["sha256"] == digest
    assert "non-commercial" in description["source"]["licence"]


def test_a_model_takes_what_the_peer_takes(run_convert, tmp_path):
    run_convert(saved(tmp_path / "g.pth", tensors("attgan")), "--to", "model")
    model = a3gan_jax.load("model")
    random = np.random.default_rng(1)
    images, attributes = (random.uniform(-1, 1, shape).astype(np.float32) for shape in ((2, 16, 16, 3), (2, 3)))
    network, _, variables = build(LAYOUTS["attgan"], tensors("attgan"))
    expected = jax.jit(network.apply)(variables, images, attributes)
    np.testing.assert_allclose(model(images, attributes), expected, rtol=1e-5, atol=1e-6)
    assert json.loads((tmp_path / "model/model.json").read_text())["input"]["size"] is None


def test_sface_takes_bytes_as_its_graph_does(run_convert):
    code, out, _ = run_convert(SFACE_FILE, "--to", "sface")
    assert code == 0 and "layout sface (guessed" in out
    images = np.random.default_rng(0).uniform(0, 255, (2, 112, 112, 3)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    graph = pretrained.read_onnx(SFACE_FILE).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(["fc1"], {"data": x[None]})[0] for x in images.transpose(0, 3, 1, 2)])
    got = a3gan_jax.load("sface")(images)
    assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_checkpoint_of_two_networks_is_ambiguous(run_convert, tmp_path, prefix):
    generator, discriminator = (
        {prefix + key: value for key, value in tensors(name).items()} for name in ("attgan", "attgan_discriminator")
    )
    file = tmp_path / "weights.pth"
    optimizer = {"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 2e-4}]}
    parts = {"G": generator, "D": discriminator, "optim_G": optimizer}
    torch.save(jax.tree.map(lambda x: torch.from_numpy(x) if isinstance(x, np.ndarray) else x, parts), file)
    code, out, err = run_convert(file, "--to", "model")
    assert code == 2 and out == ""
    assert "fits several layouts: attgan, attgan_discriminator; choose" in err and "--from LAYOUT" in err
    assert os.listdir(tmp_path) == ["weights.pth"]
    for name in ("attgan", "attgan_discriminator"):
        assert run_convert(file, "--to", name, "--from", name)[0] == 0
        assert a3gan_jax.load(name).description["network"] == name


def test_with_the_discriminator_absent_nothing_is_ambiguous(run_convert, tmp_path):
    code, out, _ = run_convert(saved(tmp_path / "x.pth", {"G": tensors("attgan")}), "--to", "model")
    assert code == 0 and "layout attgan (guessed" in out


def test_an_unknown_file_lists_the_layouts(run_convert, tmp_path):
    code, _, err = run_convert(saved(tmp_path / "x.pth", {"backbone.stem": np.ones(3, np.float32)}), "--to", "model")
    assert code == 2
    assert "none of the layouts: attgan, attgan_discriminator, stgan," in err and "backbone.stem" in err
    assert "sface" not in err  # which is no PyTorch layout
    assert os.listdir(tmp_path) == ["x.pth"]


def test_a_near_miss_names_the_nearest_layout_and_all_that_is_missing(run_convert, tmp_path):
    given = tensors("stgan")
    del given["decoder.1.1.running_var"], given["stu.0.reset_gate.0.weight"]
    given["encoder.1.1.weigth"] = given.pop("encoder.1.1.weight")
    code, _, err = run_convert(saved(tmp_path / "x.pth", given), "--to", "model")
    assert code == 2 and "the nearest is stgan, but it does not fit" in err
    assert "stu.0.reset_gate.0.weight: missing" in err  # without it the network's arguments cannot be told
    given["stu.0.reset_gate.0.weight"] = tensors("stgan")["stu.0.reset_gate.0.weight"]
    code, _, err = run_convert(saved(tmp_path / "x.pth", given), "--to", "model")
    assert code == 2 and "the nearest is stgan, but it does not fit" in err
    lines = ("decoder.1.1.running_var: missing, of shape (", "encoder.1.1.weight: missing", "1.weigth: not known")
    assert all(line in err for line in lines)
    (missing,) = (line for line in err.splitlines() if "encoder.1.1.weight: missing" in line)
    assert "encoder.1.1.weigth" in missing.split("nearest:")[1]
    asked = run_convert(tmp_path / "x.pth", "--to", "model", "--from", "stgan")
    assert asked[0] == 2 and ": does not fit the layout stgan:" in asked[2] and all(line in asked[2] for line in lines)
    assert os.listdir(tmp_path) == ["x.pth"]


def test_weights_that_are_not_finite_are_refused(run_convert, tmp_path):
    given = tensors("mtcnn_pnet")
    given["conv1.bias"][3] = np.nan
    given["conv2.bias"][0] = np.inf
    code, _, err = run_convert(saved(tmp_path / "x.pth", given), "--to", "model")
    assert code == 2 and "conv1.bias: holds NaN or infinity" in err and "conv2.bias: holds NaN" in err
    assert os.listdir(tmp_path) == ["x.pth"]


def test_shapes_that_make_no_network_are_refused(run_convert, tmp_path):
    """Sixty layers: an image of 2 ** 60 pixels a side."""
    given = {f"enc_layers.{i}.layers.0.weight": np.ones((2, 2, 4, 4), np.float32) for i in range(60)}
    given |= {f"dec_layers.{i}.layers.0.weight": np.ones((3, 2, 4, 4), np.float32) for i in range(60)}
    code, _, err = run_convert(saved(tmp_path / "x.pth", given), "--to", "model", "--from", "attgan")
    assert code == 2 and "does not fit the layout attgan" in err


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".onnx"])
def test_a_folder_or_an_absent_file_is_no_input(run_convert, tmp_path, suffix):
    assert run_convert(f"absent{suffix}", "--to", "model")[2].count("no such file") == 1
    (tmp_path / "holiday").mkdir()
    code, _, err = run_convert("holiday", "--to", "model")
    assert code == 2 and "only an A3GAN's" in err
    code, _, err = run_convert("holiday", "--to", "x.pth")
    assert code == 2 and "no model.json" in err


def test_what_is_there_is_not_replaced_unasked(run_convert, tmp_path):
    first, second = (saved(tmp_path / f"{i}.pth", tensors("mtcnn_pnet", i)) for i in range(2))
    assert run_convert(first, "--to", "model")[0] == 0
    code, _, err = run_convert(second, "--to", "model")
    assert code == 2 and "--overwrite" in err
    assert_equal_trees(a3gan_jax.load("model").variables, build(LAYOUTS["mtcnn_pnet"], tensors("mtcnn_pnet", 0))[2])
    assert run_convert(second, "--to", "model", "--overwrite")[0] == 0
    assert_equal_trees(a3gan_jax.load("model").variables, build(LAYOUTS["mtcnn_pnet"], tensors("mtcnn_pnet", 1))[2])
    (tmp_path / "model" / "checkpoints").mkdir()  # a training's workdir
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").touch()
    for target in ("model", "photos", "0.pth", "1.pth/"):
        code, _, err = run_convert(first, "--to", target, "--overwrite")
        assert code == 2 and ("not a model" in err or "would be a PyTorch file" in err)
    assert (tmp_path / "photos" / "me.jpg").exists() and (tmp_path / "model" / "checkpoints").exists()
    assert sorted(os.listdir(tmp_path)) == ["0.pth", "1.pth", "model", "photos"]


def test_a_failed_write_leaves_nothing_and_keeps_the_old(run_convert, tmp_path, monkeypatch):
    file = saved(tmp_path / "x.pth", tensors("mtcnn_pnet"))

    def full(*_, **options):
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(model_folder, "json", SimpleNamespace(dumps=full))
        code, _, err = run_convert(file, "--to", "model")
    assert code == 2 and err == "convert.py: error: no space left on device\n"
    assert os.listdir(tmp_path) == ["x.pth"]
    assert run_convert(file, "--to", "model")[0] == 0
    with monkeypatch.context() as patched:
        patched.setattr(model_folder, "json", SimpleNamespace(dumps=full))
        assert run_convert(file, "--to", "model", "--overwrite")[0] == 2
    assert sorted(os.listdir(tmp_path)) == ["model", "x.pth"]
    assert a3gan_jax.load("model").description["network"] == "mtcnn_pnet"


KILLED = """
import os, signal, sys
from types import SimpleNamespace
from a3gan_jax import model_folder
from tools import convert

def kill(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(model_folder, sys.argv[1], SimpleNamespace(dumps=kill, replace=kill))
convert.main(sys.argv[2:])
"""


@pytest.mark.parametrize("at", ["json", "os"], ids=["with the arrays written", "with the folder in its place"])
def test_a_killed_conversion_leaves_nothing_that_loads(run_convert, tmp_path, at):
    file = saved(tmp_path / "x.pth", tensors("mtcnn_pnet"))
    command = [sys.executable, "-c", KILLED, at, str(file), "--to", str(tmp_path / "model")]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (tmp_path / "model").exists() == (at == "os")
    for left in tmp_path.iterdir():
        with pytest.raises((FileNotFoundError, NotADirectoryError)):
            a3gan_jax.load(left)
    assert run_convert(file, "--to", "model")[0] == 0
    assert sorted(os.listdir(tmp_path)) == ["model", "x.pth"]


@pytest.mark.parametrize("command", [[str(ROOT / "tools" / "convert.py")], ["-m", "tools.convert"]], ids=["path", "-m"])
def test_it_runs_as_a_script_and_as_a_module(tmp_path, command):
    write_state_dict(tmp_path / "x.pth", tensors("mtcnn_pnet"))
    folder = tmp_path if command[0] != "-m" else ROOT
    run = subprocess.run(
        [sys.executable, "-W", "error", *command, str(tmp_path / "x.pth"), "--to", str(tmp_path / "model")],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0 and run.stderr == "", run.stderr
    assert (tmp_path / "model" / "model.json").exists()


def test_verify_runs_the_reference(run_convert, tmp_path, monkeypatch):
    file = saved(tmp_path / "x.pth", tensors("mtcnn_pnet"))
    code, out, _ = run_convert(file, "--to", "model", "--verify")
    assert code == 0 and "verified with the NumPy reference: largest relative error" in out
    for error in (2e-5, float("nan")):
        monkeypatch.setattr(reference, "verify", lambda *_, error=error: error)
        code, _, err = run_convert(file, "--to", "other", "--verify")
        assert code == 2 and "differ from the NumPy reference" in err
    assert sorted(os.listdir(tmp_path)) == ["model", "x.pth"]


def test_torch_as_reader(run_convert, tmp_path, monkeypatch):
    given = {key: torch.from_numpy(value).bfloat16() for key, value in tensors("mtcnn_pnet").items()}
    torch.save(given, tmp_path / "x.pth")
    for reader in ("safe", "torch"):
        assert run_convert("x.pth", "--to", reader, "--reader", reader)[0] == 0
    assert_equal_trees(a3gan_jax.load("safe").variables, a3gan_jax.load("torch").variables)
    (tmp_path / "x.pth").write_bytes(b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00a\x85R.")
    code, _, err = run_convert("x.pth", "--to", "model", "--reader", "torch")
    assert code == 2 and "torch cannot read it" in err and err.count("\n") == 1
    monkeypatch.setitem(sys.modules, "torch", None)
    code, _, err = run_convert("x.pth", "--to", "model", "--reader", "torch")
    assert code == 2 and "pip install torch" in err


def test_wrong_command_lines_end_with_2(run_convert, tmp_path):
    file = saved(tmp_path / "x.pth", tensors("mtcnn_pnet"))
    for arguments in ([file], [file, "--to", "x", "--from", "vgg"]):
        with pytest.raises(SystemExit) as stopped:
            run_convert(*arguments)
        assert stopped.value.code == 2
    code, _, err = run_convert(file, "--to", "x", "--from", "sface")
    assert code == 2 and "sface is not kept in .pth files" in err
