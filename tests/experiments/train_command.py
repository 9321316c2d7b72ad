"""train.py called in this process, for what it says before it computes anything."""

import sys

from experiments import train


def command_line(monkeypatch, capsys, *arguments):
    """What the command says before it computes anything: exit code and errors."""
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    try:
        code = train.main()
    except SystemExit as ended:
        code = ended.code
    return code, capsys.readouterr().err
