"""Sets of emotions of one face, as a user asks for them, and in the rows of files."""

from __future__ import annotations

import dataclasses

import pytest

from mien.contract.errors import ModelError
from mien.contract.guarantees import Guarantees, RiskThresholds, SetRule, SetThresholds
from mien.contract.results import Face, FrameResult
from mien.video.row_schema import columns, rows

PROMISED = Guarantees(
    100,
    "a hundred faces",
    SetThresholds(SetRule(), (0.5, 0.9), ((0.3,), (0.65,))),
    SetThresholds(SetRule(), (0.9,), ((0.2, 0.95, 0.2),)),
    RiskThresholds(0.95, (0.1,), (0.6,)),
)
FACE = Face((0, 0, 9, 9), None, "sad", 0.36, True, {"angry": 0.6, "fear": 0.04, "sad": 0.36}, guarantees=PROMISED)


def test_the_likeliest_come_first_and_the_named_one_is_always_there() -> None:
    assert FACE.emotions_at(0.9) == ("angry", "sad")
    assert FACE.emotions_at(0.5) == ("angry", "sad")  # sad is named though it is not the likeliest
    assert FACE.emotions_at(0.99) == ("angry", "sad", "fear")  # beyond what was fitted: all of them
    assert FACE.emotions_at(0.9, by_class=True) == ("angry", "sad")  # 0.04 of fear is not within 1 - 0.95
    assert "guarantees" not in FACE.to_dict()


def test_a_model_without_promises_says_how_to_get_them() -> None:
    with pytest.raises(ModelError, match="mien adapt MODEL --data LABELLED --method none"):
        dataclasses.replace(FACE, guarantees=None).emotions_at(0.9)


def test_rows_hold_the_set_only_where_it_is_asked_for() -> None:
    result = FrameResult("a.jpg", 9, 9, (FACE,))
    (row,) = rows(result, ("angry", "fear", "sad"), 0.9)
    assert row["emotions"] == "angry|sad"
    assert list(row) == list(columns(("angry", "fear", "sad"), sets=True))
    assert "emotions" not in rows(result, ("angry", "fear", "sad"))[0]
