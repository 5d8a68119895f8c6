"""Are these probabilities and labels? The one check that every figure begins with.

    probs_NC, labels_N = check_predictions(probs_NC, labels_N, classes=7)

Shape legend: N faces, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import DataError, ModelError

ROW_SUM_TOLERANCE = 1e-3
"""float32 and int8 models round; a row this close to 1 is normalised."""


def check_predictions(
    probs_NC: ArrayLike, labels_N: ArrayLike, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return probabilities as float64 and labels as int64.

    Args:
        probs_NC: shape (N, C), N at least 1. Rows within 1e-3 of 1 are normalised; a smaller sum stays as it is,
            because the model rejects that face in part.
        labels_N: shape (N,), 0..C-1.
        classes: C.

    Raises:
        DataError: labels of the wrong shape or range.
        ModelError: the values are not probabilities.
    """
    probs = np.asarray(probs_NC, dtype=np.float64)
    labels = np.asarray(labels_N)
    if probs.ndim != 2 or probs.shape[1] != classes or not len(probs):
        raise ModelError(f"expected probabilities of shape (N >= 1, {classes}), got {probs.shape}")
    if labels.shape != (len(probs),) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"expected {len(probs)} whole-number labels, got {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"expected labels in 0..{classes - 1}, got {labels.min()}..{labels.max()}")
    sums_N = probs.sum(axis=1)
    wrong_N = ~((probs >= 0).all(axis=1) & (sums_N <= 1 + ROW_SUM_TOLERANCE) & (sums_N > 0))  # true for NaN as well
    if wrong_N.any():
        row = int(wrong_N.argmax())
        raise ModelError(
            f"expected probabilities that sum to at most 1, got {np.round(probs[row], 4).tolist()} in row {row}"
            f" ({int(wrong_N.sum())} of {len(probs)} rows are wrong)"
        )
    rounding_N = np.where(np.abs(sums_N - 1) <= ROW_SUM_TOLERANCE, sums_N, 1.0)
    return probs / rounding_N[:, None], labels.astype(np.int64)
