"""Measures of a face's pixels that need no labels: brightness, contrast, sharpness, light from one side.

    brightness(faces_NHW)       # shape (N,), mean grey level

These are properties of pictures. They say nothing about persons.

Shape legend: N faces, H = W side in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def brightness(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean grey level, 0..255."""
    return np.asarray(faces_NHW.mean(axis=(1, 2)), dtype=np.float64)


def contrast(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Standard deviation of the grey levels."""
    return np.asarray(faces_NHW.std(axis=(1, 2)), dtype=np.float64)


def sharpness(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Standard deviation of the Laplacian over that of the grey levels; low where a face is blurred."""
    found_N = np.array([_laplacian(face_HW).std() for face_HW in faces_NHW], dtype=np.float64)
    return np.asarray(found_N / np.maximum(contrast(faces_NHW), 1.0))


def _laplacian(face_HW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Sum of the four neighbours less four times the pixel, inside the edge."""
    grey = face_HW.astype(np.float64)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return np.asarray(around - 4 * grey[1:-1, 1:-1])


def side_light(faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Difference in mean grey level between the left and the right half, 0 or more: light from one side."""
    middle = faces_NHW.shape[2] // 2
    left_N, right_N = faces_NHW[:, :, :middle].mean(axis=(1, 2)), faces_NHW[:, :, -middle:].mean(axis=(1, 2))
    return np.asarray(np.abs(left_N - right_N), dtype=np.float64)
