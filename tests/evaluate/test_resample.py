"""Batched resampling equals the one-image preprocessing, and a blur is scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mien.contract.pixels import crop_square
from mien.evaluate.resample import blur, resample

FACES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)


@pytest.mark.parametrize("box", [(0, 0, 48, 48), (2, 2, 46, 46), (-3.5, 1.25, 40, 44.75), (10, 0, 20, 10)])
@pytest.mark.parametrize("side", [48, 17, 64])
def test_equal_to_the_preprocessing(box: tuple[float, float, float, float], side: int) -> None:
    expected = np.stack([crop_square(face, box, side) for face in FACES])
    assert np.abs(resample(FACES, box, side).astype(int) - expected).max() <= 1  # ties of rounding


def test_the_whole_face_is_passed_on() -> None:
    assert np.array_equal(resample(FACES, (0, 0, 48, 48), 48), FACES)


@pytest.mark.parametrize("sigma_px", [0.6, 1.5, 4.0])
def test_blur_is_gaussian(sigma_px: float) -> None:
    expected = np.stack([gaussian_filter(face.astype(float), sigma_px, mode="nearest") for face in FACES])
    assert np.abs(blur(FACES, sigma_px) - expected).max() < 0.51
