"""McNemar's test and paired differences on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mien.evaluate.comparison import ClassComparison, compare_models

LABELS = ("angry", "happy", "sad")


def test_mcnemar_by_hand() -> None:
    """A alone is right on 1 face, B alone on 8: P = 2 (1 + 9) / 2 ** 9. Class sad is empty."""
    labels_N = np.repeat([0, 1], [10, 10])
    a_N, b_N = labels_N.copy(), labels_N.copy()
    a_N[:8] = 2
    b_N[19] = 2
    found = compare_models(np.eye(3)[a_N], np.eye(3)[b_N], labels_N, LABELS, ("old", "new"))
    assert (found.only_a_right, found.only_b_right) == (1, 8)
    assert found.p_value == pytest.approx(2 * (1 + 9) / 2**9)
    assert found.difference == pytest.approx(7 / 20)
    low, high = found.difference_95
    assert 0 < low < 7 / 20 < high < 0.65
    assert found.verdict == "new is better"
    assert found.per_class["angry"].recall == (0.2, 1.0)
    assert found.per_class["happy"].difference == pytest.approx(-0.1)
    assert found.per_class["sad"] == ClassComparison(0, (None, None), None, None)
    again = compare_models(np.eye(3)[b_N], np.eye(3)[a_N], labels_N, LABELS, ("old", "new"))
    assert again.verdict == "old is better"


def test_a_small_difference_is_not_called_progress() -> None:
    rng = np.random.default_rng(0)
    labels_N = rng.integers(0, 3, 500)
    a_N, b_N = (np.where(rng.uniform(size=500) < 0.7, labels_N, (labels_N + 1) % 3) for _ in "ab")
    found = compare_models(np.eye(3)[a_N], np.eye(3)[b_N], labels_N, LABELS)
    low, high = found.difference_95
    assert found.difference != 0 and low < 0 < high
    assert found.verdict == "no difference shown"


def test_a_model_against_itself() -> None:
    probs_NC = np.full((4, 3), 1 / 3)
    found = compare_models(probs_NC, probs_NC, [0, 1, 2, 0], LABELS)
    assert (found.p_value, found.difference, found.difference_95) == (1.0, 0.0, (0.0, 0.0))
    assert (found.nll_difference, found.verdict) == (0.0, "no difference shown")


def test_the_interval_is_paired() -> None:
    """Two models that err on nearly the same faces: far narrower than two independent shares."""
    labels_N = np.zeros(1000, dtype=int)
    a_N = np.repeat([0, 1], [700, 300])
    b_N = a_N.copy()
    b_N[695:705] = [1] * 3 + [0] * 7
    low, high = compare_models(np.eye(3)[a_N], np.eye(3)[b_N], labels_N, LABELS).difference_95
    only_b, only_a = int((b_N < a_N).sum()), int((b_N > a_N).sum())
    spread = np.sqrt((only_a + only_b) / 1000 - ((only_b - only_a) / 1000) ** 2) / np.sqrt(1000)
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.15)
    assert high - low < 0.02
