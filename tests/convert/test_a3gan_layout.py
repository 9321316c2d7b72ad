"""A3GAN as a PyTorch state dict and back, bit for bit; and what is no such file."""

import dataclasses
import functools
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import a3gan_jax
from a3gan_jax import inference
from a3gan_jax.anonymizer import Anonymizer
from a3gan_jax.checkpoint import SavedModel, export_model, load_model
from a3gan_jax.convert.layouts import LayoutError, a3gan
from a3gan_jax.convert.layouts.table import skeleton
from a3gan_jax.convert.torch_file import read_checkpoint
from a3gan_jax.convert.torch_writer import write_state_dict
from a3gan_jax.models.layers import Conv
from a3gan_jax.networks import ModelConfig, Networks
from tools import convert

CONFIG = ModelConfig(
    128,
    ("Male", "Smiling", "é😀"),
    7,
    base=4,
    levels=2,
    details=1,
    z_dim=3,
    style_width=8,
    discriminator_base=2,
    conv="lax",
)


@functools.cache
def model() -> SavedModel:
    networks, random = Networks.create(CONFIG), np.random.default_rng(0)
    image, attributes, z = (1, 128, 128, 3), (1, 3), (1, 3)
    shapes = {
        "generator": skeleton(networks.generator, (image, attributes, attributes, z, (1,))),
        "ainet": skeleton(networks.ainet, (attributes, attributes, z)),
        "discriminator": skeleton(networks.discriminator, (image,)),
    }
    variables = jax.tree.map(lambda leaf: random.normal(0, 0.1, leaf.shape).astype(np.float32), shapes)
    return SavedModel(CONFIG, variables, 1234)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export_model("model", CONFIG, model().variables, model().step)
    return tmp_path


def assert_same(got: SavedModel):
    assert (got.config, got.step) == (CONFIG, 1234)
    jax.tree.map(np.testing.assert_array_equal, got.variables, model().variables)


def test_there_and_back_by_the_command_is_bit_for_bit(folder, capsys):
    assert convert.main(["model", "--to", "weights.pth", "--from", "a3gan"]) == 0
    assert convert.main(["weights.pth", "--to", "again", "--from", "a3gan"]) == 0
    assert_same(load_model("again"))
    first, second = (json.loads((folder / name / "model.json").read_text()) for name in ("model", "again"))
    assert second.pop("source")["file"] == "weights.pth"
    assert first == second
    assert sorted(os.listdir(folder)) == ["again", "model", "weights.pth"]
    capsys.readouterr()
    assert convert.main(["weights.pth", "--to", "guessed"]) == 0
    assert "layout a3gan (guessed" in capsys.readouterr().out


def test_torch_reads_it_and_what_torch_saves_comes_back(folder):
    assert convert.main(["model", "--to", "weights.pth", "--from", "a3gan"]) == 0
    tensors = torch.load("weights.pth", weights_only=True)
    mapped = torch.load("weights.pth", weights_only=True, mmap=True)
    written = a3gan.to_state_dict(model())
    assert list(tensors) == list(mapped) == list(written)
    for name, value in written.items():
        np.testing.assert_array_equal(tensors[name].numpy(), value)
        np.testing.assert_array_equal(mapped[name].numpy(), value)
        assert tensors[name].is_contiguous()
    for zipped in (True, False):
        torch.save(tensors, "torch.pth", _use_new_zipfile_serialization=zipped)
        assert_same(a3gan.from_state_dict(read_checkpoint("torch.pth")))


