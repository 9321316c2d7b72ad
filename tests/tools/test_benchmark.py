"""What a benchmark reports of a command is the command's own."""

import argparse
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
from tools.benchmarks import memory, video
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
