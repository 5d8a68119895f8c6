"""Batches in order, and classes matched by name."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import ModelError
from mien.data.faceset import FaceSet
from mien.evaluate.scoring import predict_all, score


def brightness(crops_BHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A predictor whose answer depends on the face alone."""
    light_B = crops_BHW.mean(axis=(1, 2)) / 255
    return np.stack([light_B, 1 - light_B], axis=1)


class Oracle:
    """Knows every face of a set by its pixels and answers in an order of classes of its own."""

    def __init__(self, faces: FaceSet, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self.known = {
            face.tobytes(): labels.index(faces.labels[label])
            for face, label in zip(faces.faces_NHW, faces.labels_N, strict=True)
        }

    def __call__(self, crops_BHW: NDArray[np.uint8]) -> NDArray[np.float64]:
        return np.eye(len(self.labels))[[self.known[crop.tobytes()] for crop in crops_BHW]]


@pytest.mark.parametrize("batch_size", [1, 3, 70, 1000])
def test_batches_do_not_change_the_answers(toy: FaceSet, batch_size: int) -> None:
    assert np.array_equal(predict_all(brightness, toy.faces_NHW, batch_size), brightness(toy.faces_NHW))


def test_progress_and_batch_sizes(toy: FaceSet) -> None:
    sizes: list[int] = []
    done: list[tuple[int, int]] = []

    def predictor(crops_BHW: NDArray[np.uint8]) -> NDArray[np.float64]:
        sizes.append(len(crops_BHW))
        return brightness(crops_BHW)

    predict_all(predictor, toy.faces_NHW, 32, lambda count, total: done.append((count, total)))
    assert sizes == [32, 32, 6]
    assert done == [(32, 70), (64, 70), (70, 70)]


def test_a_batch_of_the_wrong_shape(toy: FaceSet) -> None:
    with pytest.raises(ModelError, match=r"expected probabilities \(64, classes\) of a batch, got \(63, 2\)"):
        predict_all(lambda crops: brightness(crops)[1:], toy.faces_NHW)


@pytest.mark.parametrize("order", [FER2013_EMOTIONS, tuple(sorted(FER2013_EMOTIONS))], ids=["FER2013", "sorted"])
def test_classes_are_matched_by_name(toy: FaceSet, order: tuple[str, ...]) -> None:
    metrics = score(Oracle(toy, order), toy.split("validation"), order)
    assert (metrics.n, metrics.accuracy) == (14, 1.0)
    assert metrics.labels == FER2013_EMOTIONS
    assert np.array_equal(metrics.confusion, 2 * np.eye(7, dtype=int))


def test_other_classes_are_refused_with_both_lists(toy: FaceSet) -> None:
    with pytest.raises(ModelError, match=r"model's classes \(happy, sad\) .* data \(angry, disgust, .*neutral\)"):
        score(brightness, toy, ("happy", "sad"))


def test_columns_that_do_not_fit_the_names(toy: FaceSet) -> None:
    with pytest.raises(ModelError, match="answers with 2 columns but names 7 classes"):
        score(brightness, toy, FER2013_EMOTIONS)
