"""True times, the right part, upright and square pixels; and what a damaged file still gives."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from recordings import SIZE, loop, record, squares

from mien.contract.errors import VideoError
from mien.video.frames import Frame
from mien.video.reader import VideoReader

NTSC = Fraction(30000, 1001)


def read(path: Path, **window: float) -> list[Frame]:
    with VideoReader(path) as video:
        frames = list(video.frames(**window))
        video.check_whole()
        return frames


def seen_s(frames: list[Frame]) -> list[float]:
    return [frame.t_s for frame in frames if frame.t_s is not None]


@pytest.mark.parametrize(
    ("suffix", "within_s"), [(".mp4", 1e-6), (".mov", 1e-6), (".mkv", 6e-4), (".ts", 2e-5), (".avi", 1e-6)]
)
def test_times_are_the_presentation_timestamps(tmp_path: Path, suffix: str, within_s: float) -> None:
    path = record(tmp_path / f"a{suffix}", 45, NTSC, "mpeg4" if suffix == ".avi" else "libx264")
    frames = read(path)
    assert seen_s(frames) == pytest.approx([index * 1001 / 30000 for index in range(45)], abs=within_s)
    for index in (0, 7, 44):
        assert np.abs(frames[index].frame_rgb.astype(int) - squares(index)).mean() < 3
    clip = frames[0].clip
    assert clip is not None and clip.fps == pytest.approx(29.97, abs=0.1)
    assert frames[0].source == str(path)


def test_ten_minutes_at_29_97_end_on_the_right_frame(tmp_path: Path) -> None:
    """Counting frames at 30 a second would be 0.6 s off here, and int(29.97) a third of a minute."""
    path = loop(record(tmp_path / "a.mp4", 30, NTSC), tmp_path / "ten.mp4", 600)
    with VideoReader(path) as video:
        seen = seen_s(list(video.frames(every_s=10)))
        video.check_whole()
    first_of_each = [-(-index * 10 * 30000 // 1001) * 1001 / 30000 for index in range(61)]
    assert seen == pytest.approx(first_of_each, abs=1e-6)
    assert seen_s(read(path, start_s=600.5))[-1] == pytest.approx((600 * 30 - 1) * 1001 / 30000, abs=1e-6)


def test_a_variable_rate_is_followed(tmp_path: Path) -> None:
    ticks = [0, 40, 45, 300, 301, 1000, 2500]  # milliseconds
    path = record(tmp_path / "a.mkv", 7, pts=ticks, time_base=Fraction(1, 1000))
    assert seen_s(read(path)) == pytest.approx([tick / 1000 for tick in ticks])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("gop", [5, 250])
def test_a_part_is_found_whatever_the_key_frames(tmp_path: Path, suffix: str, gop: int) -> None:
    """At 29.97 with a first frame that is not at 0 in MPEG-TS; every frame shows its own number."""
    path = record(tmp_path / f"a{suffix}", 90, gop=gop)
    whole = seen_s(read(path))
    part = read(path, start_s=1.0, end_s=2.0)
    assert seen_s(part) == [t_s for t_s in whole if 1.0 - 1e-6 <= t_s < 2.0 - 1e-6]
    assert len(part) == 30
    assert np.abs(part[0].frame_rgb.astype(int) - squares(round(part[0].t_s * 30))).mean() < 4  # type: ignore[operator]


def test_every_takes_one_frame_of_each_stretch(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", 60)
    assert seen_s(read(path, every_s=0.2)) == pytest.approx([index / 5 for index in range(10)])
    assert seen_s(read(path, start_s=0.5, every_s=0.5)) == pytest.approx([0.5, 1.0, 1.5])
    assert len(read(path, every_s=0.001)) == 60


def test_a_pipe_cannot_be_searched_but_read(tmp_path: Path) -> None:
    import os
    import threading

    content = record(tmp_path / "a.mkv", 60).read_bytes()
    reading, writing = os.pipe()

    def pour() -> None:
        with os.fdopen(writing, "wb") as into:
            into.write(content)

    threading.Thread(target=pour).start()
    with os.fdopen(reading, "rb") as stream, VideoReader(stream) as video:
        frames = list(video.frames(start_s=1.0))
        video.check_whole()
    assert (len(frames), frames[0].source) == (30, "-")
    assert frames[0].t_s == pytest.approx(1.0)


def turned(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a rotation into the MP4's picture header, as phones do."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", content, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize(("matrix", "quarters"), [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)])
def test_phones_turn_by_metadata(tmp_path: Path, matrix: tuple[int, int, int, int], quarters: int) -> None:
    path = record(tmp_path / "a.mp4", 3)
    turned(path, matrix)
    frame_rgb = read(path)[0].frame_rgb
    expected = np.rot90(squares(0), quarters)
    assert frame_rgb.shape == expected.shape
    assert np.abs(frame_rgb.astype(int) - expected).mean() < 3


def test_pixels_are_made_square(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 72, 64, "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(4, 3)
        out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 72, 3), dtype=np.uint8), format="rgb24")))
        out.mux(video.encode())
    assert read(path)[0].frame_rgb.shape == (64, 96, 3)


def test_without_timestamps_the_stream_s_own_rate_counts(tmp_path: Path) -> None:
    path = record(tmp_path / "a.h264", 30, container="h264")
    frames = read(path)
    steps = np.diff(seen_s(frames))
    assert len(frames) == 30 and steps == pytest.approx(np.full(29, 1 / 30), abs=1e-6)


def test_a_size_that_changes_is_noted(tmp_path: Path) -> None:
    one = record(tmp_path / "one.h264", 10, container="h264").read_bytes()
    other = (squares(index, (128, 80)) for index in range(10))
    two = record(tmp_path / "two.h264", other, container="h264").read_bytes()
    path = tmp_path / "both.h264"
    path.write_bytes(one + two)
    with VideoReader(path) as video:
        sizes = [frame.frame_rgb.shape for frame in video.frames()]
        video.check_whole()
    assert sizes == [(SIZE[1], SIZE[0], 3)] * 10 + [(80, 128, 3)] * 10
    (note,) = video.notes
    assert note.startswith(f"{path}: the picture changes its size at 0.3") and "128 x 80" in note


def test_a_clock_that_was_set_back_goes_on(tmp_path: Path) -> None:
    """Two MPEG-TS recordings joined: the second starts at 1.4 s again."""
    one, two = (record(tmp_path / f"{name}.ts", 60).read_bytes() for name in "ab")
    path = tmp_path / "joined.ts"
    path.write_bytes(one + two + record(tmp_path / "c.ts", 60).read_bytes())
    with VideoReader(path) as video:
        seen = seen_s(list(video.frames()))
    assert len(seen) >= 175 and (np.diff(seen) > 0).all()
    assert seen[-1] == pytest.approx(180 / 30, abs=0.2)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_cut_short_is_told_and_the_rest_kept(tmp_path: Path, suffix: str) -> None:
    path = record(tmp_path / f"a{suffix}", 90, options={"movflags": "faststart"} if suffix == ".mp4" else None)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    with VideoReader(path) as video:
        frames = list(video.frames())
        with pytest.raises(
            VideoError, match=r"cut short: it ends at 1\.\d\d s of 3\.00 s; the rest was read$"
        ) as error:
            video.check_whole()
    assert 35 < len(frames) < 60 and str(error.value).startswith(f"{path}: ")
    assert len(read(path, end_s=0.5)) == 15  # what was asked for is all there


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_damage_in_the_middle_costs_only_itself(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    noisy = (squares(i) + rng.integers(-30, 5, (64, 96, 3)) for i in range(90))
    path = record(tmp_path / f"a{suffix}", (np.clip(frame, 0, 255).astype(np.uint8) for frame in noisy))
    content = bytearray(path.read_bytes())
    for at in rng.integers(len(content) * 40 // 100, len(content) * 50 // 100, 40):
        content[at] ^= 0xFF
    path.write_bytes(content)
    with VideoReader(path) as video:
        times_s = seen_s(list(video.frames()))
        with pytest.raises(VideoError, match=r"\d+ damaged frames? (at|from) [01]\.\d\d.*; the rest was read$"):
            video.check_whole()
    assert len(times_s) > 60 and times_s[-1] == pytest.approx(89 / 30, abs=0.1)
    read(path, start_s=2.5)  # the good end is whole


def test_what_is_no_video_is_told_in_one_line(tmp_path: Path) -> None:
    speech = tmp_path / "speech.m4a"
    with av.open(str(speech), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=44_100, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 44_100), dtype=np.int16), format="s16", layout="mono")
        silence.rate, silence.pts = 44_100, 0
        out.mux(stream.encode(silence))
        out.mux(stream.encode())
    unfinished = record(tmp_path / "unfinished.mp4")
    unfinished.write_bytes(unfinished.read_bytes()[:1500])
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
    empty.touch()
    text.write_text("not a film " * 100)
    for path, reason in (
        (tmp_path / "missing.mp4", "no such file"),
        (tmp_path, "is a folder, not a video"),
        (empty, "the file is empty"),
        (text, "is not a video, or is damaged from its first bytes on"),
        (unfinished, "is cut short: an MP4 without its index"),
        (speech, "has no picture, only audio"),
    ):
        with pytest.raises(VideoError) as error:
            VideoReader(path)
        assert str(error.value) == f"{path}: {reason}"


def test_a_part_behind_the_end_is_told(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", 30)
    with pytest.raises(VideoError, match="holds no frame from 9 s on$"):
        read(path, start_s=9)


def test_names_in_any_script(tmp_path: Path) -> None:
    folder = tmp_path / "Fête à Zürich – 写真 ☺"
    folder.mkdir()
    assert len(read(record(folder / "мама и я.mp4", 5))) == 5


def test_names_of_metadata_that_are_not_utf8(tmp_path: Path) -> None:
    path = record(tmp_path / "tags.mkv", 5)
    whole = path.read_bytes()
    assert b"DURATION" in whole and b"ENCODER" in whole
    path.write_bytes(whole.replace(b"DURATION", b"DURA\xb1ION").replace(b"ENCODER", b"\xffNCODER"))
    with VideoReader(path) as video:
        assert len(list(video.frames())) == 5
