"""THE preprocessing: a box in an image becomes a grey uint8 square, in numpy alone.

    crops_NSS = crop_faces(frame_rgb, boxes_xyxy, side=48, margin=(0.1, 0.1, 0.1, 0.1))

Training, evaluation and recognition all come through here, so no two engines can disagree about how a face was cut.
A box is widened by the margin, made square around its centre, and resampled with a triangle filter that widens when
it shrinks (so small crops of large faces are averaged, not aliased). Outside the frame the nearest pixel repeats.
A box that is the whole of an S x S grey image comes back unchanged, bit for bit.

Everything after this (scaling, channels, normalisation) is inside the model file's graph.

Shape legend: N faces, H height, W width, S side of the crop, all in pixels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import ImageError

LUMA_RGB = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey: ITU-R BT.601, as JPEG's Y and Pillow's mode "L"."""

MOST_PRODUCTS, MOST_COLUMNS = 180_000, 512
"""Of one matrix product; OpenBLAS works with one thread up to 262,144 products."""

Margin = tuple[float, float, float, float]
"""Left, top, right, bottom, each as a share of the box's width or height; negative cuts into the box."""


def check_frame(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``frame`` if it is uint8 of shape (H, W) or (H, W, 3) with at least one pixel; else raise ImageError."""
    is_image = frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)
    if frame.dtype != np.uint8 or not is_image or frame.size == 0:
        raise ImageError(f"expected a uint8 image of shape (H, W) or (H, W, 3), got {frame.dtype} {frame.shape}")
    return frame


def square_boxes(boxes_xyxy: ArrayLike, margin: Margin) -> NDArray[np.float64]:
    """Widen boxes by ``margin`` and make them square around their centre.

    Args:
        boxes_xyxy: shape (N, 4), pixels, x right and y down; each with x2 > x1 and y2 > y1.
        margin: share of width (left, right) or height (top, bottom) added on each side.

    Returns:
        Shape (N, 4): squares whose side is the longer side of the widened box.
    """
    boxes_N4 = np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4)
    left, top, right, bottom = margin
    width_N, height_N = boxes_N4[:, 2] - boxes_N4[:, 0], boxes_N4[:, 3] - boxes_N4[:, 1]
    if not (np.isfinite(boxes_N4).all() and (width_N > 0).all() and (height_N > 0).all()):
        raise ValueError(f"expected finite boxes with x2 > x1 and y2 > y1, got {boxes_N4.tolist()}")
    x1_N, x2_N = boxes_N4[:, 0] - left * width_N, boxes_N4[:, 2] + right * width_N
    y1_N, y2_N = boxes_N4[:, 1] - top * height_N, boxes_N4[:, 3] + bottom * height_N
    half_N = np.maximum(x2_N - x1_N, y2_N - y1_N) / 2
    x_N, y_N = (x1_N + x2_N) / 2, (y1_N + y2_N) / 2
    return np.stack([x_N - half_N, y_N - half_N, x_N + half_N, y_N + half_N], axis=1)


def axis_weights(start: float, stop: float, length: int, side: int) -> tuple[slice, NDArray[np.float32]]:
    """Weights that turn pixels of an axis into ``side`` samples spread evenly over [start, stop).

    Args:
        start, stop: the part of the axis in pixels; may reach beyond it on both sides.
        length: of the axis in pixels.
        side: number of samples.

    Returns:
        The slice of the axis that is needed, and weights of shape (side, slice length) whose rows sum to one.
    """
    scale = (stop - start) / side
    reach = max(scale, 1.0)  # half-width of the triangle: one source pixel when enlarging, one sample when shrinking
    centres_S = start + (np.arange(side) + 0.5) * scale - 0.5
    first, last = int(np.ceil(centres_S[0] - reach)), int(np.floor(centres_S[-1] + reach))
    pixels_P = np.arange(first, last + 1)
    weights_SP = np.clip(1 - np.abs(pixels_P - centres_S[:, None]) / reach, 0, None)
    if first >= 0 and last < length:
        weights_SL = weights_SP / weights_SP.sum(axis=1, keepdims=True)
        return slice(first, last + 1), weights_SL.astype(np.float32)
    inside_P = np.clip(pixels_P, 0, length - 1)  # beyond the frame the edge repeats
    low, high = int(inside_P[0]), int(inside_P[-1]) + 1
    folded_SL = np.zeros((side, high - low))
    np.add.at(folded_SL.T, inside_P - low, weights_SP.T)
    return slice(low, high), (folded_SL / folded_SL.sum(axis=1, keepdims=True)).astype(np.float32)


def crop_square(frame: NDArray[np.uint8], square_xyxy: ArrayLike, side: int) -> NDArray[np.uint8]:
    """Cut one box out of ``frame`` and resample it to a grey (side, side) uint8 image.

    Args:
        frame: uint8, (H, W) grey or (H, W, 3) RGB, upright.
        square_xyxy: four numbers in pixels; may reach outside the frame. Stretched if it is not square.
        side: pixels of the result's side.
    """
    x1, y1, x2, y2 = (float(value) for value in np.asarray(square_xyxy, dtype=np.float64))
    columns, across_SW = axis_weights(x1, x2, frame.shape[1], side)
    rows, down_SH = axis_weights(y1, y2, frame.shape[0], side)
    patch = frame[rows, columns].astype(np.float32)
    if patch.ndim == 3:
        patch = patch @ np.asarray(LUMA_RGB, dtype=np.float32)
    resampled_SS = _weighted(across_SW, _weighted(down_SH, patch).T).T
    return np.clip(np.rint(resampled_SS), 0, 255).astype(np.uint8)


def _weighted(weights_SL: NDArray[np.float32], values_LM: NDArray[np.float32]) -> NDArray[np.float32]:
    """The matrix product in pieces.

    Each row of weights reaches over a small part of the axis, so most products are with zero. And numpy's BLAS starts
    threads for larger products, which wait for each other where all CPUs have work: seven times as long was seen.
    """
    (side, length), width = weights_SL.shape, values_LM.shape[1]
    columns = min(width, MOST_COLUMNS)
    rows = max(2, math.isqrt(MOST_PRODUCTS * side // (length * columns)))  # one row alone has threads earlier
    made_SM = np.empty((side, width), dtype=np.float32)
    for first in range(0, side, rows):
        part_RL = weights_SL[first : first + rows]
        used_U = np.flatnonzero(part_RL.any(axis=0))
        low, high = used_U[0], used_U[-1] + 1
        for left in range(0, width, columns):
            piece = np.s_[left : left + columns]
            np.matmul(part_RL[:, low:high], values_LM[low:high, piece], out=made_SM[first : first + rows, piece])
    return made_SM


def crop_faces(
    frame: NDArray[np.uint8], boxes_xyxy: ArrayLike, side: int, margin: Margin = (0.0, 0.0, 0.0, 0.0)
) -> NDArray[np.uint8]:
    """Cut faces out of an upright image: widen, square, grey, resample.

    Args:
        frame: uint8, (H, W) grey or (H, W, 3) RGB.
        boxes_xyxy: shape (N, 4) in pixels of ``frame``; N may be 0.
        side: pixels of each crop's side.
        margin: what to add around each box (left, top, right, bottom; shares of the box).

    Returns:
        uint8 of shape (N, side, side).

    Raises:
        ImageError: ``frame`` is not a uint8 image.
        ValueError: a box is empty, inverted or not finite.
    """
    check_frame(frame)
    squares_N4 = square_boxes(boxes_xyxy, margin)
    crops_NSS = np.empty((len(squares_N4), side, side), dtype=np.uint8)
    for index, square in enumerate(squares_N4):
        crops_NSS[index] = crop_square(frame, square, side)
    return crops_NSS
