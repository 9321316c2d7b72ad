"""What a benchmark reports of a command is the command's own."""

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from tools import benchmark
from tools.benchmarks import jax_device, memory, turns, video
from tools.benchmarks.film import RATE, count_frames, write_film
from tools.benchmarks.process import MIB, ROOT, elsewhere, run

MEASURE = """
import json, sys
from tools.benchmark import machine
from tools.benchmarks.process import run
peaks = [run([sys.executable, "-c", f"x = bytes(bytearray({size} << 20))"])[2] for size in (0, 64)]
print(json.dumps({"peaks": peaks, "modules": sorted(sys.modules), "machine": machine()}))
"""


def test_memory_is_the_commands_alone():
    """In a process as small as the benchmark's: what a large parent holds would be counted in."""
    done = subprocess.run([sys.executable, "-c", MEASURE], cwd=ROOT, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert not {"jax", "numpy"} & set(seen["modules"])
    nothing, much = (peak / MIB for peak in seen["peaks"])
    assert 2 < nothing < 60
    assert 120 < much - nothing < 136  # the bytearray and its copy
    assert seen["machine"].keys() >= {"device", "jax", "orbax-checkpoint"}


def test_a_command_that_fails_is_an_error():
    with pytest.raises(RuntimeError, match="exit\\(3\\) ended with exit code 3$"):
        run([sys.executable, "-c", "import sys; sys.exit(3)"])
    with pytest.raises(RuntimeError, match="exit code 1: ValueError: why$"):
        run([sys.executable, "-c", "raise ValueError('why')"])


def test_what_is_called_elsewhere_returns_or_raises():
    assert elsewhere(int, "7") == 7
    with pytest.raises(ValueError, match="invalid literal"):
        elsewhere(int, "seven")


def test_no_runs_are_refused(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["convert", "--runs", "0"])
    assert "--runs must be at least 1" in capsys.readouterr().err


def test_figures_are_shown_and_written(tmp_path: Path, monkeypatch, capsys):
    convert = SimpleNamespace(
        options=lambda parser: None, measure=lambda given: {"seconds_from_to": [1.0, 2.5], "runs": 5}
    )
    monkeypatch.setattr(benchmark, "BENCHMARKS", {"convert": convert})
    benchmark.main(["convert", "--json", str(tmp_path / "figures.json")])
    assert "seconds from to        1.00 to 2.50\n" in capsys.readouterr().out
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["benchmark"] == "convert" and written["seconds_from_to"] == [1.0, 2.5]


def test_a_film_shows_its_photos_and_they_move(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(astronaut()).save(photos / "a.png")
    Image.fromarray(255 - astronaut()[:300]).save(photos / "b.jpg")
    assert write_film(tmp_path / "film.mp4", 2.4, photos, (160, 128)) == 2.4 * RATE
    assert count_frames(tmp_path / "film.mp4") == 2.4 * RATE
    with av.open(str(tmp_path / "film.mp4")) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(int)
    assert frames.shape == (60, 128, 160, 3)
    steps = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    assert steps.argmax() == 2 * RATE - 1 and np.median(steps[: 2 * RATE - 1]) > 0.5  # the cut, and the panning
    assert write_film(tmp_path / "short.mp4", 0.12, None, (160, 128)) == 3
    (photos / "a.png").unlink(), (photos / "b.jpg").unlink()
    with pytest.raises(ValueError, match="has no photo"):
        write_film(tmp_path / "none.mp4", 1, photos)


@pytest.fixture
def commands(monkeypatch):
    """Stands in for processes: a command copies its video; ours takes 2 s and 0.1 s a frame, deface 1 s and 0.2 s."""
    calls = []

    def stand_in(command):
        source, target = next(Path(part) for part in command if "/in" in part), Path(command[-1])
        shutil.copy(source, target)
        frames = count_frames(source)
        ours = "experiments.anonymize" in command
        calls.append((ours, frames, command))
        return (2 + 0.1 * frames if ours else 1 + 0.2 * frames), 1.0, (100 + frames) * MIB

    for module in (video, memory):
        monkeypatch.setattr(module, "run", stand_in)
        monkeypatch.setattr(module, "elsewhere", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(video, "executable", lambda name: "/opt/deface")
    return calls


def test_both_are_measured_in_turns_with_and_without_their_start(commands):
    given = argparse.Namespace(runs=2, seconds=0.2, frames=None, deface="deface", weights=Path("/w"))
    figures = video.measure(given)
    assert [call[:2] for call in commands] == [(True, 5), (False, 5)] + 2 * [
        (True, 5), (False, 5), (True, 15), (False, 15)
    ]  # fmt: skip
    assert commands[0][2][3:5] == ["--weights", "/w"]
    assert commands[1][2][:3] == ["/opt/deface", "--replacewith", "blur"]
    assert figures["ours_fps_short"] == pytest.approx(5 / 2.5) and figures["deface_fps_long"] == pytest.approx(15 / 4)
    assert figures["ours_fps_running"] == pytest.approx(10) and figures["deface_fps_running"] == pytest.approx(5)
    assert figures["ratio_running"] == pytest.approx(2) and figures["ratio_long"] == pytest.approx(4 / 3.5)


def test_a_video_with_frames_missing_is_no_result(commands, monkeypatch):
    monkeypatch.setattr(video, "count_frames", lambda path: 4)
    given = argparse.Namespace(runs=1, seconds=0.2, frames=None, deface="deface", weights=None)
    with pytest.raises(RuntimeError, match="ours wrote 4 frames of 5"):
        video.measure(given)


def test_an_absent_deface_is_named_with_the_way_to_have_it(tmp_path):
    with pytest.raises(RuntimeError, match="pip install deface==1.5.0"):
        video.executable(str(tmp_path / "deface"))


def test_memory_is_compared_over_lengths_after_a_warm_up(commands, monkeypatch):
    monkeypatch.setattr(memory, "WARM_UP", 0.04)
    figures = memory.measure(argparse.Namespace(minutes=(0.2 / 60, 0.8 / 60), frames=None, weights=None))
    assert [frames for _, frames, _ in commands] == [1, 5, 20]
    assert figures["peak_mib"] == [105, 120] and figures["longest_to_shortest"] == pytest.approx(120 / 105)


def test_lengths_are_two_at_least():
    assert memory.minutes("1,10") == (1, 10)
    for text in ("1", "0,1"):
        with pytest.raises(argparse.ArgumentTypeError):
            memory.minutes(text)


TINY = ["--config", str(ROOT / "tests" / "experiments" / "tiny.py"), "--config.loss.gradient_penalty_every=2"]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def figures_of(monkeypatch, tmp_path, compiled):
    """(arguments) -> what a benchmark writes. Compiled in haste, and once: nobody looks at how fast it is."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(compiled))

    def call(*arguments: str) -> dict:
        benchmark.main([*arguments, "--json", str(tmp_path / "figures.json")])
        return json.loads((tmp_path / "figures.json").read_text())

    return call


def test_train_is_measured_beside_torch(figures_of, capsys):
    figures = figures_of("train", *TINY, "--steps=2", "--runs=2", "--people=3", "--vs=torch")
    assert figures["networks"] == "64 px, 4, 2 and 2 channels, float32" and figures["batch_size"] == 8
    assert figures["platform"] == "cpu" and figures["percent_of_bfloat16_peak"] == "unknown"
    for side in ("", "torch_"):
        least, most = figures[f"{side}milliseconds_a_step_from_to"]
        assert 0 < least <= figures[f"{side}milliseconds_a_step"] <= most
        assert figures[f"{side}warm_up_seconds"] > 0 and figures[f"{side}peak_mib"] > 50
        assert figures[f"{side}images_a_second"] == pytest.approx(8000 / figures[f"{side}milliseconds_a_step"])
    assert figures["ratio"] == pytest.approx(figures["torch_milliseconds_a_step"] / figures["milliseconds_a_step"])
    assert figures["gflop_a_second"] == pytest.approx(1000 * figures["gflop_a_step"] / figures["milliseconds_a_step"])
    # Thirteen times the passes of the discriminator alone, and less than a hundred.
    assert 0.01 < figures["gflop_a_step"] < 10
    said = capsys.readouterr()
    turns = [line.split(": ")[1].split(",")[0] for line in said.err.splitlines() if line.startswith("run ")]
    assert turns == ["ours", "torch", "ours", "torch"]
    assert "\nratio " in said.out and "\ntorch device " in said.out


def test_inference_is_measured_beside_torch(figures_of):
    figures = figures_of("inference", "--base=4", "--batch=1,2", "--calls=2", "--runs=2", "--vs=torch")
    for size in (1, 2):
        rates = [figures[f"{side}batch_{size}_images_a_second"] for side in ("", "torch_")]
        assert figures[f"batch_{size}_ratio"] == pytest.approx(rates[0] / rates[1])
        assert rates[0] == pytest.approx(1000 * size / figures[f"batch_{size}_milliseconds_a_call"])
    assert {"warm_up_seconds", "torch_warm_up_seconds", "peak_mib", "torch_peak_mib", "torch"} <= figures.keys()


def test_input_is_measured_beside_the_step(figures_of):
    # 24 drawn photos are of three people: the step is that of the benchmark above.
    figures = figures_of("input", *TINY, "--steps=2", "--runs=2", "--images=40", "--photos=24")
    assert figures["photos"].startswith("24 of ") and figures["photos"].endswith("KiB, drawn")
    alone, fed, pipeline = (figures[f"{way}_milliseconds_a_batch"] for way in ("train", "fed", "pipeline"))
    assert figures["input_wait_share"] == pytest.approx(1 - alone / fed)
    assert figures["ratio_pipeline_to_train"] == pytest.approx(alone / pipeline)
    assert figures["pipeline_images_a_second"] == pytest.approx(8000 / pipeline)


def test_what_cannot_be_measured_is_said(monkeypatch):
    with pytest.raises(SystemExit, match="--steps 3 is not a multiple of 2"):
        benchmark.main(["train", *TINY, "--steps=3"])
    with pytest.raises(SystemExit, match="no setting 'model.bas': did you mean 'model.base'"):
        benchmark.main(["train", *TINY, "--config.model.bas=3"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in ("train", "inference"):
        with pytest.raises(SystemExit, match="pip install torch==2.13.0"):
            benchmark.main([name, "--vs", "torch"])


def test_settings_are_for_benchmarks_of_a_configuration(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["convert", "--config.model.base=3"])
    assert "unrecognized arguments: --config.model.base=3" in capsys.readouterr().err


def test_share_of_the_peak():
    assert jax_device.percent_of_peak("TPU v5 lite", 197e12, devices=8) == pytest.approx(12.5)
    assert jax_device.percent_of_peak("NVIDIA H100 PCIe", 1e12) == "unknown"  # not the one whose peak is known


def test_measurements_that_are_not_finite_are_no_result():
    turns.finite({"loss": 1.0})
    with pytest.raises(RuntimeError, match="not finite after the run: b, c"):
        turns.finite({"a": 1.0, "b": float("nan"), "c": np.float32("inf")})
