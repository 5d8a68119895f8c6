"""The stages of a live frame add up."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.recognition.recognizer import Recognizer
from mien.serve.live_stages import as_live_frame, time_live_frame


def test_stages_add_up(tiny_model: Path) -> None:
    photo_rgb = np.full((300, 200, 3), 90, np.uint8)
    stages, faces = time_live_frame(Recognizer(tiny_model, "none"), photo_rgb, turns=3)
    assert faces == 1
    assert [each.name for each in stages] == ["decode", "detect (none)", "crop", "classify", "track, mood and message"]
    assert sum(each.share for each in stages) == pytest.approx(1)
    with pytest.raises(ValueError, match="expected turns >= 1, got 0"):
        time_live_frame(Recognizer(tiny_model, "none"), photo_rgb, turns=0)


def test_a_live_frame_is_the_middle_of_the_photo() -> None:
    photo_rgb = np.zeros((300, 800, 3), dtype=np.uint8)
    photo_rgb[:, 200:600] = 200
    with Image.open(io.BytesIO(as_live_frame(photo_rgb))) as image:
        assert (image.format, image.size) == ("JPEG", (640, 480))
        assert np.asarray(image).min() > 150
