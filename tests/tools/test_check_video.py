"""The command on two videos: what it prints, writes and returns."""

import json
from pathlib import Path

import pytest

from tests.evals.red_faces import FRAMES, look, red_faces, write
from tools import check_video


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments) -> tuple[int, str]:
        monkeypatch.setattr(check_video, "YuNet", lambda score: red_faces)
        monkeypatch.setattr(check_video, "OnnxSFace", lambda: look)
        code = check_video.main([str(argument) for argument in arguments])
        return code, capsys.readouterr().out

    return run


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return write(tmp_path / "original.mp4", [1] * FRAMES)


def test_a_good_video_is_accepted_and_measured(run, original, tmp_path):
    code, out = run(original, write(tmp_path / "result.mp4", [2] * FRAMES), "--json", tmp_path / "figures.json")
    assert code == 0 and f"track 0: {FRAMES} faces" in out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["summary"]["violations"] == {} and figures["violations"] == []
    assert figures["summary"]["stability"] == pytest.approx(1, abs=0.1)
    assert figures["tracks"][0]["pairs"] == FRAMES - 1


def test_a_frame_that_shows_the_original_fails_it(run, original, tmp_path):
    code, out = run(original, write(tmp_path / "result.mp4", [2, 2, 1] + [2] * (FRAMES - 3)))
    assert code == 1 and "visible: frame 2, the face at" in out


def test_videos_that_cannot_be_read_are_refused(run, original, tmp_path, capsys):
    (tmp_path / "broken.mp4").write_bytes(original.read_bytes()[:300])
    for other in (tmp_path / "absent.mp4", tmp_path / "broken.mp4"):
        with pytest.raises(SystemExit) as stopped:
            run(original, other)
        assert stopped.value.code == 2 and "error:" in capsys.readouterr().err
