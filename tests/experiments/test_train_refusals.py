"""What train.py refuses before it starts: words it does not know, data and models that are not there."""

from pathlib import Path

import pytest

from tests.experiments.train_command import command_line

TINY = Path(__file__).parent / "tiny.py"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=default", "--config.totl_steps=3"], "did you mean 'total_steps'"),
        (["--config=defualt"], "did you mean 'default.py'"),
        (["--config=default", "--wrokdir=x"], "--wrokdir=x"),
    ],
)
def test_a_wrong_command_line_names_what_was_meant(arguments, message, monkeypatch, capsys, tmp_path):
    code, errors = command_line(monkeypatch, capsys, f"--workdir={tmp_path / 'run'}", *arguments)
    assert code == 2 and message in errors
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["source=celeba", "root=nowhere"], "CelebA cannot be read"),
        (["source=csv", "root=nowhere"], "nowhere is no CSV file"),
        (["source=celeba"], "needs a folder"),
    ],
)
def test_data_that_is_not_there_is_told_and_leaves_no_workdir(settings, message, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments = [f"--config={TINY}", "--workdir=run", *(f"--config.data.{setting}" for setting in settings)]
    code, errors = command_line(monkeypatch, capsys, *arguments)
    assert code == 2 and message in errors
    assert not (tmp_path / "run").exists()


def test_a_start_that_is_not_there_is_told_and_leaves_no_workdir(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, errors = command_line(
        monkeypatch, capsys, f"--config={TINY}", "--workdir=run", "--config.start_from=runs/missing"
    )
    assert code == 2 and "runs/missing is neither a model nor" in errors
    assert not (tmp_path / "run").exists()
