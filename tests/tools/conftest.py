"""What the tests of the tools share."""

import pytest

from tools import convert


@pytest.fixture
def run_convert(tmp_path, capsys, monkeypatch):
    """Runs tools/convert.py in a folder of its own; returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = convert.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