def test_names_and_axes_are_pytorchs():
    """A layer of each kind, run by torch with the tensors as they are."""
    tensors, params = a3gan.to_state_dict(model()), model().variables["generator"]["params"]
    x = np.random.default_rng(1).normal(size=(2, 8, 8, 8)).astype(np.float32)

    def theirs(function, name, **options):
        weights = (torch.from_numpy(tensors[f"generator.{name}.{part}"]) for part in ("weight", "bias"))
        return function(torch.from_numpy(x.transpose(0, 3, 1, 2)), *weights, **options).numpy().transpose(0, 2, 3, 1)

    up = Conv(4, "up").apply({"params": params["decoder"]["Conv_1"]}, x)
    wanted = theirs(torch.nn.functional.conv_transpose2d, "decoder.conv.1", stride=2, padding=1)
    np.testing.assert_allclose(up, wanted, atol=1e-5)
    state = Conv(8, "pointwise").apply({"params": params["suppression"]["unit_0"]["state"]}, x)
    np.testing.assert_allclose(state, theirs(torch.nn.functional.conv2d, "suppression.0.state"), atol=1e-5)
    assert tensors["generator.encoder.conv.0.weight"].shape == (4, 3, 4, 4)
    assert tensors["generator.style.0.weight"].shape == (8, 9)
    assert tensors["generator.constant"].shape == (8, 16, 16)
    np.testing.assert_array_equal(tensors["generator.constant"][5], params["constant"][..., 5])
    description = json.loads(bytes(tensors["a3gan.model"]))
    assert description == {"format": 1, "step": 1234, "networks": json.loads(json.dumps(CONFIG.to_dict()))}


def test_equal_models_make_equal_files(tmp_path):
    tensors = a3gan.to_state_dict(model())
    for name in ("a.pth", "b.pth"):
        write_state_dict(tmp_path / name, tensors)
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["a.pth", "b.pth"]


def test_scalars_and_empty_tensors_can_be_written(tmp_path):
    tensors = {"scalar": np.float32(3), "empty": np.zeros((0, 3), np.float32), "turned": np.ones((2, 3), np.uint8).T}
    write_state_dict(tmp_path / "x.pth", {name: np.asarray(value) for name, value in tensors.items()})
    read, ours = torch.load(tmp_path / "x.pth", weights_only=True), read_checkpoint(tmp_path / "x.pth")
    for name, value in tensors.items():
        np.testing.assert_array_equal(read[name].numpy(), value)
        np.testing.assert_array_equal(ours[name], value)


