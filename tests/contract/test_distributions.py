"""Bins of faces: each appearance counts once, and a card carries its reference there and back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tiny_onnx import TINY_CARD

from mien.contract.card import ModelCard
from mien.contract.distributions import Reference, Tally, measures, reference_of
from mien.contract.errors import ModelError

LABELS = ("happy", "sad")
CROPS = np.full((4, 8, 8), 130, dtype=np.uint8)
PROBS = np.array([[0.97, 0.03], [0.9, 0.1], [0.2, 0.8], [0.5, 0.1]])


def test_faces_of_one_appearance_share_a_weight_of_one() -> None:
    tally = Tally(LABELS)
    tally.add(PROBS, CROPS, [30, 30, 30, 500])
    tally.add(PROBS[:1], CROPS[:1], [500])
    assert (tally.units, tally.faces) == (2, 5)
    assert tally.weights["emotion"].tolist() == pytest.approx([1.75, 0.25])
    assert {name: float(each.sum()) for name, each in tally.weights.items()} == dict.fromkeys(measures(LABELS), 2.0)
    assert tally.weights["face size"][-1] == pytest.approx(1.25) and tally.weights["brightness"][8] == 2
    assert tally.weights["confidence"][-1] == pytest.approx(1.25)  # 0.97 twice


def test_scores_do_not_depend_on_what_the_model_rejects() -> None:
    """The logarithms less their mean: a row that sums to less has the same scores."""
    whole, part = Tally(LABELS), Tally(LABELS)
    whole.add_each(PROBS[:3], None, None)
    part.add_each(PROBS[:3] * 0.6, None, None)
    assert np.array_equal(whole.weights["score of sad"], part.weights["score of sad"])
    assert not whole.known("brightness") and whole.known("score of happy")


def test_a_card_carries_its_reference() -> None:
    tally = Tally(TINY_CARD.labels)
    tally.add_each(np.eye(7), None, None)
    reference = Reference.of(tally, "seven faces")
    card = dataclasses.replace(TINY_CARD, data={"reference": reference.to_dict()})
    assert reference_of(ModelCard.from_json(card.to_json())) == reference
    assert reference.shares["emotion"] == (0.14286,) * 7 and reference.faces == 7
    assert reference_of(TINY_CARD) is None


@pytest.mark.parametrize("wrong", [[], {"faces": 3}, {"faces": 1, "data": "", "shares": {"confidence": [1.0]}}])
def test_a_reference_that_is_none_is_an_error(wrong: object) -> None:
    with pytest.raises(ModelError, match="misstates its reference"):
        reference_of(dataclasses.replace(TINY_CARD, data={"reference": wrong}))
