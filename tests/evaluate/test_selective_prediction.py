"""Risk and coverage on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mien.evaluate.selective_prediction import Accepted, risk_coverage


def answers(confidence: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    confidence_N = np.array(confidence)
    return np.stack([confidence_N, 1 - confidence_N], axis=1), np.where(right, 0, 1)


def test_by_hand() -> None:
    """In falling confidence: right, wrong, right, wrong; so the risks are 0, 1/2, 1/3, 2/4."""
    found = risk_coverage(*answers([0.8, 0.95, 0.6, 0.9], [True, True, False, False]), threshold=0.8)
    assert found.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert found.error_at == {0.5: 0.5, 0.8: 0.5, 1.0: 0.5}  # 80 % of four faces is all four
    assert found.curve.coverage == (0.25, 0.5, 0.75, 1.0)
    assert found.curve.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert found.accepted.coverage == 0.75
    assert found.accepted.error == pytest.approx(1 / 3)


def test_equal_confidences_share_their_errors() -> None:
    """One of three equals is wrong: each carries a third, whatever their order."""
    for right in ([True, True, False], [False, True, True]):
        found = risk_coverage(*answers([0.9, 0.7, 0.7, 0.7], [True, *right]))
        assert found.curve.risk == pytest.approx([0, 1 / 6, 2 / 9, 1 / 4])
        assert found.aurc == pytest.approx((0 + 1 / 6 + 2 / 9 + 1 / 4) / 4)


def test_confidence_that_knows_beats_confidence_that_does_not() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 5000)
    right = rng.uniform(size=5000) < confidence
    knows = risk_coverage(*answers(confidence.tolist(), right.tolist()))
    blind = risk_coverage(*answers(rng.permutation(confidence).tolist(), right.tolist()))
    assert knows.error_at[1.0] == blind.error_at[1.0] == pytest.approx(0.25, abs=0.02)
    assert knows.error_at[0.5] == pytest.approx(0.125, abs=0.02)
    assert knows.aurc < 0.15 < 0.22 < blind.aurc
    assert len(knows.curve.risk) == 200


def test_nothing_accepted_has_no_error_rate() -> None:
    found = risk_coverage(*answers([0.6, 0.7], [True, False]), threshold=1.0)
    assert found.accepted == Accepted(threshold=1.0, coverage=0.0, error=None, error_95=None)
    assert "accepted" not in risk_coverage(*answers([0.6, 0.7], [True, False])).to_dict()
