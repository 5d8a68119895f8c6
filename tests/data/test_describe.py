"""Figures about a data set, against a case counted by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mien.data.describe import describe
from mien.data.faceset import FaceSet


def by_hand() -> FaceSet:
    a, b, c, blank = (
        np.array(pixels, np.uint8).reshape(2, 2) for pixels in ([0, 1, 2, 3], [9] * 3 + [8], [5, 5, 6, 6], [7] * 4)
    )
    rows = [
        (a, 0, "train"),
        (a, 0, "train"),
        (a, 1, "train"),  # a third copy that disagrees
        (b, 1, "train"),
        (blank, 0, "train"),
        (blank, 0, "train"),
        (b, 0, "validation"),  # leaks from train, and disagrees
        (blank, 0, "validation"),  # leaks from train
        (c, 1, "validation"),
    ]
    return FaceSet(
        np.stack([face for face, _, _ in rows]),
        np.array([label for _, label, _ in rows]),
        np.array([split for _, _, split in rows]),
        ("angry", "happy", "sad"),
        np.array([str(number) for number in range(len(rows))]),
    )


def test_by_hand() -> None:
    faces = by_hand()
    facts = describe(faces)
    train, validation = facts["splits"]["train"], facts["splits"]["validation"]
    assert (facts["n"], facts["side"], facts["labels"]) == (9, 2, ["angry", "happy", "sad"])
    assert facts["fingerprint"] == faces.fingerprint
    assert train["counts"] == {"angry": 4, "happy": 2, "sad": 0}
    assert train["shares"] == pytest.approx({"angry": 4 / 6, "happy": 2 / 6, "sad": 0})
    assert train["imbalance"] is None  # no one is sad
    assert (train["blank"], validation["blank"]) == (2, 1)
    assert train["duplicates"] == {"images": 2, "faces": 5, "conflicts": 1}
    assert validation["duplicates"] == {"images": 0, "faces": 0, "conflicts": 0}
    assert facts["duplicates_across_splits"] == {"images": 2, "faces": 5, "conflicts": 1}
    pixels = faces.split("validation").faces_NHW
    assert validation["intensity"] == pytest.approx({"mean": pixels.mean(), "std": pixels.std()})


def test_imbalance_and_json(toy: FaceSet) -> None:
    some = toy.take(np.flatnonzero((toy.labels_N != 1) | (np.arange(len(toy)) % 5 == 0)))
    facts = describe(some)
    assert facts["splits"]["train"]["imbalance"] == 8 / 2
    assert json.loads(json.dumps(facts)) == facts
