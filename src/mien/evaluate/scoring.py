"""Score anything that turns crops into probabilities: a model file, a network in training, another package.

    metrics = score(recognizer.classify, faces.split("validation"), card.labels)

Classes are matched by name, because a model and a data set may index the same emotions differently.

Shape legend: N faces, B faces of a batch, C classes, H = W side of a face in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.emotions import canonical
from mien.contract.errors import ModelError
from mien.data.faceset import FaceSet
from mien.evaluate.metrics import Metrics, evaluate

Predictor = Callable[[NDArray[np.uint8]], NDArray[np.floating[Any]]]
"""Crops uint8 (B, H, W) -> probabilities (B, C), rows summing to 1."""

Progress = Callable[[int, int], None]
"""Called with (faces done, faces in all)."""


def predict_all(
    predictor: Predictor, faces_NHW: NDArray[np.uint8], batch_size: int = 64, on_progress: Progress | None = None
) -> NDArray[np.floating[Any]]:
    """Run ``predictor`` over all faces in order, batch by batch.

    Args:
        predictor: gets uint8 (B, H, W), B from 1 to ``batch_size``.
        faces_NHW: uint8, at least one face.
        batch_size: faces a call.
        on_progress: called after each batch.

    Returns:
        Probabilities (N, C) as the predictor gave them.

    Raises:
        ModelError: a batch does not come back as (B, C).
    """
    batches: list[NDArray[np.floating[Any]]] = []
    for start in range(0, len(faces_NHW), batch_size):
        crops_BHW = faces_NHW[start : start + batch_size]
        probs_BC = np.asarray(predictor(crops_BHW))
        if probs_BC.ndim != 2 or len(probs_BC) != len(crops_BHW):
            raise ModelError(f"expected probabilities ({len(crops_BHW)}, classes) of a batch, got {probs_BC.shape}")
        batches.append(probs_BC)
        if on_progress is not None:
            on_progress(start + len(crops_BHW), len(faces_NHW))
    return np.concatenate(batches)


def score(
    predictor: Predictor,
    faces: FaceSet,
    model_labels: tuple[str, ...],
    batch_size: int = 64,
    on_progress: Progress | None = None,
) -> Metrics:
    """Run ``predictor`` over a data set and evaluate its answers.

    Args:
        predictor: gets uint8 (B, H, W) of the data set's side.
        faces: usually one split.
        model_labels: class names in the order of the predictor's columns.
        batch_size: faces a call.
        on_progress: called after each batch.

    Raises:
        ModelError: model and data do not have the same classes, or the answers are not probabilities.
    """
    matched = in_data_order(predictor, model_labels, faces.labels)
    probs_NC = predict_all(matched, faces.faces_NHW, batch_size, on_progress)
    return evaluate(probs_NC, faces.labels_N, faces.labels)


def in_data_order(predictor: Predictor, model_labels: tuple[str, ...], data_labels: tuple[str, ...]) -> Predictor:
    """The same predictor with its columns in the data's order. Names are matched as ``canonical`` spells them.

    Raises:
        ModelError: model and data do not have the same classes. Later, if an answer does not have one column a class.
    """
    names = [canonical(name) for name in model_labels]
    wanted = [canonical(name) for name in data_labels]
    if sorted(names) != sorted(wanted):
        raise ModelError(
            f"the model's classes ({', '.join(model_labels)}) are not those of the data ({', '.join(data_labels)})"
        )
    columns = [names.index(name) for name in wanted]

    def matched(crops_BHW: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        probs_BC = np.asarray(predictor(crops_BHW))
        if probs_BC.ndim == 2 and probs_BC.shape[1] != len(names):
            raise ModelError(f"the model answers with {probs_BC.shape[1]} columns but names {len(names)} classes")
        return probs_BC if probs_BC.ndim != 2 else probs_BC[:, columns]

    return matched
