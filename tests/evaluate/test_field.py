"""Field figures by hand, and the naming that they choose."""

from __future__ import annotations

import numpy as np
import pytest

from mien.contract.errors import DataError
from mien.contract.naming import naming_weights
from mien.contract.statistics import wilson_interval
from mien.evaluate.field import choose_naming, field_figures

LABELS = ("neutral", "happy", "sad", "disgust")


def test_figures_by_hand() -> None:
    named = [0, 0, 0, 1, 2, 0, 0, 0]
    truth = [0, 0, 0, 1, 2, 2, 1, 3]
    sure = [0.9, 0.9, 0.9, 0.9, 0.8, 0.6, 0.7, 0.5]
    probs_NC = np.stack([np.where(np.arange(4) == n, s, (1 - s) / 3) for n, s in zip(named, sure, strict=True)])
    found = field_figures(probs_NC, np.array(truth), LABELS)
    assert found.accuracy.value == 5 / 8 and found.accuracy.n == 8
    assert (found.accuracy.low, found.accuracy.high) == wilson_interval(5, 8)
    assert {name: share.value for name, share in found.recall.items()} == {
        "neutral": 1.0,
        "happy": 0.5,
        "sad": 0.5,
        "disgust": 0.0,
    }
    assert found.balanced == pytest.approx(2 / 3)  # disgust stays out
    # the surest six: one wrong (0.7) of six, against three of eight
    assert found.surest_error == pytest.approx((1 / 6) / (3 / 8))


def test_weights_change_the_name_and_not_the_calibration() -> None:
    probs_NC, truth_N = np.array([[0.6, 0.0, 0.4, 0.0]]), np.array([2])
    plain = field_figures(probs_NC, truth_N, LABELS)
    weighted = field_figures(probs_NC, truth_N, LABELS, np.array([0.5, 1, 1, 1]))
    assert (plain.accuracy.value, weighted.accuracy.value) == (0, 1)
    assert plain.ece == weighted.ece


def test_no_faces_or_other_shapes() -> None:
    with pytest.raises(DataError, match="expected probabilities of 0 faces and 4 emotions"):
        field_figures(np.empty((0, 4)), np.empty(0, dtype=np.int64), LABELS)
    with pytest.raises(DataError, match=r"got \(1, 3\)"):
        field_figures(np.ones((1, 3)), np.zeros(1, dtype=np.int64), LABELS)


def skewed() -> tuple[np.ndarray, np.ndarray]:
    """900 neutral, 80 happy, 20 sad faces; sad ones are read as (0.55 neutral, 0.45 sad), a few neutral ones too."""
    truth_N = np.repeat([0, 1, 2], [900, 80, 20])
    probs_NC = np.full((1000, 4), 0.01)
    probs_NC[:900, 0], probs_NC[900:980, 1] = 0.97, 0.97
    for row in [*range(980, 1000), *range(15)]:  # 15 neutral faces look as sad as the sad ones
        probs_NC[row] = [0.54, 0.0, 0.44, 0.02]
    return probs_NC, truth_N


def test_the_choice_gains_balance_and_costs_no_more_than_allowed() -> None:
    probs_NC, truth_N = skewed()
    naming = choose_naming(probs_NC, truth_N, LABELS, "by hand")
    before = field_figures(probs_NC, truth_N, LABELS)
    after = field_figures(probs_NC, truth_N, LABELS, naming_weights(LABELS, naming))
    assert naming.source == "by hand" and naming.frequencies["neutral"] == pytest.approx(901 / 1004)
    assert before.recall["sad"].value == 0 and after.recall["sad"].value == 1
    assert after.accuracy.value >= before.accuracy.value - 0.02 and after.balanced > before.balanced


def test_a_choice_that_costs_too_much_is_not_made() -> None:
    probs_NC, truth_N = skewed()
    probs_NC[:300] = [0.54, 0.0, 0.44, 0.02]  # a third of the neutral faces: naming sad would cost 28 points
    assert choose_naming(probs_NC, truth_N, LABELS).power == 0


def test_an_emotion_with_few_faces_does_not_choose() -> None:
    probs_NC, truth_N = skewed()
    assert choose_naming(probs_NC[:985], truth_N[:985], LABELS).power == 0
