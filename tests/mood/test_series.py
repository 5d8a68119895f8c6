"""Clock, smoothing and windows as functions of time: shifts, frame rates, gaps, bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.mood.score_means import Smoother, Unsmoother
from mien.mood.series import SlidingWindow, SteadyClock
from mien.video.smoothing import ScoreSmoother

STEPS = st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 1)), min_size=1, max_size=30)
"""A signal: how long each value holds, and the value."""


def smooth(steps: Sequence[tuple[float, float]], half_life_s: float, cuts: int = 1) -> float:
    smoother = Smoother(half_life_s)
    for duration_s, value in steps:
        for _ in range(cuts):
            smoother.add(duration_s / cuts, duration_s / cuts, {"a": value, "b": 1 - value})
    return smoother.scores()["a"]


def windowed(steps: Sequence[tuple[float, float]], cuts: int = 1, start_s: float = 0.0) -> tuple[float, float]:
    window, now_s = SlidingWindow(8.0), start_s
    for duration_s, value in steps:
        for _ in range(cuts):
            now_s += duration_s / cuts
            window.add(now_s, duration_s / cuts, value)
    mean = window.mean(now_s)
    assert mean is not None
    return mean, window.seen_s(now_s)


def test_a_clock_that_goes_back_stands_still_and_then_goes_on() -> None:
    clock = SteadyClock()
    assert [clock(t) for t in (10.0, 11.0, 4.0, 5.0, 5.5, 100.0)] == [10.0, 11.0, 11.0, 12.0, 12.5, 107.0]
    with pytest.raises(ValueError, match="finite"):
        clock(math.nan)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2))
def test_a_steady_clock_never_goes_back(times: list[float]) -> None:
    clock = SteadyClock()
    steady = [clock(t) for t in times]
    assert steady == sorted(steady)


def test_half_life_is_the_time_in_which_a_step_is_half_taken() -> None:
    smoother = Smoother(half_life_s=2.0)
    smoother.add(100.0, 100.0, {"a": 1.0, "b": 0.0})
    smoother.add(2.0, 2.0, {"a": 0.0, "b": 1.0})
    assert smoother.scores()["a"] == pytest.approx(0.5)
    smoother.add(2.0, 2.0, {"a": 0.0, "b": 1.0})
    assert smoother.scores()["a"] == pytest.approx(0.25)


def test_a_gap_weighs_nothing_but_the_past_fades_in_it() -> None:
    """After five half-lives unseen, a fifth of one half-life of new faces outweighs all that was before."""
    smoother = Smoother(half_life_s=2.0)
    smoother.add(100.0, 100.0, {"a": 1.0})
    smoother.add(10.0, 0.4, {"b": 1.0})
    new = 1 - 2**-0.2
    assert smoother.scores()["b"] == pytest.approx(new / (new + 2**-5))
    assert sum(smoother.scores().values()) == pytest.approx(1)


def test_the_first_frame_stands_for_no_time_and_still_gives_an_answer() -> None:
    smoother = Smoother(half_life_s=2.0)
    smoother.add(0.0, 0.0, {"a": 0.3, "b": 0.7})
    assert smoother.scores() == pytest.approx({"a": 0.3, "b": 0.7})
    smoother.add(1e9, 0.0, {"a": 0.6, "b": 0.4})  # nothing is left after so long
    assert smoother.scores() == pytest.approx({"a": 0.6, "b": 0.4})


@given(STEPS, st.floats(0.05, 20), st.integers(2, 7))
def test_smoothing_does_not_depend_on_the_frame_rate(
    steps: list[tuple[float, float]], half_life_s: float, cuts: int
) -> None:
    assert smooth(steps, half_life_s, cuts) == pytest.approx(smooth(steps, half_life_s), abs=1e-6)


@given(STEPS, st.floats(0.05, 20))
def test_smoothed_scores_stay_between_the_extremes_and_sum_to_one(
    steps: list[tuple[float, float]], half_life_s: float
) -> None:
    values = [value for _, value in steps]
    assert min(values) - 1e-9 <= smooth(steps, half_life_s) <= max(values) + 1e-9


def test_a_window_cuts_the_piece_that_reaches_across_its_start() -> None:
    window = SlidingWindow(10.0)
    window.add(8.0, 8.0, 1.0)
    window.add(16.0, 4.0, 0.0)  # not seen from 8 to 12
    assert window.seen_s(16.0) == pytest.approx(2 + 4)
    assert window.mean(16.0) == pytest.approx(2 / 6)
    assert window.mean(25.0) == pytest.approx(0.0)
    assert window.seen_s(26.0) == 0
    assert window.mean(26.0) is None


@given(STEPS, st.integers(2, 7), st.integers(-1000, 1000))
def test_windows_depend_neither_on_the_frame_rate_nor_on_the_clocks_zero(
    steps: list[tuple[float, float]], cuts: int, shift_s: int
) -> None:
    assert windowed(steps, cuts, shift_s) == pytest.approx(windowed(steps), abs=1e-6)


@given(STEPS)
def test_a_windows_mean_is_that_of_its_last_seconds(steps: list[tuple[float, float]]) -> None:
    mean, seen_s = windowed(steps)
    left_s = weighted = 0.0
    for duration_s, value in reversed(steps):  # the slow way
        counted_s = min(duration_s, 8.0 - left_s)
        left_s += counted_s
        weighted += counted_s * value
    assert seen_s == pytest.approx(left_s, abs=1e-6)
    assert mean == pytest.approx(weighted / left_s, abs=1e-6)


@given(STEPS, st.floats(0.05, 5))
def test_unsmoothing_gives_back_what_was_smoothed(steps: list[tuple[float, float]], half_life_s: float) -> None:
    smoother, unsmoother = ScoreSmoother(half_life_s, max_gap_s=math.inf), Unsmoother()
    t_s = 0.0
    for duration_s, value in steps:
        t_s += duration_s
        mean_C = smoother(1, np.array([value, 1 - value]), t_s)
        scores = unsmoother({"a": float(mean_C[0]), "b": float(mean_C[1])}, t_s, half_life_s)
        assert scores == pytest.approx({"a": value, "b": 1 - value}, abs=1e-9)
