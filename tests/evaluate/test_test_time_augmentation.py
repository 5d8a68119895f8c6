"""Test-time augmentation averages the views it says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.faceset import FaceSet
from mien.evaluate.test_time_augmentation import Views, five_crops, with_tta


def left_light(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Depends on the left half alone, so mirroring matters."""
    light_N = faces_NHW[:, :, : faces_NHW.shape[2] // 2].mean(axis=(1, 2)) / 255
    return np.stack([light_N, 1 - light_N], axis=1)


def test_flip_is_the_mean_of_both_sides(toy: FaceSet) -> None:
    faces = toy.faces_NHW[:6]
    expected = (left_light(faces) + left_light(faces[:, :, ::-1])) / 2
    np.testing.assert_allclose(with_tta(left_light, Views.flip)(faces), expected)
    assert with_tta(left_light, Views.none) is left_light


def test_five_crops_are_corners_and_middle() -> None:
    """A ramp to the right keeps its slope times 44/48 and starts where the crop does."""
    ramp = np.tile(np.arange(48, dtype=np.uint8) * 5, (1, 48, 1))
    top_left, top_right, _, _, middle = (crop[0, 24].astype(float) for crop in five_crops(ramp))
    assert top_right[10:-10] - top_left[10:-10] == pytest.approx(np.full(28, 4 * 5), abs=1)
    assert middle[10:-10] - top_left[10:-10] == pytest.approx(np.full(28, 2 * 5), abs=1)
    assert (top_left[40] - top_left[8]) / 32 == pytest.approx(5 * 44 / 48, rel=0.03)


def test_ten_crops_are_ten_calls_of_the_full_side(toy: FaceSet) -> None:
    shapes = []

    def predictor(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
        shapes.append(faces_NHW.shape)
        return left_light(faces_NHW)

    probs_NC = with_tta(predictor, Views.tencrop)(toy.faces_NHW[:3])
    assert shapes == [(3, 48, 48)] * 10
    np.testing.assert_allclose(probs_NC.sum(axis=1), 1)
