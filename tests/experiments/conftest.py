"""What the tests of anonymize.py on photos share: the command, the stand-in for its model, an album."""

from pathlib import Path

import pytest

from experiments import anonymize
from tests.experiments.album import StandIn, picture, save


@pytest.fixture
def model(monkeypatch) -> StandIn:
    stand_in = StandIn()

    def load(weights, *, detector=None):
        if weights is not None and not Path(weights).exists():
            raise FileNotFoundError(f"{weights} is neither a model nor a workdir")
        return stand_in

    monkeypatch.setattr(anonymize.Anonymizer, "load", load)
    monkeypatch.setattr(anonymize, "YuNet", lambda **options: stand_in.__dict__.update(yunet=options))
    return stand_in


@pytest.fixture
def command(capsys, monkeypatch):
    """Calls anonymize.py in this process: (arguments) -> (exit code, what it said)."""
    monkeypatch.setattr(anonymize, "use_compilation_cache", lambda: None)

    def call(*arguments) -> tuple[int, str]:
        try:
            code = anonymize.main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = stopped.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out + captured.err

    return call


@pytest.fixture
def run(model, command):
    """``command`` with the stand-in for the model."""
    return command


@pytest.fixture
def album(tmp_path) -> Path:
    """a.png with one face, b.JPG with two, sub/c.webp with three."""
    save(tmp_path / "album" / "a.png", picture(0))
    save(tmp_path / "album" / "b.JPG", picture(1, 2), "JPEG", quality=90, subsampling=0)
    save(tmp_path / "album" / "sub" / "c.webp", picture(2, 3), lossless=True)
    return tmp_path / "album"
