"""FaceSet: validated at birth, split, counted, and fingerprinted by content alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mien.contract.errors import DataError
from mien.data.faceset import FaceSet


def small(**change: Any) -> FaceSet:
    """Five faces of 2 x 2, three in train and two in validation; no one is sad."""
    fields: dict[str, Any] = {
        "faces_NHW": np.arange(20, dtype=np.uint8).reshape(5, 2, 2),
        "labels_N": np.array([0, 2, 0, 0, 2]),
        "splits_N": np.array(["validation", "train", "train", "train", "validation"]),
        "labels": ("angry", "sad", "neutral"),
        "names_N": np.array(["a", "b", "c", "d", "e"]),
    }
    return FaceSet(**fields | change)


def test_split_keeps_order_and_everything_of_a_face() -> None:
    train = small().split("train")
    assert train.faces_NHW[:, 0, 0].tolist() == [4, 8, 12]
    assert train.labels_N.tolist() == [2, 0, 0]
    assert train.names_N.tolist() == ["b", "c", "d"]
    assert (len(train), train.side, train.split_names) == (3, 2, ("train",))


def test_counts_include_zeros_and_train_comes_first() -> None:
    assert list(small().counts().items()) == [
        ("train", {"angry": 2, "sad": 0, "neutral": 1}),
        ("validation", {"angry": 1, "sad": 0, "neutral": 1}),
    ]


def test_unknown_split() -> None:
    with pytest.raises(DataError, match="no split 'test'.*it has: train, validation"):
        small().split("test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"faces_NHW": np.zeros((5, 2, 2))}, r"uint8 \(N, H, W\), got float64 \(5, 2, 2\)"),
        ({"faces_NHW": np.zeros((5, 2, 3), np.uint8)}, "square faces"),
        ({"faces_NHW": np.zeros((5, 4), np.uint8)}, "square faces"),
        ({"labels_N": np.array([0, 1])}, r"5 entries in labels_N, got shape \(2,\)"),
        ({"names_N": np.array(["a"])}, "5 entries in names_N"),
        ({"labels_N": np.array([0, 1, 2, 3, 0])}, r"0\.\.2, found 0\.\.3"),
        ({"labels_N": np.array([0, 1, -1, 2, 0])}, r"0\.\.2, found -1\.\.2"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        small(**change)


def test_fingerprint_ignores_order_and_names() -> None:
    faces = small()
    shuffled = faces.take(np.array([3, 0, 4, 1, 2]))
    assert small(names_N=np.array(list("vwxyz"))).fingerprint == faces.fingerprint == shuffled.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"labels_N": np.array([0, 2, 0, 2, 2])},
        {"splits_N": np.array(["validation", "train", "train", "train", "test"])},
        {"labels": ("angry", "happy", "neutral")},
        {"faces_NHW": np.arange(1, 21, dtype=np.uint8).reshape(5, 2, 2)},
    ],
    ids=["label", "split", "class name", "pixels"],
)
def test_fingerprint_depends_on(change: dict[str, Any]) -> None:
    assert small(**change).fingerprint != small().fingerprint
