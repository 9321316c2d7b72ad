"""The reader against torch.save: every kind of value, in both of its formats, and safetensors."""

import importlib.util
import json
import struct
import subprocess
import sys
import tracemalloc
from collections import OrderedDict
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch

from a3gan_jax.convert.torch_file import UnreadableFile, flatten, read_checkpoint, read_tensors

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
OLD_DTYPES = (
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.uint8, torch.int8, torch.int16, torch.int32,
    torch.int64, torch.bool, torch.complex64, torch.complex128,
)  # fmt: skip
NEW_DTYPES = (
    torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz,
    torch.float8_e5m2fnuz,
)  # fmt: skip


@pytest.fixture
def roundtrip(tmp_path):
    def save_and_read(value, zipped=True):
        path = tmp_path / "saved.pth"
        torch.save(value, path, _use_new_zipfile_serialization=zipped)
        return read_checkpoint(path)

    return save_and_read


def same(array: np.ndarray, tensor: torch.Tensor) -> bool:
    """Equal shape, and equal bytes once both are contiguous: bit for bit, whatever numpy knows of the type."""
    contiguous = tensor.detach().contiguous().clone()
    data = bytes(contiguous.untyped_storage())
    return array.shape == tuple(tensor.shape) and np.ascontiguousarray(array).tobytes() == data


@FORMATS
@pytest.mark.parametrize("dtype", OLD_DTYPES, ids=str)
def test_dtypes(roundtrip, dtype, zipped):
    tensor = (torch.arange(-6, 6).reshape(3, 4) * 0.75).to(dtype)
    array = roundtrip({"x": tensor}, zipped)["x"]
    name = str(dtype).removeprefix("torch.")
    assert array.dtype == (ml_dtypes.bfloat16 if name == "bfloat16" else np.dtype(name))
    assert same(array, tensor)


@pytest.mark.parametrize("dtype", NEW_DTYPES, ids=str)
def test_dtypes_without_a_storage_class(roundtrip, dtype):
    tensor = torch.arange(12.0).reshape(3, 4).to(dtype)
    array = roundtrip({"x": tensor})["x"]
    name = str(dtype).removeprefix("torch.")
    assert array.dtype == np.dtype(getattr(ml_dtypes, name, name))
    assert same(array, tensor)


@FORMATS
def test_views(roundtrip, zipped):
    base = torch.arange(120.0).reshape(4, 5, 6)
    views = {
        "base": base,
        "transposed": base.permute(2, 0, 1),
        "slice": base[1:3, ::2, 3],
        "scalar": base[2, 3, 4],
        "empty": base[:0],
        "broadcast": base[0, 0].expand(7, 6),
        "windows": torch.arange(10.0).unfold(0, 4, 2),
        "nothing": torch.zeros(3, 0, 2),
    }
    read = roundtrip(views, zipped)
    for name, tensor in views.items():
        assert same(read[name], tensor), name
        assert not read[name].flags.writeable or read[name].size == 0
    assert np.shares_memory(read["base"], read["transposed"])


@FORMATS
def test_values(roundtrip, zipped):
    value = {
        "numbers": [0, 1, 255, 256, 65535, -1, 1 << 40, -(1 << 70), 1.5, float("inf"), True, False, None, 1 + 2j],
        "text": ("", "é😀", "x" * 300, b"", b"\x00\xff"),
        "sets": [set(), {1, "a"}, frozenset({2})],
        "nested": OrderedDict(a=[{"b": ((), [], {})}]),
        7: "integer key",
        "size": torch.zeros(2, 3).shape,
    }
    assert roundtrip(value, zipped) == value | {"size": (2, 3)}
    assert roundtrip([torch.float16, torch.device("cuda", 1), torch.device("cpu")], zipped) == [
        np.float16, "cuda:1", "cpu",
    ]  # fmt: skip


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@FORMATS
def test_pickle_protocols(tmp_path, protocol, zipped):
    value = {"a": torch.arange(3), "b": [b"x", {1}, "y"]}
    torch.save(value, tmp_path / "x.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(tmp_path / "x.pt")
    assert same(read["a"], value["a"]) and read["b"] == value["b"]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@FORMATS
def test_numpy_numbers_become_plain_ones(tmp_path, protocol, zipped):
    """As metrics and optimisers leave them in a checkpoint."""
    kinds = (np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint64, np.bool_)
    value = {"weights": torch.ones(2), "numbers": [kind(1.5) for kind in kinds], "dtype": np.dtype(np.float32)}
    value["numbers"] += [np.float64("inf"), np.float64(-0.1), np.int64(-(2**63)), np.bool_(False)]
    torch.save(value, tmp_path / "x.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(tmp_path / "x.pt")
    assert read["numbers"] == [number.item() for number in value["numbers"]]
    assert {type(number) for number in read["numbers"]} == {float, int, bool}
    assert read["dtype"] == np.float32


@FORMATS
def test_checkpoint_of_a_training_run(tmp_path, zipped):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.PReLU(4))
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
    for _ in range(2):
        model(torch.randn(2, 3, 8, 8)).sum().backward()
        optimizer.step()
        scheduler.step()
    parameter = torch.nn.Parameter(torch.randn(2, 2))
    tagged = torch.nn.Parameter(torch.randn(2))
    tagged.note = "kept by torch, not by us"
    checkpoint = {
        "G": model.state_dict(),
        "optim_G": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": 3,
        "parameters": [parameter, tagged],
    }
    path = tmp_path / "run.pth"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(path)
    assert read["G"].keys() == checkpoint["G"].keys()
    assert read["epoch"] == 3 and read["optim_G"]["param_groups"] == checkpoint["optim_G"]["param_groups"]
    assert read["scheduler"]["milestones"] == {2: 1, 4: 1}
    flat = read_tensors(path)
    assert same(flat["G.0.weight"], model[0].weight) and same(flat["G.1.running_var"], model[1].running_var)
    assert same(flat["optim_G.state.0.exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])
    assert same(flat["parameters.0"], parameter) and same(flat["parameters.1"], tagged)


@FORMATS
def test_tied_weights_share_memory(roundtrip, zipped):
    weight = torch.randn(4, 4)
    states = {"a": weight}
    read = roundtrip({"one": states, "two": states, "tied": weight, "row": weight[2]}, zipped)
    assert np.shares_memory(read["one"]["a"], read["tied"]) and np.shares_memory(read["tied"], read["row"])
    assert set(flatten(read)) == {"one.a", "two.a", "tied", "row"}


@FORMATS
def test_a_storage_alone_is_an_array(roundtrip, zipped):
    read = roundtrip({"storage": torch.arange(5.0).untyped_storage()}, zipped)["storage"]
    assert read.dtype == np.uint8 and read.view(np.float32).tolist() == [0, 1, 2, 3, 4]


@FORMATS
def test_large_tensors_are_mapped_not_loaded(tmp_path, zipped):
    torch.save({"x": torch.arange(4_000_000)}, tmp_path / "big.pth", _use_new_zipfile_serialization=zipped)
    tracemalloc.start()
    read = read_checkpoint(tmp_path / "big.pth")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert read["x"][-1] == 3_999_999


def test_arrays_outlive_the_file(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"x": torch.arange(1000)}, path)
    read = read_checkpoint(path)
    path.unlink()
    assert read["x"].sum() == 499_500


def test_needs_no_torch(tmp_path):
    torch.save({"x": torch.ones(2)}, tmp_path / "x.pt")
    code = (
        "import sys; from a3gan_jax.convert.torch_file import read_tensors; "
        "read_tensors(sys.argv[1]); assert not {'torch', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.pt")], check=True)


