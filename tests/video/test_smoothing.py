"""An exponential mean by seconds: half-life, frame rates, gaps, and what is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.video.smoothing import ScoreSmoother

HAPPY, SAD = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def test_the_first_sight_is_the_mean() -> None:
    smoother = ScoreSmoother()
    assert smoother(1, np.array([0.25, 0.75], dtype=np.float32), 3.0).tolist() == [0.25, 0.75]


@pytest.mark.parametrize("fps", [10, 30, 200])
def test_what_was_counts_half_after_the_half_life_at_any_frame_rate(fps: int) -> None:
    smoother = ScoreSmoother(half_life_s=0.5)
    for frame in range(-10 * fps, 0):
        smoother(1, HAPPY, frame / fps)
    for frame in range(fps // 2):
        mean_C = smoother(1, SAD, frame / fps)
    assert mean_C == pytest.approx([0.5, 0.5], abs=0.01)


def test_two_sights_by_hand() -> None:
    """The older one weighs 0.5 ** (0.25 / 0.5) = 0.7071."""
    smoother = ScoreSmoother(half_life_s=0.5)
    smoother(1, HAPPY, 0.0)
    assert smoother(1, SAD, 0.25) == pytest.approx([0.41421, 0.58579], abs=1e-5)


def test_people_are_apart_and_can_be_forgotten() -> None:
    smoother = ScoreSmoother()
    smoother(1, HAPPY, 0.0)
    assert smoother(2, SAD, 0.0).tolist() == [0, 1]
    smoother.forget(1)
    smoother.forget(7)
    assert smoother(1, SAD, 0.1).tolist() == [0, 1]


def test_a_gap_begins_anew() -> None:
    smoother = ScoreSmoother(half_life_s=60, max_gap_s=1.0)
    smoother(1, HAPPY, 0.0)
    assert smoother(1, SAD, 1.0)[0] > 0.4
    assert smoother(1, HAPPY, 2.5).tolist() == [1, 0]


def test_no_half_life_is_no_smoothing() -> None:
    smoother = ScoreSmoother(half_life_s=0)
    smoother(1, HAPPY, 0.0)
    assert smoother(1, SAD, 0.0).tolist() == [0, 1]


def test_time_that_goes_back_does_not_pass() -> None:
    smoother = ScoreSmoother()
    smoother(1, HAPPY, 5.0)
    assert smoother(1, SAD, 4.0).tolist() == [0.5, 0.5]


def test_a_day_of_passers_by_needs_no_memory() -> None:
    smoother = ScoreSmoother()
    for person in range(1000):
        smoother(person, HAPPY, person * 1.0)
    assert len(smoother._means) <= 2


@pytest.mark.parametrize("options", [{"half_life_s": -1}, {"max_gap_s": float("nan")}])
def test_impossible_options(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected half_life_s and max_gap_s >= 0"):
        ScoreSmoother(**options)


def test_times_are_numbers() -> None:
    with pytest.raises(ValueError, match="expected a time in seconds, got nan"):
        ScoreSmoother()(1, HAPPY, float("nan"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0, 1), st.floats(0, 2)), max_size=20))
def test_means_stay_probabilities_within_what_was_seen(sights: list[tuple[int, float, float]]) -> None:
    smoother, t_s = ScoreSmoother(), 0.0
    seen: dict[int, list[float]] = {}
    for track_id, happy, step_s in sights:
        t_s += step_s
        seen.setdefault(track_id, []).append(happy)
        mean_C = smoother(track_id, np.array([happy, 1 - happy]), t_s)
        assert mean_C.sum() == pytest.approx(1)
        assert min(seen[track_id]) - 1e-9 <= mean_C[0] <= max(seen[track_id]) + 1e-9
