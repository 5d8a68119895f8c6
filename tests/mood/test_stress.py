"""The stress index, its interval, the baseline and the published level."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mien.mood.stress import Baseline, stress_index, stress_level, stress_probability

NONE = Baseline.start(0)
SHARES = st.floats(0, 1)


def personal(level: float, seen_s: float = 60.0) -> Baseline:
    return Baseline("personal", level, seen_s, seen_s)


@pytest.mark.parametrize(
    ("mean", "baseline", "index"),
    [
        (0.3, NONE, 30),
        (0.0, NONE, 0),
        (1.0, NONE, 100),
        (0.4, personal(0.2), 25),  # a quarter of the way from 0.2 to 1
        (0.1, personal(0.2), 0),  # calmer than in the calm minute
        (1.0, personal(0.2), 100),
        (0.75, personal(0.9), 50),  # that minute was not calm: it counts as 0.5
    ],
)
def test_index(mean: float, baseline: Baseline, index: float) -> None:
    result = stress_index(mean, 60.0, baseline)
    assert result is not None
    assert result[0] == pytest.approx(index)


def test_there_is_no_index_before_the_baseline_is_known_or_without_a_face() -> None:
    assert stress_index(0.5, 30.0, Baseline.start(60)) is None
    assert stress_index(0.0, 0.0, NONE) is None


@pytest.mark.parametrize(("seen_s", "width"), [(60, 31), (6, 72), (600, 10)])
def test_the_interval_narrows_with_what_was_seen(seen_s: float, width: float) -> None:
    result = stress_index(0.3, seen_s, NONE)
    assert result is not None
    assert result[2] - result[1] == pytest.approx(width, abs=1)


@given(SHARES, st.floats(0.001, 120), SHARES, st.floats(1, 300))
def test_index_and_interval_are_ordered_and_bounded(mean: float, seen_s: float, level: float, calm_s: float) -> None:
    for baseline in (NONE, personal(level, calm_s)):
        result = stress_index(mean, seen_s, baseline)
        assert result is not None
        index, low, high = result
        assert 0 <= low <= index <= high <= 100


@given(SHARES, SHARES, SHARES)
def test_more_of_these_expressions_never_lowers_the_index(one: float, other: float, level: float) -> None:
    assume(one <= other)
    lower, higher = (stress_index(mean, 60.0, personal(level)) for mean in (one, other))
    assert lower is not None and higher is not None
    assert lower[0] <= higher[0] + 1e-9


def test_the_interval_covers_as_it_says() -> None:
    """A model that is never wrong; a scowl in a fifth of the looks, in a twentieth when calm: 2,000 windows."""
    generator = random.Random(8)
    truth = 100 * (0.2 - 0.05) / 0.95
    hits = 0
    for _ in range(2000):
        calm, window = (sum(generator.random() < share for _ in range(30)) / 30 for share in (0.05, 0.2))
        result = stress_index(window, 60.0, personal(calm))
        assert result is not None
        hits += result[1] <= truth <= result[2]
    assert 0.93 <= hits / 2000 <= 0.985


def test_probability_takes_any_labels() -> None:
    assert stress_probability({"Anger": 0.2, "fearful": 0.1, "contempt": 0.3, "neutral": 0.4}) == pytest.approx(0.3)
    assert stress_probability({"bored": 0.5, "smile": 0.5}) is None


def test_a_baseline_is_full_after_its_seconds_whatever_the_frame_rate() -> None:
    for fps in (1, 7, 30):
        baseline = Baseline.start(10)
        for index in range(20 * fps):
            assert baseline.state == ("learning" if index < 10 * fps else "personal")
            baseline = baseline.with_sample(1 / fps, 0.1 if index < 5 * fps else 0.3)
        assert (baseline.level, baseline.seen_s) == (pytest.approx(0.2), 10)


def test_a_long_sample_fills_a_baseline_with_what_it_lacked() -> None:
    baseline = Baseline.start(10).with_sample(9, 0.0).with_sample(5, 1.0)
    assert (baseline.state, baseline.level) == ("personal", pytest.approx(0.1))


@pytest.mark.parametrize(
    ("emotions", "level"),
    [
        (["angry"] * 9, "low"),  # too few
        (["angry"] * 10, "high"),
        (["angry"] * 18 + ["neutral"] * 12, "medium"),  # exactly 0.6 is not above it
        (["anger"] * 19 + ["neutral"] * 11, "high"),
        (["sad"] * 9 + ["neutral"] * 21, "low"),  # exactly 0.3
        (["fear"] * 10 + ["disgust"] * 20, "medium"),  # disgust does not count there
        (["angry"] * 100 + ["happy"] * 30, "low"),  # only the last 30
        (["bored"] * 30, "low"),
    ],
)
def test_published_level(emotions: list[str], level: str) -> None:
    assert stress_level(emotions) == level