def test_flatten():
    x = np.zeros(1)
    assert set(flatten({"a": {"b": x, 3: [x, (x,)]}, "n": 1, "s": "t"})) == {"a.b", "a.3.0", "a.3.1.0"}
    assert set(flatten(x)) == {""}
    with pytest.raises(UnreadableFile, match="joined name"):
        flatten({"a.b": x, "a": {"b": x}})
    cycle: list = []
    cycle.append(cycle)
    with pytest.raises(UnreadableFile, match="nested deeper"):
        flatten(cycle)


@pytest.mark.parametrize("name", ["x.safetensors", "renamed.pth"])
def test_safetensors(tmp_path, name):
    types = {"F32": np.float32, "BF16": ml_dtypes.bfloat16, "I64": np.int64, "BOOL": np.bool_}
    tensors = {f"a.{key}": np.array([[0, 1, 2], [3, 4, 5]]).astype(kind) for key, kind in types.items()}
    tensors |= {"empty.F32": np.zeros((0, 2), np.float32), "scalar.F32": np.float32(3)}
    table, data = {"__metadata__": {"format": "pt"}}, b""
    for key, array in tensors.items():
        place = [len(data), len(data) + array.nbytes]
        table[key] = {"dtype": key.split(".")[1], "shape": list(array.shape), "data_offsets": place}
        data += array.tobytes()
    header = json.dumps(table).encode()
    (tmp_path / name).write_bytes(struct.pack("<Q", len(header)) + header + data)
    read = read_tensors(tmp_path / name)
    assert read.keys() == tensors.keys()
    assert all(read[key].dtype == tensors[key].dtype and np.array_equal(read[key], tensors[key]) for key in tensors)


@FORMATS
@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (np.zeros(2), "numpy.*_reconstruct"),
        (np.complex128(1j), "type 'c16'"),
        (np.datetime64("2020-01-01"), "type 'M8'"),
        (np.array(1, ">f4")[()].dtype.newbyteorder(">"), "little-endian"),
        (torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
        (torch.eye(2).to_sparse(), "_rebuild_sparse_tensor"),
        (torch.ones(2, dtype=torch.complex64).conj(), "conjugated"),
        ({(1, 2): 3}, "tuple"),
    ],
    ids=["numpy array", "numpy complex", "numpy date", "big endian", "module", "sparse", "conjugate", "tuple key"],
)
def test_what_is_no_plain_weight_is_refused_by_name(roundtrip, value, cause, zipped):
    with pytest.raises(UnreadableFile, match=cause):
        roundtrip({"x": value}, zipped)


def test_the_legacy_files_of_lpips_are_read_as_torch_reads_them():
    """Six files of 2018 in the old format, from a wheel that is not imported."""
    folder = Path(importlib.util.find_spec("lpips").submodule_search_locations[0], "weights")
    files = sorted(folder.rglob("*.pth"))
    assert len(files) == 6
    for file in files:
        got, wanted = read_tensors(file), torch.load(file, map_location="cpu", weights_only=True)
        assert got.keys() == wanted.keys() and len(got) >= 5
        for name, tensor in wanted.items():
            np.testing.assert_array_equal(got[name], tensor.numpy())
