"""The stages of a photo add up, and their names say what was done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.contract.errors import ImageError
from mien.recognition.end_to_end import time_photo
from mien.recognition.recognizer import Recognizer


def test_stages_add_up(tiny_model: Path, tmp_path: Path) -> None:
    photo = tmp_path / "face.png"
    Image.fromarray(np.full((60, 60, 3), 90, np.uint8)).save(photo)
    stages, faces = time_photo(Recognizer(tiny_model, "none"), photo, turns=3)
    assert faces == 1
    assert [each.name for each in stages] == ["read", "detect (none)", "crop", "classify", "result"]
    assert sum(each.share for each in stages) == pytest.approx(1)
    assert all(0 < each.fastest <= each.milliseconds <= each.slowest for each in stages)


def test_bad_input(tiny_model: Path, tmp_path: Path) -> None:
    recognizer = Recognizer(tiny_model, "none")
    with pytest.raises(ImageError, match="no such file"):
        time_photo(recognizer, tmp_path / "missing.png", turns=1)
    with pytest.raises(ValueError, match="expected turns >= 1, got 0"):
        time_photo(recognizer, tmp_path / "missing.png", turns=0)
