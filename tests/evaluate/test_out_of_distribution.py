"""Crops without faces, and how many of them are rejected."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.evaluate.out_of_distribution import non_faces, rejection, sample_pictures


def test_crops_come_from_the_pictures_at_the_right_size() -> None:
    dark, light = np.full((60, 90), 10, np.uint8), np.full((48, 70, 3), 250, np.uint8)
    crops = non_faces(48, {"walls": [dark, light]}, per_kind=6)
    assert {kind: each.shape for kind, each in crops.items()} == dict.fromkeys(
        ("walls", "white noise", "smooth noise", "gradients"), (6, 48, 48)
    )
    assert crops["walls"].mean(axis=(1, 2)).tolist() == [10, 250] * 3
    again = non_faces(48, {"walls": [dark, light]}, per_kind=6)
    assert all(np.array_equal(crops[kind], again[kind]) for kind in crops)


def test_noises_are_what_they_are_called() -> None:
    crops = non_faces(48, {}, per_kind=50)
    assert crops["white noise"].std() == pytest.approx(73.9, abs=1)  # uniform over 256 levels

    def neighbours(name: str) -> float:
        return float(np.abs(np.diff(crops[name].astype(float), axis=2)).mean())

    assert neighbours("gradients") < neighbours("smooth noise") < 20 < neighbours("white noise")
    assert (np.ptp(crops["smooth noise"], axis=(1, 2)) == 255).all()


def test_rejection_counts_what_is_below_the_threshold() -> None:
    def predictor(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        top_N = crops[:, 0, 0] / 100
        return np.stack([top_N, 1 - top_N], axis=1)

    crops = {"a": np.full((4, 8, 8), 60, np.uint8), "b": np.full((1, 8, 8), 80, np.uint8)}
    crops["a"][0] = 70
    found = rejection(predictor, crops, threshold=0.7)
    assert (found["a"].rejected, found["b"].rejected, found["all"].rejected) == (0.75, 0.0, 0.6)
    assert found["a"].mean_confidence == pytest.approx((0.7 + 3 * 0.6) / 4)
    assert found["all"].n == 5


def test_sample_pictures_are_photographs_of_no_one() -> None:
    pytest.importorskip("skimage.data", reason="the pictures come with mien[evaluate]")
    kinds = sample_pictures()
    assert {kind: len(images) for kind, images in kinds.items()} == {"random crops of pictures": 9, "textures": 3}
    for image in (image for images in kinds.values() for image in images):
        assert image.dtype == np.uint8 and min(image.shape[:2]) >= 48 and np.ptp(image) > 100
