"""Wilson's interval against published tables, softmax at its limits, folds of equal size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.contract.errors import DataError
from mien.contract.statistics import fold_numbers, softmax, wilson_interval


@pytest.mark.parametrize(
    ("correct", "n", "interval"),
    [
        (0, 10, (0.0, 0.2775)),  # Wilson 1927, as tabulated by Newcombe 1998
        (10, 10, (0.7225, 1.0)),
        (81, 263, (0.2553, 0.3662)),  # Newcombe 1998, table I
        (15, 148, (0.0624, 0.1605)),  # likewise
    ],
)
def test_wilson_interval(correct: int, n: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(correct, n) == pytest.approx(interval, abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_share(case: tuple[int, int]) -> None:
    correct, n = case
    low, high = wilson_interval(correct, n)
    assert 0 <= low <= correct / n + 1e-12 and correct / n - 1e-12 <= high <= 1


@pytest.mark.parametrize(  # statsmodels.stats.proportion.proportion_confint(count, nobs, method="wilson")
    ("share", "trials", "low", "high"),
    [(0.3, 30, 0.1666, 0.4788), (0.0, 30, 0.0, 0.1135), (0.5, 10, 0.2366, 0.7634), (1.0, 5, 0.5655, 1.0)],
)
def test_wilson_interval_of_a_share(share: float, trials: float, low: float, high: float) -> None:
    assert wilson_interval(share * trials, trials) == pytest.approx((low, high), abs=5e-5)


def test_softmax_of_large_logits_is_finite() -> None:
    probs_NC = softmax([[1000.0, 1000.0, -1000.0], [0.0, np.log(3), -np.inf]])
    np.testing.assert_allclose(probs_NC, [[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]], atol=1e-15)


def test_folds_are_of_equal_size_and_come_from_the_seed() -> None:
    fold_N = fold_numbers(23, folds=5, seed=0)
    assert sorted(np.bincount(fold_N).tolist()) == [4, 4, 5, 5, 5]
    assert np.array_equal(fold_N, fold_numbers(23, folds=5, seed=0))
    assert not np.array_equal(fold_N, fold_numbers(23, folds=5, seed=1))
    with pytest.raises(DataError, match="at least 5 faces for 5 folds, got 4"):
        fold_numbers(4, folds=5, seed=0)
