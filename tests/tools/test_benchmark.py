"""What a benchmark reports of a command is the command's own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools import benchmark

MEASURE = """
import json, sys
from tools.benchmark import machine, run
peaks = [run([sys.executable, "-c", f"x = bytes(bytearray({size} << 20))"])[2] for size in (0, 64)]
print(json.dumps({"peaks": peaks, "modules": sorted(sys.modules), "machine": machine()}))
"""


def test_memory_is_the_commands_alone():
    """In a process as small as the benchmark's: what a large parent holds would be counted in."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=benchmark.ROOT, capture_output=True, text=True, check=True
    )
    seen = json.loads(done.stdout)
    assert not {"jax", "numpy"} & set(seen["modules"])
    nothing, much = (peak / benchmark.MIB for peak in seen["peaks"])
    assert 2 < nothing < 60
    assert 120 < much - nothing < 136  # the bytearray and its copy
    assert seen["machine"].keys() >= {"device", "jax", "orbax-checkpoint"}


def test_a_command_that_fails_is_an_error():
    with pytest.raises(RuntimeError, match="exit\\(3\\) ended with exit code 3"):
        benchmark.run([sys.executable, "-c", "import sys; sys.exit(3)"])


def test_no_runs_are_refused(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["convert", "--runs", "0"])
    assert "--runs must be at least 1" in capsys.readouterr().err


def test_figures_are_shown_and_written(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "BENCHMARKS", {"convert": lambda given: {"seconds_from_to": [1.0, 2.5], "runs": 5}})
    benchmark.main(["convert", "--json", str(tmp_path / "figures.json")])
    assert "seconds from to        1.00 to 2.50\n" in capsys.readouterr().out
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["benchmark"] == "convert" and written["seconds_from_to"] == [1.0, 2.5]
