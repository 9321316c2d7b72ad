"""Hostile and broken weight files: each is refused in one line, quickly, without running anything or taking memory.

By the reader and by ``tools/convert.py``, which writes nothing.
"""

import errno
import os
import pickle
import sys
import time
import tracemalloc

import numpy as np
import pytest

from a3gan_jax.convert.torch_file import UnreadableFile, read_checkpoint, read_tensors
from tests.convert.hostile_files import (
    CALLS,
    COMMAND,
    CONTAINERS,
    GOOD,
    SEED,
    corpus,
    in_zip,
    numpy_number,
    payloads,
    saved,
    tensor,
)
from tools import convert

CORPUS = corpus()
WATCHED = ("os.system", "subprocess.Popen", "pickle.find_class", "os.exec", "os.remove", "os.mkdir", "socket.connect")
events: list[str] | None = None


def _watch(event: str, _: tuple) -> None:
    if events is not None and event in WATCHED:
        events.append(event)


sys.addaudithook(_watch)


def refused(path) -> str:
    """Reads a file that must be refused; returns the message. Nothing may run, memory and time are bounded."""
    global events
    size = path.stat().st_size
    tracemalloc.start()
    began = time.process_time()
    events = []
    try:
        with pytest.raises(UnreadableFile) as caught:
            read_checkpoint(path)
    finally:
        seen, events = events, None
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert not seen
    assert time.process_time() - began < 2
    assert peak < (2 << 20) + 64 * size
    return str(caught.value)


def test_the_corpus_is_large():
    assert len(CORPUS) >= 300
    assert len({content for _, content in CORPUS.values()}) >= 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.mark.parametrize("name", CORPUS)
def test_hostile_file(folder, monkeypatch, capsys, name):
    suffix, content = CORPUS[name]
    path = folder / f"weights{suffix}"
    path.write_bytes(content)
    monkeypatch.chdir(folder)
    try:
        message = refused(path)
        assert convert.main([str(path), "--to", str(folder / "model")]) == 2
        assert capsys.readouterr() == ("", f"convert.py: error: {message}\n")
        assert os.listdir(folder) == [path.name]
    finally:
        path.unlink()
    assert message.startswith(str(path)) and "\n" not in message and len(message) < 400 + len(str(path))


@pytest.mark.parametrize(("module", "name", "text"), CALLS[:6])
@pytest.mark.parametrize("way", ["GLOBAL", "STACK_GLOBAL", "INST", "OBJ"])
def test_the_payloads_are_live(tmp_path, monkeypatch, module, name, text, way):
    monkeypatch.chdir(tmp_path)
    pickle.loads(payloads(module, name, text)[way])
    assert os.listdir(tmp_path) == ["canary"]


def test_a_refused_global_is_named(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(in_zip(payloads("os", "system", COMMAND)["GLOBAL"]))
    assert "'os.system'" in refused(path) and "was not run" in refused(path)


def test_the_numpy_number_that_is_broken_above_is_whole(tmp_path):
    (tmp_path / "x.pth").write_bytes(in_zip(numpy_number()))
    assert read_checkpoint(tmp_path / "x.pth") == 0.0


def test_the_containers_hold_what_the_reader_reads(tmp_path):
    for name, pack in CONTAINERS.items():
        path = tmp_path / name
        path.write_bytes(pack(tensor()))
        assert read_tensors(path)["x"].shape == (4,)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_bit_flips(tmp_path, zipped):
    """A flipped bit is refused, or does no harm. The old format has no checksums: there, numbers may differ."""
    random = np.random.default_rng(SEED)
    whole, path = saved(zipped), tmp_path / "x.pth"
    refusals = 0
    for _ in range(300):
        content = bytearray(whole)
        content[random.integers(len(content))] ^= 1 << random.integers(8)
        path.write_bytes(content)
        try:
            read = read_tensors(path)
        except UnreadableFile:
            refusals += 1
            continue
        if zipped:
            assert all(np.array_equal(read[f"G.{name}"], value.numpy()) for name, value in GOOD["G"].items())
    assert refusals > 50


def test_what_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "absent.pth", "/dev/zero"):
        with pytest.raises(UnreadableFile, match="no such file"):
            read_checkpoint(path)


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / "x.pth"
    path.write_bytes(saved(True))

    def forbidden(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(type(path), "open", forbidden)
    assert "Permission denied" in refused(path) and "damaged" not in refused(path)
