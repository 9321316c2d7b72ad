"""The command line on videos: what the pipeline is asked for, what is counted, and what is refused."""

import inspect
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from a3gan_jax import video_anonymizer
from a3gan_jax.media.containers import UnreadableVideo
from a3gan_jax.track_pseudonyms import TrackReport
from a3gan_jax.video_anonymizer import VideoReport
from experiments import anonymize
from experiments.videos import Progress

MP4 = b"\0\0\0\x18ftypisom" + bytes(50)
REPORT = VideoReport(9, 2, 6, 1, (TrackReport(0, 6, 1, 5, "too small"),), ("no face was found in 2 of 9 frames",))


@pytest.fixture
def calls(monkeypatch):
    """What the pipeline of videos is asked for; a stand-in for it."""
    asked = []
    signature = inspect.signature(video_anonymizer.anonymize_video)

    def pipeline(anonymizer, source, target, **options):
        signature.bind(anonymizer, source, target, **options)
        if source.name.startswith("cut"):
            raise UnreadableVideo(f"{source.name}: cut short, 7 bytes are missing at its end")
        asked.append(options)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"new")
        options["progress"](9, 9)
        return REPORT

    model = SimpleNamespace(
        model=SimpleNamespace(attribute_names=("Male", "Smiling"), image_size=64, step=3),
        detector=lambda image: [],
        anonymize_photos=photos,
    )
    monkeypatch.setattr(anonymize, "anonymize_video", pipeline)
    monkeypatch.setattr(anonymize.Anonymizer, "load", lambda weights, *, detector=None: model)
    monkeypatch.setattr(anonymize, "YuNet", lambda **options: None)
    return asked


def photos(images, **options):
    return [SimpleNamespace(image=image + 1, faces=()) for image in images]


@pytest.fixture
def album(tmp_path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(MP4)
    (folder / "cut.mp4").write_bytes(MP4)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "photo.png")
    return folder


def test_a_folder_with_videos(calls, command, album, tmp_path):
    out, report = tmp_path / "out", tmp_path / "report.json"
    code, said = command(
        album, "-o", out, "--seed", 5, "--no-audio", "--no-check", "--min-face", 20, "--report", report
    )
    assert code == 3 and sorted(path.name for path in out.iterdir()) == ["clip.mp4", "photo.png"]
    (options,) = calls
    assert options["seed"] == 5 and options["min_face"] == 20 and not options["audio"] and not options["check"]
    assert "clip.mp4 -> " in said and "9 frames" in said and "WARNING" in said
    assert "cut.mp4: failed: cut.mp4: cut short" in said
    written = json.loads(report.read_text())
    assert written["summary"]["videos"] == {
        "frames": 9, "frames without a face": 2, "faces anonymised": 6, "faces covered": 1
    }  # fmt: skip
    (video,) = (entry["video"] for entry in written["files"] if "video" in entry)
    assert video["tracks"] == [{"track": 0, "anonymised": 6, "covered": 1, "seed": 5, "reason": "too small"}]

    code, said = command(album, "-o", out)
    assert "2 already done, 1 failed" in said and len(calls) == 1


def test_beside_the_input(calls, command, album):
    assert command(album / "clip.mp4")[0] == 0
    assert (album / "clip_anonymized.mp4").read_bytes() == b"new" and (album / "clip.mp4").read_bytes() == MP4


@pytest.mark.parametrize(
    "option",
    [("--region", "0,0,5,5"), ("--max-res", "100"), ("--keep-metadata",), ("--in-place",), ("--boxes", "boxes.json")],
)
def test_what_videos_do_not_take_lets_nothing_out(calls, command, album, tmp_path, option):
    (tmp_path / "boxes.json").write_text("{}")
    given = [str(tmp_path / word) if word.endswith(".json") else word for word in option]
    place = [] if option[0] == "--in-place" else ["-o", tmp_path / "out"]
    code, said = command(album / "clip.mp4", *given, *place)
    assert code == 3 and option[0] in said and not calls
    assert not (tmp_path / "out").exists() and (album / "clip.mp4").read_bytes() == MP4


def test_progress_says_how_long_it_takes(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress = Progress("clip.mp4")
    progress(50, 100)
    progress(51, 100)  # too soon
    progress(100, 100)
    progress.end()
    said = capsys.readouterr().err
    assert "50 of 100 frames" in said and "s left" in said and "51 of" not in said and said.endswith("\n")
