"""Videos read and written again: time, sound and orientation stay, all else goes."""

from fractions import Fraction

import av
import numpy as np
import pytest

from a3gan_jax.media.video import VideoReader
from a3gan_jax.media.video_writer import pixels, with_pixels
from tests.media.films import FRAMES, HEIGHT, KINDS, TIMES, UNEVEN, WIDTH, copy, film, frames_of, picture, sound_of


@pytest.mark.parametrize(("suffix", "codec", "sound"), KINDS)
def test_rate_count_times_and_sound_stay(tmp_path, suffix, codec, sound):
    source, target = film(tmp_path / f"in{suffix}", codec, sound), tmp_path / f"out{suffix}"
    reader = copy(source, target)
    assert (reader.rate, reader.warnings) == (25, []) and abs(reader.total - FRAMES) <= 1
    before, after = frames_of(source), frames_of(target)
    assert len(before) == len(after) == FRAMES
    assert [(f.width, f.height) for f in after] == [(WIDTH, HEIGHT)] * FRAMES
    shift = after[0].time - before[0].time  # FFmpeg reads H.264 in AVI one frame late
    assert shift == pytest.approx(0.04 if suffix == ".avi" else 0)
    np.testing.assert_allclose([f.time - shift for f in after], [f.time for f in before], atol=1e-9)
    with av.open(str(target)) as container:
        assert container.streams.video[0].average_rate == 25
        assert container.streams.video[0].codec.canonical_name == ("vp9" if suffix == ".webm" else "h264")
    packets, copied = sound_of(source), sound_of(target)
    assert b"".join(data for data, _ in packets) == b"".join(data for data, _ in copied) and len(packets) > 20
    if not sound.startswith("pcm"):  # whose packets are cut as the file is read
        assert [len(data) for data, _ in packets] == [len(data) for data, _ in copied]
        np.testing.assert_allclose([t for _, t in packets], [t for _, t in copied], atol=1e-9)
    for old, new in zip(before, after, strict=True):
        assert np.abs(pixels(old).astype(int) - pixels(new)).mean() < 6


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".mkv", "libx264"), (".webm", "libvpx-vp9")])
def test_uneven_times_stay(tmp_path, suffix, codec):
    source, target = film(tmp_path / f"in{suffix}", codec, times=UNEVEN), tmp_path / f"out{suffix}"
    copy(source, target)
    before, after = frames_of(source), frames_of(target)
    np.testing.assert_allclose([f.time for f in after], [f.time for f in before], atol=1e-9)
    np.testing.assert_allclose([f.time for f in after], UNEVEN / 25, atol=1e-3)
    with av.open(str(source)) as old, av.open(str(target)) as new:
        assert new.duration == pytest.approx(old.duration, abs=2000)  # microseconds


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotated_videos_are_read_and_written_upright(tmp_path, degrees, mirrored):
    source = film(tmp_path / "in.mp4", rotation=(degrees, mirrored, False), times=TIMES[:4])
    expected = np.rot90(picture(2), degrees // 90)  # anticlockwise, then mirrored
    expected = expected[:, ::-1] if mirrored else expected
    with VideoReader(source) as reader:
        read = [pixels(item) for item in reader]
    assert read[2].shape == expected.shape
    assert np.abs(read[2].astype(int) - expected).mean() < 12
    target = tmp_path / "out.webm"
    copy(source, target)
    written = frames_of(target)[2]
    assert written.rotation == 0 and "DISPLAYMATRIX" not in {side.type.name for side in written.side_data}
    assert np.abs(pixels(written).astype(int) - expected).mean() < 14


def test_pixels_that_are_not_square_stay_so_when_turned(tmp_path):
    source = tmp_path / "in.mp4"
    with av.open(str(source), "w") as output:
        video = output.add_stream("libx264", rate=25, width=WIDTH, height=HEIGHT)
        video.codec_context.sample_aspect_ratio = Fraction(4, 3)
        video.set_display_rotation(90)
        output.mux(video.encode(av.VideoFrame.from_ndarray(picture(0))))
        output.mux(video.encode(None))
    copy(source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(3, 4)


@pytest.mark.parametrize(("suffix", "codec", "sound"), KINDS)
def test_nothing_but_picture_and_sound_is_taken_over(tmp_path, suffix, codec, sound):
    source, target = film(tmp_path / f"in{suffix}", codec, sound), tmp_path / f"out{suffix}"
    assert b"tell-tale" in source.read_bytes()
    copy(source, target)
    written = target.read_bytes()
    assert b"tell-tale" not in written and b"48.857" not in written
    with av.open(str(target)) as container:
        assert not container.chapters()
        known = {"major_brand", "minor_version", "compatible_brands", "encoder", "software"}
        assert set(container.metadata) <= known and container.metadata.get("encoder", "Lavf") == "Lavf"
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        tags = {key.lower() for stream in container.streams for key in stream.metadata}
        assert tags <= {"language", "handler_name", "vendor_id", "duration", "encoder"}


def test_covers_subtitles_data_and_second_pictures_are_left_out(tmp_path):
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as output:
        videos = [output.add_stream("libx264", rate=25, width=WIDTH, height=HEIGHT) for _ in range(2)]
        output.add_attachment("cover.jpg", "image/jpeg", b"tell-tale cover")
        for number in range(3):
            for video in videos:
                frame = av.VideoFrame.from_ndarray(picture(number))
                frame.pts = number
                output.mux(video.encode(frame))
        for video in videos:
            output.mux(video.encode(None))
    assert b"tell-tale" in source.read_bytes()
    reader = copy(source, tmp_path / "out.mkv")
    assert reader.warnings == ["1 more video streams are left out"]
    assert b"tell-tale" not in (tmp_path / "out.mkv").read_bytes()
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_messages_inside_the_coded_picture_are_not_taken_over(tmp_path):
    message = bytes(range(16)) + b"tell-tale message"
    sei = b"\x06\x05" + bytes([len(message)]) + message + b"\x80"  # H.264, 7.3.2.3: user data unregistered
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    with av.open(str(source), "w") as output:
        video = output.add_stream("libx264", rate=25, width=WIDTH, height=HEIGHT)
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(picture(number))
            frame.pts = number
            for packet in video.encode(frame) + (video.encode(None) if number == 3 else []):
                told = av.Packet(b"\0\0\0\1" + sei + bytes(packet))
                told.pts, told.dts, told.time_base = packet.pts, packet.dts, packet.time_base
                told.is_keyframe, told.stream = packet.is_keyframe, video
                output.mux(told)
    seen = [bytes(side) for frame in frames_of(source) for side in frame.side_data]
    assert any(b"tell-tale" in side for side in seen), "the source does not hold what the test is about"
    copy(source, target)
    assert b"tell-tale" not in target.read_bytes()


def test_tags_inside_the_sound_are_not_taken_over(tmp_path):
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    with av.open(str(source), "w") as output:
        video = output.add_stream("libx264", rate=25, width=WIDTH, height=HEIGHT)
        audio = output.add_stream("vorbis", rate=48000)
        audio.options = {"strict": "-2"}
        audio.codec_context.layout, audio.codec_context.format = "stereo", "fltp"
        audio.codec_context.open()
        headers = audio.codec_context.extradata
        first, second = headers[1], headers[2]
        comments = b"\x03vorbis" + bytes(4) + b"\x01\0\0\0" + (300).to_bytes(4, "little") + b"tell-tale " * 30 + b"\x01"
        laced = b"\x02" + bytes([first, 255, len(comments) - 255]) + headers[3 : 3 + first] + comments
        audio.codec_context.extradata = laced + headers[3 + first + second :]
        for number in range(8):
            frame = av.VideoFrame.from_ndarray(picture(number))
            samples = av.AudioFrame.from_ndarray(np.full((2, 1920), number / 10, np.float32), "fltp", "stereo")
            frame.pts, samples.pts, samples.sample_rate = number, 1920 * number, 48000
            output.mux(video.encode(frame))
            output.mux(audio.encode(samples))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    assert b"tell-tale" in source.read_bytes()
    copy(source, target)
    assert b"tell-tale" not in target.read_bytes()
    with av.open(str(source)) as old, av.open(str(target)) as new:
        before, after = (np.concatenate([f.to_ndarray() for f in c.decode(audio=0)], 1) for c in (old, new))
    np.testing.assert_array_equal(before, after)
    assert before.shape[1] > 8000


def test_sound_can_be_left_out(tmp_path):
    source = film(tmp_path / "in.mp4", sound="aac")
    copy(source, tmp_path / "out.mp4", audio=False)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_the_folder_of_a_video_is_made(tmp_path):
    copy(film(tmp_path / "in.mp4"), tmp_path / "new" / "folder" / "out.mp4")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["out.mp4"]


def test_sound_that_the_container_cannot_hold_is_an_error_with_a_remedy(tmp_path):
    source, target = film(tmp_path / "in.mp4", sound="aac"), tmp_path / "out.webm"
    with pytest.raises(ValueError, match=r"webm cannot hold its audio as it is \(aac\): choose .mkv, or leave"):
        copy(source, target)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("pix_fmt", "full_range", "size", "written"),
    [
        ("yuv420p", False, (WIDTH, HEIGHT), "yuv420p"),
        ("yuv420p", True, (WIDTH, HEIGHT), "yuvj420p"),  # FFmpeg's name for H.264 in full range
        ("yuv444p", False, (WIDTH, HEIGHT), "yuv444p"),
        ("yuv422p", False, (WIDTH, HEIGHT), "yuv420p"),
        ("yuv420p10le", False, (WIDTH, HEIGHT), "yuv420p"),
        ("gray", False, (WIDTH, HEIGHT), "yuv420p"),
        ("yuv444p", False, (WIDTH + 1, HEIGHT - 1), "yuv444p"),
    ],
)
def test_pixel_formats(tmp_path, pix_fmt, full_range, size, written):
    source = film(tmp_path / "in.mkv", pix_fmt=pix_fmt, full_range=full_range, size=size, times=TIMES[:3])
    copy(source, tmp_path / "out.mkv")
    old, new = frames_of(source)[1], frames_of(tmp_path / "out.mkv")[1]
    assert new.format.name == written and (new.width, new.height) == size
    assert np.abs(pixels(old).astype(int) - pixels(new)).mean() < 6


def test_odd_sides_stay(tmp_path):
    source = film(tmp_path / "in.webm", "libvpx-vp9", size=(WIDTH + 1, HEIGHT + 3), times=TIMES[:3])
    for suffix in (".webm", ".mp4"):
        copy(source, tmp_path / f"out{suffix}")
        frame = frames_of(tmp_path / f"out{suffix}")[0]
        assert (frame.width, frame.height) == (WIDTH + 1, HEIGHT + 3)


@pytest.mark.parametrize("full_range", [False, True])
def test_pixels_survive_the_way_to_rgb_and_back(tmp_path, full_range):
    source = film(tmp_path / "in.mkv", pix_fmt="yuv444p", full_range=full_range, times=TIMES[:2])
    frame = frames_of(source)[1]
    back = with_pixels(frame, pixels(frame))
    assert (back.pts, back.time_base, back.format.name) == (frame.pts, frame.time_base, frame.format.name)
    assert (back.color_range, back.colorspace) == (frame.color_range, frame.colorspace)
    assert np.abs(back.to_ndarray().astype(int) - frame.to_ndarray()).max() <= 2
