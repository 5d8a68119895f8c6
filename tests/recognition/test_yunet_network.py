"""YuNet on ONNX Runtime gives what OpenCV gives, at any size; and what is no YuNet is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.contract.errors import DetectorError
from mien.recognition.detectors.yunet_network import YuNetNetwork


@pytest.fixture(scope="module")
def network(yunet_file: Path) -> YuNetNetwork:
    return YuNetNetwork(yunet_file.read_bytes(), min_score=0.5)


def crowd(astronaut: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Faces of several sizes, some cut by the edge, so that all three grids have something to say."""
    picture_rgb = np.full((height, width, 3), 90, dtype=np.uint8)
    face_rgb = astronaut[20:220, 130:330]
    for left, top, side in ((-20, 10, 90), (100, 30, 200), (130, 240, 60), (220, 250, 40), (width - 150, 90, 180)):
        scaled = cv2.resize(face_rgb, (side, side), interpolation=cv2.INTER_AREA)
        x1, y1, x2, y2 = max(0, left), max(0, top), min(width, left + side), min(height, top + side)
        if x2 > x1 and y2 > y1:
            picture_rgb[y1:y2, x1:x2] = scaled[y1 - top : y2 - top, x1 - left : x2 - left]
    return picture_rgb


@pytest.mark.parametrize("size", [(640, 480), (320, 320), (333, 457), (417, 311), (960, 540)])
def test_it_answers_as_opencv_does(
    network: YuNetNetwork, yunet_file: Path, astronaut: NDArray[np.uint8], size: tuple[int, int]
) -> None:
    reference = cv2.FaceDetectorYN.create(str(yunet_file), "", size, 0.5, 0.3, 5000)
    picture_rgb = crowd(astronaut, *size)
    expected_NF = np.asarray(reference.detect(cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2BGR))[1], dtype=np.float64)
    expected_NF[:, 2:4] += expected_NF[:, :2]  # from width and height
    assert len(expected_NF) >= 3
    assert network(picture_rgb) == pytest.approx(expected_NF, abs=1e-2)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (20, 640), (33, 31)])
def test_a_plain_picture_holds_no_face(network: YuNetNetwork, size: tuple[int, int]) -> None:
    assert network(np.full((*size, 3), 90, dtype=np.uint8)).shape == (0, 15)


def test_threads_do_not_change_the_answer(yunet_file: Path, astronaut: NDArray[np.uint8]) -> None:
    one, two = (YuNetNetwork(yunet_file.read_bytes(), 0.5, threads)(astronaut) for threads in (1, 2))
    assert len(one) == 1 and one == pytest.approx(two, abs=1e-3)


@pytest.mark.parametrize("content", [b"", b"no network", bytes(100), b"another network"])
def test_what_is_no_yunet(tiny_model: Path, content: bytes) -> None:
    with pytest.raises(DetectorError, match="^is not a YuNet face detector: "):
        YuNetNetwork(tiny_model.read_bytes() if content == b"another network" else content, 0.7)
