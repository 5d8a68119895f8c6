"""Tilted faces come out level, upright ones bit for bit as always."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.contract.pixels import crop_faces
from mien.recognition.alignment import LEAST_DEG, crop_aligned, roll_deg
from mien.recognition.detectors import Detections
from mien.recognition.detectors.margins import MARGINS
from mien.recognition.detectors.yunet import YuNetDetector
from mien.recognition.recognizer import Recognizer


def eyes(angle_deg: float) -> NDArray[np.float64]:
    """Landmarks of one face about (100, 100), turned clockwise."""
    upright_52 = np.array([[-20, -15], [20, -15], [0, 0], [-15, 20], [15, 20]], dtype=np.float64)
    radians = np.radians(angle_deg)
    turn_22 = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    return (upright_52 @ turn_22 + 100)[None]


def smooth_picture(side: int = 200) -> NDArray[np.uint8]:
    """Blobs of light, different in every direction."""
    down, across = np.mgrid[:side, :side] / side
    level = 120 + 60 * np.sin(5 * across + 1) * np.cos(4 * down) + 50 * across * down
    return np.clip(level, 0, 255).astype(np.uint8)


def turned(picture: NDArray[np.uint8], angle_deg: float) -> NDArray[np.uint8]:
    middle = (picture.shape[1] - 1) / 2
    turn_23 = cv2.getRotationMatrix2D((middle, middle), -angle_deg, 1.0)
    size = picture.shape[1::-1]
    return np.asarray(cv2.warpAffine(picture, turn_23, size, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


@pytest.mark.parametrize("angle", [-150.0, -30.0, 0.0, 12.5, 90.0])
def test_the_angle_of_the_eyes(angle: float) -> None:
    assert roll_deg(eyes(angle)) == pytest.approx([angle])


@pytest.mark.parametrize("angle", [-45.0, -20.0, 7.0, 30.0])
@pytest.mark.parametrize("box", [(60, 60, 140, 140), (40, 20, 160, 180)])
def test_a_turned_picture_is_cut_as_the_upright_one(angle: float, box: tuple[int, int, int, int]) -> None:
    picture = smooth_picture()
    found = Detections(np.array([box], dtype=np.float64), None, eyes(angle))
    expected = crop_faces(picture, found.boxes_N4, 48)[0].astype(int)
    level = crop_aligned(turned(picture, angle), found, 48)[0].astype(int)
    inner = (slice(8, -8), slice(8, -8))  # its corners left the picture when it was turned
    assert np.abs(level - expected)[inner].max() <= 3
    as_found = crop_faces(turned(picture, angle), found.boxes_N4, 48)[0].astype(int)
    assert np.abs(as_found - expected)[inner].mean() > 2 * np.abs(level - expected)[inner].mean()


@pytest.mark.parametrize("angle", [0.0, LEAST_DEG - 0.1, -LEAST_DEG + 0.1, 61.0, -170.0])
def test_upright_faces_and_unlikely_angles_are_cut_as_always(angle: float) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    found = Detections(np.array([[60.0, 50, 150, 170]]), None, eyes(angle))
    expected = crop_faces(picture, found.boxes_N4, 48, MARGINS["yunet"])
    np.testing.assert_array_equal(crop_aligned(picture, found, 48, MARGINS["yunet"]), expected)


def test_no_landmarks_and_no_faces() -> None:
    picture = smooth_picture()
    found = Detections(np.array([[60.0, 50, 150, 170]]))
    np.testing.assert_array_equal(crop_aligned(picture, found, 48), crop_faces(picture, found.boxes_N4, 48))
    assert crop_aligned(picture, Detections(np.empty((0, 4))), 48).shape == (0, 48, 48)


def test_faces_of_any_size_and_beyond_the_edge() -> None:
    picture = smooth_picture(900)
    for box in ((2.0, 2, 4, 4), (-50.0, 100, 300, 450), (20.0, 20, 880, 880)):
        crop = crop_aligned(picture, Detections(np.array([box]), None, eyes(20)), 48)[0].astype(float)
        x, y = int(np.clip((box[0] + box[2]) / 2, 0, 899)), int((box[1] + box[3]) / 2)
        assert crop[23:25, 23:25].mean() == pytest.approx(float(picture[y, x]), abs=3)


@pytest.mark.parametrize("angle", [-25.0, 25.0])
def test_a_tilted_portrait_is_aligned(astronaut: NDArray[np.uint8], yunet_file: Path, angle: float) -> None:
    """Nearer to the upright crop than what is cut as found, though YuNet's landmarks tell half of the angle."""
    detector = YuNetDetector(yunet_file)
    found = detector.detect(turned(astronaut, angle))
    assert found.landmarks_N52 is not None
    assert roll_deg(found.landmarks_N52) == pytest.approx([angle * 0.55], abs=5)
    expected = crop_faces(astronaut, detector.detect(astronaut).boxes_N4, 48, MARGINS["yunet"])[0].astype(float)
    level = crop_aligned(turned(astronaut, angle), found, 48, MARGINS["yunet"])[0].astype(float)
    as_found = crop_faces(turned(astronaut, angle), found.boxes_N4, 48, MARGINS["yunet"])[0].astype(float)

    def alike(crop: NDArray[np.float64]) -> float:
        return float(np.corrcoef(crop[4:-4, 4:-4].ravel(), expected[4:-4, 4:-4].ravel())[0, 1])

    assert alike(level) > alike(as_found) + 0.1


def test_a_recognizer_levels_unless_told_not_to(tiny_model: Path) -> None:
    """A dark bar from eye to eye and on: level, it fills the middle of the crop."""
    picture = np.full((200, 200), 255, dtype=np.uint8)
    picture[90:110] = 0

    class Tilted:
        name = "none"

        def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
            return Detections(np.array([[60.0, 60, 140, 140]]), None, eyes(30))

    frame_rgb = np.repeat(turned(picture, 30)[:, :, None], 3, axis=2)
    (level_SS,) = Recognizer(tiny_model, Tilted()).crops(frame_rgb, Tilted().detect(frame_rgb))
    (as_found_SS,) = Recognizer(tiny_model, Tilted(), align=False).crops(frame_rgb, Tilted().detect(frame_rgb))
    assert level_SS[22:26].max() < 20 and level_SS[:14].min() > 235
    assert as_found_SS[22:26].max() > 200
    expected = crop_faces(frame_rgb, [[60.0, 60, 140, 140]], 48)[0]
    np.testing.assert_array_equal(as_found_SS, expected)