def test_what_is_written_replaces_nothing_unasked(folder, capsys):
    (folder / "weights.pth").write_bytes(b"mine")
    assert convert.main(["model", "--to", "weights.pth", "--from", "a3gan"]) == 2
    assert "--overwrite" in capsys.readouterr().err and (folder / "weights.pth").read_bytes() == b"mine"
    assert convert.main(["model", "--to", "weights.pth", "--overwrite"]) == 0
    assert convert.main(["weights.pth", "--to", "model", "--from", "a3gan"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert convert.main(["weights.pth", "--to", "model", "--from", "a3gan", "--overwrite"]) == 0
    assert convert.main(["model", "--to", "x.pth", "--from", "attgan"]) == 2
    assert convert.main(["model", "--to", "x", "--from", "a3gan"]) == 2
    assert convert.main(["model", "--to", "x.pth", "--from", "a3gan", "--verify"]) == 2
    assert sorted(os.listdir(folder)) == ["model", "weights.pth"]


def test_a_failed_write_leaves_no_file(folder, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert convert.main(["model", "--to", "weights.pth", "--from", "a3gan"]) == 2
    assert os.listdir(folder) == ["model"]


def as_json(**change) -> np.ndarray:
    description = {"format": 1, "step": 1, "networks": CONFIG.to_dict() | change}
    return np.frombuffer(json.dumps(description).encode(), np.uint8)


BROKEN = {
    "no json": np.frombuffer(b"{", np.uint8),
    "no utf-8": np.frombuffer(b"\xff\xff", np.uint8),
    "nothing": np.zeros(0, np.uint8),
    "a list": np.frombuffer(b"[1]", np.uint8),
    "a newer format": np.frombuffer(b'{"format": 2}', np.uint8),
    "no networks": np.frombuffer(b'{"format": 1, "step": 1}', np.uint8),
    "deep": np.frombuffer(b"[" * 100_000, np.uint8),
    "an unknown key": as_json(width=3),
    "a size of no network": as_json(image_size=65),
    "too many levels": as_json(levels=9),
    "a negative width": as_json(base=-4),
    "a width of text": as_json(base="4"),
    "a fraction": as_json(base=4.5),
    "attributes without names": as_json(attributes=[1, 2, 3]),
    "an unknown form": as_json(conv="fft"),
    "another width": as_json(base=8),
    "another size": as_json(image_size=256),
    "more details than fit": as_json(details=2),
    "fewer details than none": as_json(details=-1),
    "half a detail": as_json(details=0.5),
    "another width of the details": as_json(detail_channels=8),
    "a negative width of the details": as_json(detail_channels=-4),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_description_that_does_not_fit_is_refused(name):
    with pytest.raises(LayoutError, match="does not fit the layout a3gan"):
        a3gan.from_state_dict(a3gan.to_state_dict(model()) | {"a3gan.model": BROKEN[name]})


def test_tensors_that_do_not_fit_are_refused():
    tensors = a3gan.to_state_dict(model())
    tensors["ainet.0.bias"] = np.full_like(tensors["ainet.0.bias"], np.nan)
    del tensors["discriminator.real.bias"]
    tensors["critic.conv.0.weight"] = np.zeros(3, np.float32)
    with pytest.raises(LayoutError) as refused:
        a3gan.from_state_dict(tensors)
    assert len(refused.value.problems) == 3
    del tensors["a3gan.model"]
    with pytest.raises(LayoutError, match="a3gan.model: missing"):
        a3gan.from_state_dict(tensors)
    with pytest.raises(LayoutError, match="epoch: no named tensor"):
        a3gan.from_state_dict(a3gan.to_state_dict(model()) | {"epoch": 3})


def test_load_gives_a_model_that_anonymises(folder):
    loaded = a3gan_jax.load("model")
    assert loaded.description["step"] == 1234 and loaded.network.config == CONFIG
    random = np.random.default_rng(2)
    images = random.uniform(-1, 1, (3, 128, 128, 3)).astype(np.float32)
    attributes, wanted = (random.integers(0, 2, (3, 3)).astype(np.float32) for _ in range(2))
    out = np.asarray(loaded(images, attributes, wanted, seed=5))
    assert out.shape == images.shape and np.abs(out).max() <= 1
    np.testing.assert_allclose(loaded(images, attributes, wanted, seed=5), out, atol=1e-6)
    assert np.abs(out - loaded(images, attributes, wanted, seed=6)).max() > 1e-4
    assert np.abs(out - loaded(images, attributes, 1 - wanted, seed=5)).max() > 1e-4
    # At strength 0 neither seed nor attributes speak.
    still = loaded(images, attributes, wanted, seed=5, strength=0.0)
    np.testing.assert_allclose(still, loaded(images, attributes, 1 - wanted, seed=6, strength=0.0), atol=1e-6)

    z = inference.pseudonym_seeds(jnp.stack([jax.random.fold_in(jax.random.key(7), row) for row in range(3)]), 3)
    quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    direct = jax.jit(inference.anonymize, static_argnums=0, compiler_options=quick)(
        loaded.network, loaded.variables, images, attributes, jnp.ones(3), attributes, z, jnp.ones(3)
    )[0]
    np.testing.assert_allclose(loaded(images, attributes, seed=7), direct, atol=1e-5)


def test_an_anonymizer_takes_no_other_network(tmp_path):
    description = {"format": 1, "network": "arcface", "arguments": {}}
    (tmp_path / "model.json").write_text(json.dumps(description))
    with pytest.raises(ValueError, match="is a converted arcface, not an A3GAN"):
        Anonymizer.load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps(description | {"network": "vgg"}))
    with pytest.raises(ValueError, match="the network 'vgg'; converted networks are attgan"):
        a3gan_jax.load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps(description | {"format": 2}))
    with pytest.raises(ValueError, match="update a3gan-jax"):
        a3gan_jax.load(tmp_path)


def test_every_setting_comes_back(tmp_path):
    """Also those that change no shape."""
    config = dataclasses.replace(CONFIG, face_priors=(0.25,), conv="lax", num_people=99)
    back = a3gan.from_state_dict(a3gan.to_state_dict(SavedModel(config, model().variables, 0)))
    assert back.config == config and back.step == 0
