"""Which files are found, in which order they come, and that a bad one costs only itself."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recordings import record, squares

from mien.contract.errors import ImageError, VideoError
from mien.video.frames import Frame
from mien.video.sources import Item, Note, SourceEnd, TimeRange, find_sources, read_sources


def photo(path: Path, level: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), level, dtype=np.uint8)).save(path, format="PNG")
    return path


def told(items: list[Item]) -> list[tuple[str, str | None]]:
    """Each source's end with its problem."""
    return [(end.source, end.error and str(end.error)) for end in items if isinstance(end, SourceEnd)]


def test_folders_globs_and_files(tmp_path: Path) -> None:
    names = ["b.JPG", "a.png", "sub/c.MP4", "sub/deep/d.webm", "notes.txt", ".hidden.png", "e.tiff"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    inside = [str(tmp_path / name) for name in ("a.png", "b.JPG", "e.tiff", "sub/c.MP4", "sub/deep/d.webm")]
    assert find_sources([tmp_path]) == inside
    assert find_sources([tmp_path / "*.png", "-", "missing.jpg"]) == [str(tmp_path / "a.png"), "-", "missing.jpg"]
    assert find_sources([str(tmp_path / "**/*.webm")]) == [str(tmp_path / "sub/deep/d.webm")]
    (tmp_path / "odd[1].png").touch()  # a name that looks like a glob, but is there
    assert find_sources([tmp_path / "odd[1].png"]) == [str(tmp_path / "odd[1].png")]


def test_nothing_found_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no images or videos in this folder"):
        find_sources([tmp_path])
    with pytest.raises(ImageError, match=r"\*\.jpg: no file matches"):
        find_sources([tmp_path / "*.jpg"])


def test_photos_and_videos_come_in_order_each_with_its_end(tmp_path: Path) -> None:
    one, film = photo(tmp_path / "one.png", 7), record(tmp_path / "film.mp4", 4)
    bad, missing, two = tmp_path / "bad.jpg", tmp_path / "missing.mp4", photo(tmp_path / "two.png", 9)
    bad.write_text("no photo")
    items = list(read_sources(map(str, (one, film, bad, missing, two))))
    frames = [(item.source, item.t_s) for item in items if isinstance(item, Frame)]
    shown = [(str(film), pytest.approx(index / 30)) for index in range(4)]
    assert frames == [(str(one), None), *shown, (str(two), None)]
    assert told(items) == [
        (str(one), None),
        (str(film), None),
        (str(bad), f"{bad}: is not an image, or is damaged from its first bytes on"),
        (str(missing), f"{missing}: no such file"),
        (str(two), None),
    ]
    assert isinstance(items[-2], Frame) and items[-2].frame_rgb.mean() == 9


def test_other_names_are_tried_as_photo_then_as_video(tmp_path: Path) -> None:
    film = record(tmp_path / "a.mp4", 2).rename(tmp_path / "film.dat")
    text = tmp_path / "text.dat"
    text.write_text("neither")
    items = list(read_sources([str(photo(tmp_path / "photo.dat")), str(film), str(text)]))
    assert [item.t_s for item in items if isinstance(item, Frame)] == [None, 0, pytest.approx(1 / 30)]
    assert told(items)[2][1] == f"{text}: is not an image, or is damaged from its first bytes on"


def test_notes_come_before_their_frame_and_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "both.h264"
    one = record(tmp_path / "one.h264", 2, container="h264").read_bytes()
    two = record(tmp_path / "two.h264", [squares(0, (128, 80))], container="h264").read_bytes()
    path.write_bytes(one + two)
    kinds = [type(item) for item in read_sources([str(path)])]
    assert kinds == [Frame, Frame, Note, Frame, SourceEnd]


def test_sources_are_taken_one_at_a_time(tmp_path: Path) -> None:
    path = str(photo(tmp_path / "a.png"))
    items = read_sources(itertools.repeat(path))
    assert [type(item) for item in itertools.islice(items, 6)] == [Frame, SourceEnd] * 3


class Standard:
    """Standard input that holds given bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BufferedReader(io.BytesIO(content))  # type: ignore[arg-type]


def test_standard_input_may_be_a_photo_a_video_or_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = record(tmp_path / "a.mkv", 3)
    for content, seen_s, problem in (
        (photo(tmp_path / "a.png").read_bytes(), [None], None),
        (film.read_bytes(), [0, 0.033, 0.067], None),
        (b"", [], "-: standard input is empty"),
        (b"neither", [], "-: is not a video, or is damaged from its first bytes on"),
        (b"\x89PNG broken", [], "-: is not an image, or is damaged from its first bytes on"),
    ):
        monkeypatch.setattr("sys.stdin", Standard(content))
        items = list(read_sources(["-"]))
        assert [item.t_s for item in items if isinstance(item, Frame)] == pytest.approx(seen_s)
        assert told(items) == [("-", problem)]


@pytest.mark.parametrize("wrong", [{"start_s": -1.0}, {"start_s": 5.0, "end_s": 5.0}, {"every_s": 0.0}])
def test_an_impossible_window_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        TimeRange(**wrong)


def test_the_window_reaches_the_reader(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", 60)
    items = list(read_sources([str(path)], TimeRange(0.5, 1.5, 0.5)))
    assert [item.t_s for item in items if isinstance(item, Frame)] == pytest.approx([0.5, 1.0])
    (clip,) = {item.clip for item in items if isinstance(item, Frame)}
    assert clip is not None and clip.window_s == (0.5, 1.5) and clip.end_s == 1.5


def test_a_video_without_pyav_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record(tmp_path / "a.mp4", 2)
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (end,) = read_sources([str(path)])
    assert isinstance(end, SourceEnd) and not isinstance(end.error, VideoError)
    assert str(end.error).endswith('-m pip install "mien[video]"') and "av is not installed" in str(end.error)
