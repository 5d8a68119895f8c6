"""Each corruption does what its name says, more with each strength, and the sweep counts rightly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.faceset import FaceSet
from mien.evaluate.corruptions import CORRUPTIONS, SETTINGS, STRENGTHS, shifted_faces
from mien.evaluate.robustness import Stability, robustness


def corrupted(name: str, faces_NHW: NDArray[np.uint8], strength: int) -> NDArray[np.uint8]:
    return CORRUPTIONS[name](faces_NHW, strength, np.random.default_rng(strength))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_farther_from_the_face_with_each_strength(name: str, toy: FaceSet) -> None:
    faces = toy.faces_NHW[::2]
    before = faces.copy()
    distances = []
    for strength in STRENGTHS:
        worse = corrupted(name, faces, strength)
        assert (worse.dtype, worse.shape) == (np.uint8, faces.shape)
        distances.append(np.abs(worse.astype(float) - faces).mean())
    assert 0 < distances[0] and distances == sorted(distances)
    assert np.array_equal(faces, before)
    assert np.array_equal(corrupted(name, faces, 3), corrupted(name, faces, 3))
    assert len(SETTINGS[name][1]) == 5


def test_what_they_do() -> None:
    grey = np.full((400, 48, 48), 128, np.uint8)
    assert corrupted("Gaussian noise", grey, 3).std() == pytest.approx(20, rel=0.02)
    dark = corrupted("low light", grey, 3)
    assert dark.mean() == pytest.approx(128 * 0.12, rel=0.02)
    assert dark.var() == pytest.approx(128 * 0.12 / 4 + 1 / 12, rel=0.05)  # four photons a level, and rounding
    for name in ("blur", "low contrast", "down-sampling", "rotation", "shift", "eyes covered", "mouth covered"):
        assert (corrupted(name, grey, 5) == 128).all()
    half = np.zeros((1, 48, 48), np.uint8)
    half[:, :, 24:] = 200
    assert sorted(np.unique(corrupted("low contrast", half, 2))) == [70, 130]
    assert set(np.flatnonzero((corrupted("mouth covered", half, 1) == 100).all(axis=2)[0])) == set(range(35, 40))


def test_shifted_repeats_the_edge() -> None:
    face = np.arange(9, dtype=np.uint8).reshape(1, 3, 3)
    assert shifted_faces(face, 1, 0).tolist() == [[[0, 0, 1], [3, 3, 4], [6, 6, 7]]]
    assert shifted_faces(face, 0, -1).tolist() == [[[3, 4, 5], [6, 7, 8], [6, 7, 8]]]


def test_rotation_turns_by_its_angle() -> None:
    bar = np.zeros((40, 48, 48), np.uint8)
    bar[:, 22:26] = 255
    turned = corrupted("rotation", bar, 5).astype(float)
    y, x = np.mgrid[:48, :48] - 23.5
    angles = [np.degrees(np.arctan2((face * x * y).sum(), (face * x * x).sum())) for face in turned]
    assert np.abs(angles) == pytest.approx(np.full(40, 40), abs=3)
    assert min(angles) < 0 < max(angles)


def brightness(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Above mid-grey is class 1."""
    light_N = np.clip((faces_NHW.mean(axis=(1, 2)) - 128) / 20 + 0.5, 0, 1)
    return np.stack([1 - light_N, light_N], axis=1)


def test_the_sweep_measures_each_pass_on_the_same_faces() -> None:
    faces_NHW = np.stack([np.full((48, 48), level, np.uint8) for level in [90] * 30 + [200] * 30])
    labels_N = np.repeat([0, 1], 30)
    done: list[tuple[int, int]] = []
    found = robustness(brightness, faces_NHW, labels_N, lambda *at: done.append(at), faces_at_most=40)
    assert (found.n, found.of, found.clean_accuracy) == (40, 60, 1.0)
    assert done == [(each, 56) for each in range(1, 57)]
    accuracies = {name: row.accuracy for name, row in found.corruptions.items()}
    assert accuracies["blur"] == accuracies["shift"] == accuracies["Gaussian noise"] == (1.0,) * 5
    share_dark = accuracies["low light"][4]  # all are taken for the dark class
    assert 0 < share_dark < 1 and accuracies["low light"] == (share_dark,) * 5
    assert found.mean_corruption_accuracy == pytest.approx(0.9 + 0.1 * share_dark)
    assert found.retained == found.mean_corruption_accuracy
    assert found.stability["mirrored"] == Stability(same_answer=1.0, moved_probability=0.0)
    assert found == robustness(brightness, faces_NHW, labels_N, faces_at_most=40)


def test_stability_by_hand() -> None:
    """The answer is the lightness of the left column alone, which a shift or a mirror moves."""

    def left_column(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
        light_N = faces_NHW[:, :, 0].mean(axis=1) / 255
        return np.stack([1 - light_N, light_N], axis=1)

    face = np.zeros((1, 48, 48), np.uint8)
    face[:, :, 0] = 255
    found = robustness(left_column, face, np.array([1])).stability
    assert found["shifted by one pixel"] == Stability(same_answer=0.75, moved_probability=0.25)  # only to the left
    assert found["mirrored"] == Stability(same_answer=0.0, moved_probability=1.0)
