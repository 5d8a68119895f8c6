"""The copy is shown at the same moments, for as long, with the same sound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from recordings import length_s, loop, record, sound_packets, squares, times

from mien.contract.errors import OutputError
from mien.video.reader import VideoReader
from mien.video.writer import VideoWriter

NTSC = Fraction(30000, 1001)


def copy(path: Path, to: Path, **window: float) -> Path:
    """Write each frame of a video as it is."""
    with VideoReader(path) as video:
        film = None
        for frame in video.frames(**window):
            assert frame.clip is not None
            film = film or VideoWriter(to, "copy", frame.clip)
            film.add(frame, frame.frame_rgb)
    assert film is not None
    return film.finish()


@pytest.mark.parametrize(
    ("name", "rate", "within_s"),
    [("a.mp4", Fraction(30), 1e-6), ("a.mov", NTSC, 1e-6), ("a.mkv", NTSC, 1e-6), ("a.avi", Fraction(25), 1e-6)],
)
def test_timestamps_and_length_are_the_source_s(tmp_path: Path, name: str, rate: Fraction, within_s: float) -> None:
    source = record(tmp_path / name, 50, rate, "mpeg4" if name == "a.avi" else "libx264")
    film = copy(source, tmp_path / "out")
    assert film == tmp_path / "out" / "copy.mp4"
    assert times(film) == pytest.approx(times(source), abs=within_s)
    assert length_s(film) == pytest.approx(float(50 / rate), abs=1 / 30)
    assert not list((tmp_path / "out").glob("*.partial*"))


def test_ten_minutes_do_not_drift(tmp_path: Path) -> None:
    """A frame every ten seconds at 29.97: the last one is not a tick away from where it was."""
    source = loop(record(tmp_path / "a.mp4", 30, NTSC), tmp_path / "ten.mp4", 600)
    film = copy(source, tmp_path / "out", every_s=10)
    assert times(film) == pytest.approx([-(-index * 300_000 // 1001) * 1001 / 30_000 for index in range(61)], abs=1e-6)
    assert length_s(film) == pytest.approx(length_s(source), abs=1e-3)


def test_a_variable_rate_stays_variable(tmp_path: Path) -> None:
    ticks = [0, 40, 45, 300, 301, 1000, 2500]
    source = record(tmp_path / "a.mp4", 7, pts=ticks, time_base=Fraction(1, 1000))
    film = copy(source, tmp_path / "out")
    assert times(film) == pytest.approx([tick / 1000 for tick in ticks], abs=1e-6)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_sound_is_copied_bit_for_bit(tmp_path: Path, name: str) -> None:
    source = record(tmp_path / name, 60, sound=True)
    film = copy(source, tmp_path / "out")
    before, after = sound_packets(source), sound_packets(film)
    assert [content for _, content in after] == [content for _, content in before]
    assert [at_s for at_s, _ in after] == pytest.approx([at_s for at_s, _ in before], abs=6e-3)


def test_sound_that_mp4_does_not_hold_makes_it_matroska(tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as out:
        video, sound = out.add_stream("libx264", rate=30), out.add_stream("pcm_s16le", rate=8000, layout="mono")
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for index in range(15):
            picture = av.VideoFrame.from_ndarray(squares(index), format="rgb24")
            picture.pts = index
            out.mux(video.encode(picture))
        out.mux(video.encode())
        samples = av.AudioFrame.from_ndarray(np.arange(4000, dtype=np.int16)[None], format="s16", layout="mono")
        samples.rate, samples.pts = 8000, 0
        out.mux(sound.encode(samples))
        out.mux(sound.encode())
    film = copy(source, tmp_path / "out")
    assert film.name == "copy.mkv"
    assert b"".join(content for _, content in sound_packets(film)) == np.arange(4000, dtype="<i2").tobytes()
    assert times(film) == pytest.approx(times(source), abs=1e-3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.h264"])
def test_a_single_frame_has_no_rate_and_is_a_film(tmp_path: Path, name: str) -> None:
    source = record(tmp_path / name, 1, container="h264" if name == "a.h264" else None)
    assert len(times(copy(source, tmp_path / "out"))) == 1


def test_an_unknown_rate_is_no_trouble(tmp_path: Path) -> None:
    source = record(tmp_path / "a.mkv", 5, pts=[0, 100, 350, 400, 1000], time_base=Fraction(1, 1000))
    with VideoReader(source) as video:
        clip = replace(video.clip, fps=None, duration_s=None)
        film = VideoWriter(tmp_path / "out", "copy", clip)
        for frame in video.frames():
            film.add(frame, frame.frame_rgb)
        path = film.finish()
    assert times(path) == pytest.approx([0, 0.1, 0.35, 0.4, 1.0], abs=1e-6)


def test_a_part_begins_at_zero_with_its_own_sound(tmp_path: Path) -> None:
    source = record(tmp_path / "a.mp4", 90, sound=True)
    film = copy(source, tmp_path / "out", start_s=1.0, end_s=2.0)
    assert times(film) == pytest.approx([index / 30 for index in range(30)], abs=1e-6)
    assert length_s(film) == pytest.approx(1.0, abs=1e-3)
    heard = dict((content, at_s) for at_s, content in sound_packets(source))
    part = sound_packets(film)
    assert len(part) > 35
    for at_s, content in part:
        assert at_s == pytest.approx(heard[content] - 1.0, abs=2e-3)


def test_every_keeps_the_length(tmp_path: Path) -> None:
    source = record(tmp_path / "a.mp4", 60, sound=True)
    film = copy(source, tmp_path / "out", every_s=0.5)
    assert times(film) == pytest.approx([0, 0.5, 1.0, 1.5], abs=1e-6)
    assert length_s(film) == pytest.approx(2.0, abs=1e-3)


def write(to: Path, clip_of: Path, pictures: Iterable[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Write given pictures with the times of a video, and read them back."""
    with VideoReader(clip_of) as video:
        frames = video.frames()
        film = VideoWriter(to, "copy", video.clip)
        for picture_rgb, frame in zip(pictures, frames, strict=False):
            film.add(frame, picture_rgb)
        path = film.finish()
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("height", [64, 720])
def test_colours_survive(tmp_path: Path, height: int) -> None:
    """In both colour spaces; 4:2:0 and the quality cost a little."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 150, 100), (255, 255, 255), (0, 0, 0)]
    stripes = np.repeat(np.array(colours, dtype=np.uint8)[None], 32, axis=1).repeat(height, axis=0)
    (seen, *_) = write(tmp_path, record(tmp_path / "a.mp4", 2), [stripes] * 2)
    assert np.abs(seen[height // 2, 16::32].astype(int) - colours).max() <= 4


def test_odd_sizes_get_a_last_row_and_column(tmp_path: Path) -> None:
    (seen, *_) = write(tmp_path, record(tmp_path / "a.mp4", 2), [squares(0, (95, 63))] * 2)
    assert seen.shape == (64, 96, 3)
    assert np.abs(seen[:63, :95].astype(int) - squares(0, (95, 63))).mean() < 4


def test_other_sizes_are_fitted_with_bars(tmp_path: Path) -> None:
    tall = np.full((100, 50, 3), 200, dtype=np.uint8)
    *_, seen = write(tmp_path, record(tmp_path / "a.mp4", 2), [squares(0), tall])
    assert seen.shape == (64, 96, 3)
    assert seen[32, 48].mean() == pytest.approx(200, abs=8)
    assert seen[32, 4].mean() < 12 and seen[32, -4].mean() < 12


def test_left_early_it_is_marked_partial_and_plays(tmp_path: Path) -> None:
    source = record(tmp_path / "a.mp4", 60, sound=True)
    with VideoReader(source) as video, VideoWriter(tmp_path / "out", "copy", video.clip) as film:
        for frame, _ in zip(video.frames(), range(20), strict=False):
            film.add(frame, frame.frame_rgb)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["copy.partial.mp4"]
    assert len(times(film.partial)) == 20


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    source = record(tmp_path / "a.mp4", 2)
    (tmp_path / "file").touch()
    with VideoReader(source) as video, pytest.raises(OutputError, match=r"copy\.mp4: cannot be written \(.+\)$"):
        VideoWriter(tmp_path / "file" / "out", "copy", video.clip)
