"""Votes worked by hand: majority, divergence, and what one tagger gets against nine."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError
from mien.data.votes import VOTES
from mien.evaluate.vote_metrics import against_votes, model_majority


def votes(*rows: dict[str, int]) -> np.ndarray:
    return np.array([[row.get(name, 0) for name in VOTES] for row in rows], dtype=np.uint8)


def certain(*emotions: str) -> np.ndarray:
    return np.eye(7)[[FER2013_EMOTIONS.index(name) for name in emotions]]


def test_majority_is_among_all_ten_answers_and_by_name() -> None:
    given = votes({"sad": 6, "neutral": 4}, {"contempt": 5, "angry": 4}, {"happy": 5, "fear": 5}, {}, {"not a face": 9})
    assert model_majority(given, FER2013_EMOTIONS).tolist() == [FER2013_EMOTIONS.index("sad"), -1, -1, -1, -1]
    assert model_majority(given, ("neutral", "sadness")).tolist() == [1, -1, -1, -1, -1]


def test_by_hand() -> None:
    """Face 1: 8 happy, 2 neutral. Face 2: 10 sad. Face 3: a tie. Face 4: nobody voted."""
    given = votes({"happy": 8, "neutral": 2}, {"sad": 10}, {"fear": 5, "surprise": 5}, {})
    found = against_votes(certain("happy", "angry", "fear", "angry") * 0.3 + 0.1, given, FER2013_EMOTIONS)
    assert found is not None
    assert (found.faces_with_votes, found.n, found.accuracy, found.kl_faces) == (3, 2, 0.5, 3)
    first = 0.8 * math.log(0.8 / 0.4) + 0.2 * math.log(0.2 / 0.1)
    third = 0.5 * math.log(0.5 / 0.4) + 0.5 * math.log(0.5 / 0.1)
    assert found.kl == pytest.approx((first + math.log(1 / 0.1) + third) / 3)
    # 8 taggers of face 1 are with the other nine, 2 are not; all 10 of face 2 are; on face 3 the other nine always
    # stand 5 to 4 for the answer that the one did not give
    assert found.tagger_accuracy == pytest.approx((8 + 10 + 0) / (10 + 10 + 10))


def test_no_votes_at_all_is_no_figure() -> None:
    assert against_votes(certain("sad"), votes({}), FER2013_EMOTIONS) is None
    assert against_votes(certain("sad"), votes({"contempt": 10}), FER2013_EMOTIONS) is None


def test_another_shape_is_refused() -> None:
    with pytest.raises(DataError, match=r"votes \(N, 10\) in FER\+'s order, got \(1, 8\)"):
        against_votes(certain("sad"), np.ones((1, 8)), FER2013_EMOTIONS)
