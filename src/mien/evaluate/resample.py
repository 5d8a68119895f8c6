"""Many faces cut, scaled and blurred at once: each is one matrix from the left and one from the right.

    resample(faces_NHW, (2.0, 2.0, 46.0, 46.0), side=48)        # the middle 44 x 44, enlarged

The weights are those of ``mien.contract.pixels``, which cuts another box out of each image; here all faces share one.

Shape legend: N faces, H = W side in pixels, S side of the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.pixels import axis_weights


def resample(faces_NHW: NDArray[np.uint8], box_xyxy: tuple[float, float, float, float], side: int) -> NDArray[np.uint8]:
    """Cut the same box out of every face and resample it to (side, side); beyond the face its edge repeats."""
    x1, y1, x2, y2 = box_xyxy
    length = faces_NHW.shape[1]
    return apply(faces_NHW, _whole_axis(y1, y2, length, side), _whole_axis(x1, x2, length, side))


def blur(faces_NHW: NDArray[np.uint8], sigma_px: float) -> NDArray[np.uint8]:
    """Gaussian blur; the edge repeats."""
    side = faces_NHW.shape[1]
    reach = int(np.ceil(4 * sigma_px))
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-(offsets**2) / (2 * sigma_px**2))
    weights_SS = np.zeros((side, side))
    for row in range(side):
        np.add.at(weights_SS[row], np.clip(row + offsets, 0, side - 1), kernel / kernel.sum())
    return apply(faces_NHW, weights_SS, weights_SS)


def apply(
    faces_NHW: NDArray[np.uint8], down_SH: NDArray[np.floating[Any]], across_SW: NDArray[np.floating[Any]]
) -> NDArray[np.uint8]:
    """Rows of each face mixed by one matrix, columns by the other; rounded and clipped to 0..255."""
    down, across = down_SH.astype(np.float32), across_SW.astype(np.float32)
    return to_levels(down @ faces_NHW.astype(np.float32) @ across.T)


def to_levels(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Round to grey levels 0..255."""
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def _whole_axis(start: float, stop: float, length: int, side: int) -> NDArray[np.float32]:
    pixels, weights_SP = axis_weights(start, stop, length, side)
    weights_SH = np.zeros((side, length), dtype=np.float32)
    weights_SH[:, pixels] = weights_SP
    return weights_SH
