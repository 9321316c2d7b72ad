"""Videos that are cut, damaged, of other kinds or cannot be written: refused in one line, nothing is left behind."""

import av
import numpy as np
import pytest

from a3gan_jax.media.containers import UnreadableVideo, container_of
from a3gan_jax.media.video import VideoReader
from a3gan_jax.media.video_writer import VideoWriter
from tests.media.films import KINDS, copy, film


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        (".mp4", "libx264", {}),
        (".mp4", "libx264", {"movflags": "faststart"}),
        (".mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
        (".mov", "mpeg4", {"movflags": "faststart"}),
        (".mkv", "libx264", {}),
        (".webm", "libvpx", {}),
        (".avi", "mpeg4", {}),
    ],
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95, 0.999])
def test_a_video_cut_anywhere_is_refused(tmp_path, suffix, codec, options, share):
    whole = film(tmp_path / f"in{suffix}", codec, options=options).read_bytes()
    part, target = tmp_path / f"part{suffix}", tmp_path / f"out{suffix}"
    part.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UnreadableVideo) as caught:
        copy(part, target)
    assert "\n" not in str(caught.value) and part.name in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {f"in{suffix}", part.name}


def test_damage_in_the_picture_is_refused(tmp_path):
    content = bytearray(film(tmp_path / "in.mp4").read_bytes())
    start = content.index(b"mdat")
    for place in range(start + 1000, content.index(b"moov", start) - 100, 97):
        content[place] ^= 0xFF
    (tmp_path / "broken.mp4").write_bytes(content)
    with pytest.raises(UnreadableVideo, match=r"^broken.mp4: "):
        copy(tmp_path / "broken.mp4", tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def broken(content: bytes, rng: np.random.Generator) -> bytes:
    """The bytes of a file with one of five kinds of damage."""
    result, size = bytearray(content), len(content)
    match rng.integers(5):
        case 0:  # single bits
            for place in rng.integers(0, size, rng.integers(1, 60)):
                result[place] ^= 1 << int(rng.integers(8))
        case 1:  # a hole
            start, end = np.sort(rng.integers(0, size, 2))
            result[start:end] = bytes(int(end - start))
        case 2:  # the header
            for place in rng.integers(0, min(600, size), rng.integers(1, 10)):
                result[place] = int(rng.integers(256))
        case 3:  # the index, which often comes last
            for place in rng.integers(max(0, size - 3000), size, rng.integers(1, 10)):
                result[place] = int(rng.integers(256))
        case 4:
            result = result[: int(rng.integers(size))]
    return bytes(result)


@pytest.mark.parametrize(("suffix", "codec", "sound"), KINDS)
def test_broken_videos_are_read_or_refused_in_one_line(tmp_path, suffix, codec, sound):
    whole = film(tmp_path / f"in{suffix}", codec, sound).read_bytes()
    path, target, rng, refused = tmp_path / f"broken{suffix}", tmp_path / f"out{suffix}", np.random.default_rng(0), 0
    for _ in range(60):
        path.write_bytes(broken(whole, rng))
        try:
            copy(path, target)
            target.unlink()
        except UnreadableVideo as error:
            refused += 1
            assert "\n" not in str(error) and str(error).startswith(path.name)
        assert {each.name for each in tmp_path.iterdir()} == {f"in{suffix}", path.name}
    assert refused >= 10


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 1000, b"RIFF", b"#EXTM3U\nhttp://example.invalid/a.ts\n", b"\x1a\x45\xdf\xa3" + b"\xff" * 20]
    + [b"\x00\x00\x00\x08ftyp", b"\x00\x00\x00\x01ftypisom" + b"\xff" * 8, b"RIFF\x04\x00\x00\x00AVI "],
)
def test_what_is_no_video_is_refused(tmp_path, content):
    path = tmp_path / "odd.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableVideo, match=r"^odd.mp4: [^\n]+$"):
        copy(path, tmp_path / "out.mp4")


def test_sound_alone_is_refused(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as output:
        audio = output.add_stream("aac", rate=48000)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1024), np.int16), format="s16", layout="stereo")
        samples.sample_rate = 48000
        output.mux(audio.encode(samples))
        output.mux(audio.encode(None))
    with pytest.raises(UnreadableVideo, match="holds no video"):
        VideoReader(path)


def test_the_content_counts_and_not_the_suffix(tmp_path):
    path = film(tmp_path / "in.mkv").rename(tmp_path / "in.mp4")
    assert container_of(path) == "matroska"
    copy(path, tmp_path / "out.mp4")
    assert container_of(tmp_path / "out.mp4") == "mov"


def test_wrong_targets(tmp_path):
    source = film(tmp_path / "in.mp4")
    with VideoReader(source) as reader:
        with pytest.raises(ValueError, match="written as .mp4, .m4v, .mov, .mkv, .webm, .avi"):
            VideoWriter(tmp_path / "out.gif", reader)
        with pytest.raises(ValueError, match="AVI keeps no timestamps"):
            VideoWriter(tmp_path / "out.avi", reader)
        for suffix, quality in ((".mp4", 52), (".webm", 64), (".mkv", -1)):
            with pytest.raises(ValueError, match="is not in 0"):
                VideoWriter(tmp_path / f"out{suffix}", reader, quality=quality)


def test_an_error_while_writing_leaves_nothing_and_an_old_file_alone(tmp_path):
    source, target = film(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="in the middle"), VideoReader(source) as reader:
        with VideoWriter(target, reader) as writer:
            for number, item in enumerate(reader):
                writer.write(item)
                if number == 10:
                    raise RuntimeError("in the middle")
    assert target.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4", "out.mp4"}
