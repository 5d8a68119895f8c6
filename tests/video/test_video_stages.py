"""The stages of a video's frames add up, and a film can be made of a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recordings import Squares, record

from mien.contract.errors import VideoError
from mien.recognition.recognizer import Recognizer
from mien.video.reader import VideoReader
from mien.video.video_stages import film_of, time_video


def test_stages_add_up(tiny_model: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", 40)
    stages, frames, faces = time_video(Recognizer(tiny_model, Squares()), path, frames=20)
    names = ["decode", "search and follow (squares)", "crop", "classify", "smooth and result"]
    assert [each.name for each in stages] == names
    assert (frames, faces) == (20, 40)
    assert sum(each.share for each in stages) == pytest.approx(1)
    assert all(0 <= each.fastest <= each.milliseconds <= each.slowest for each in stages)


def test_a_film_of_a_photo_moves(tmp_path: Path) -> None:
    photo_rgb = np.zeros((300, 400, 3), dtype=np.uint8)
    photo_rgb[100:200, 150:250] = 255
    with VideoReader(film_of(photo_rgb, tmp_path, seconds=1.0)) as video:
        frames = list(video.frames())
        video.check_whole()
    assert len(frames) == 30 and frames[0].frame_rgb.shape == (480, 640, 3)
    lefts = [int(np.flatnonzero(frame.frame_rgb[240, :, 1] > 128)[0]) for frame in frames]
    assert max(lefts) - min(lefts) in range(36, 44)


def test_bad_input(tiny_model: Path, tmp_path: Path) -> None:
    recognizer = Recognizer(tiny_model, Squares())
    with pytest.raises(VideoError, match=r"short\.mp4: has 5 frames, too few to time; it takes more than 10"):
        time_video(recognizer, record(tmp_path / "short.mp4", 5))
    with pytest.raises(ValueError, match="expected frames >= 1, got 0"):
        time_video(recognizer, tmp_path / "short.mp4", frames=0)
