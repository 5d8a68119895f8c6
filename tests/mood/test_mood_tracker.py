"""MoodTracker: what it says of one person and several, whatever the frame rate, the gaps and the clock do."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mood_frames import CALM, SCOWL, SMILE, Scores, face, frame, run, spread

from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.contract.errors import MienError
from mien.mood import Episode, Mood, MoodTracker


def story(t_s: float) -> Scores | None:
    """A minute: calm, a smile from 10 to 20, away from 30 to 40, a scowl from 45."""
    if 10 < t_s <= 20:
        return SMILE
    if 30 < t_s <= 40:
        return None
    return SCOWL if t_s > 45 else CALM


def steps(changes: list[tuple[float, str]]) -> Callable[[float], Scores | None]:
    """A face that shows each emotion for so many seconds; "" is nobody there."""

    def scores_at(t_s: float) -> Scores | None:
        for duration_s, name in changes:
            if t_s <= duration_s + 1e-9:
                return spread(name, 0.8) if name else None
            t_s -= duration_s
        return spread("neutral", 0.8)

    return scores_at


CHANGES = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(["angry", "happy", "neutral", "fear", ""])), min_size=1, max_size=6
)
"""Stretches of whole seconds, so that 4 and 20 frames a second see the same changes."""


def numbers(mood: Mood) -> dict[str, float]:
    stress = (mood.stress_index, mood.stress_low, mood.stress_high)
    shown = {name: -1.0 if value is None else value for name, value in zip("ilh", stress, strict=True)}
    return {**mood.scores, **shown, "valence": mood.valence, "arousal": mood.arousal, "coverage": mood.coverage}


def test_a_story_of_one_minute() -> None:
    tracker = MoodTracker(baseline_s=10)
    moods = {round(mood.t_s, 3): mood for mood in run(tracker, story, 60, fps=20)}
    assert moods[0.0].label == "neutral" and moods[0.0].coverage == 1
    assert (moods[5.0].baseline, moods[5.0].stress_index) == ("learning", None)
    assert (moods[10.0].baseline, moods[10.0].stress_index) == ("personal", 0)
    assert moods[12.0].scores["happy"] == pytest.approx(0.5, abs=0.03)  # one half-life from 0.1 to 0.9
    assert (moods[18.0].label, moods[29.0].label, moods[59.0].label) == ("happy", "neutral", "angry")
    assert moods[18.0].valence > 0.6 and moods[59.0].valence < -0.3
    assert moods[45.0].coverage == pytest.approx(35 / 45)
    assert moods[60.0].coverage == pytest.approx(50 / 60)
    assert moods[60.0].stress_index == pytest.approx(100 * 15 * 0.8 / 50)  # a scowl of 0.8 in 15 of 50 seconds
    assert moods[60.0].stress_level == "high"
    assert 35.0 not in moods


def test_episodes_of_that_story() -> None:
    tracker = MoodTracker(baseline_s=10)
    run(tracker, story, 60, fps=20)
    smile, scowl = tracker.episodes(1)
    assert (smile.label, scowl.label, scowl.end_s) == ("happy", "angry", None)
    assert 11 < smile.onset_s < 13 and smile.peak_s == pytest.approx(20) and 21 < (smile.end_s or 0) < 23
    assert smile.peak_value == pytest.approx(0.875, abs=0.01)
    assert scowl.peak_s == 60


def test_an_episode_ends_where_the_face_was_last_seen() -> None:
    tracker = MoodTracker()
    run(tracker, lambda t_s: SCOWL if t_s <= 5 else None, 5.9, fps=10)
    assert tracker.episodes(1) == [Episode(0.0, 0.0, None, "angry", pytest.approx(0.8))]
    tracker.update(frame(6.1))
    assert tracker.episodes(1) == [Episode(0.0, 0.0, 5.0, "angry", pytest.approx(0.8))]


def test_without_a_baseline_it_works_and_says_so() -> None:
    mood = run(MoodTracker(baseline_s=0), lambda _: SCOWL, 30, fps=10)[-1]
    assert (mood.baseline, mood.stress_index) == ("none", pytest.approx(80))
    assert mood.stress_low is not None and mood.stress_high is not None
    assert 50 < mood.stress_low < 80 < mood.stress_high < 95


def test_a_person_who_looks_angry_at_rest_is_not_stressed() -> None:
    resting = {"angry": 0.4, "neutral": 0.6}
    mood = run(MoodTracker(), lambda _: resting, 120, fps=5)[-1]
    assert mood.stress_index == pytest.approx(0, abs=1e-6)
    assert mood.stress_level == "low"


def test_a_baseline_can_be_learnt_anew() -> None:
    tracker = MoodTracker(baseline_s=10)
    run(tracker, lambda _: SCOWL, 20, fps=5)
    assert (tracker.baseline(1).state, tracker.baseline(1).level) == ("personal", pytest.approx(0.8))
    tracker.relearn_baseline(1)
    run(tracker, lambda _: CALM, 5, fps=5, start_s=20)
    assert (tracker.baseline(1).state, tracker.baseline(1).seen_s) == ("learning", pytest.approx(5))


def test_coverage_falls_while_nobody_is_there_and_nothing_else_moves() -> None:
    tracker = MoodTracker(window_s=10, baseline_s=0)
    before = run(tracker, lambda _: CALM, 10, fps=10)[-1]
    for index in range(51):
        tracker.update(frame(10 + index / 10))
    after = tracker.mood(1)
    assert (before.coverage, after.coverage) == (pytest.approx(1), pytest.approx(0.5))
    assert after.scores == before.scores and after.t_s == 15
    tracker.update(frame(21.0))
    assert (tracker.mood(1).coverage, tracker.mood(1).stress_index) == (0, None)


def test_faces_that_the_model_abstains_from_lower_the_coverage_only() -> None:
    tracker = MoodTracker(baseline_s=0)
    run(tracker, lambda _: CALM, 10, fps=10)
    for index in range(1, 101):
        (mood,) = tracker.update(frame(10 + index / 10, face(SCOWL, accepted=False)))
    assert mood.coverage == pytest.approx(0.5)
    assert mood.scores == pytest.approx(CALM)
    assert mood.stress_index == pytest.approx(0)
    assert mood.stress_level == "high"  # the published level knows no abstention


def test_a_track_that_was_never_usable_has_a_mood_without_stress() -> None:
    (mood,) = MoodTracker(baseline_s=0).update(frame(0.0, face(SCOWL, accepted=False)))
    assert (mood.label, mood.coverage, mood.stress_index) == ("angry", 0, None)


def test_people_are_kept_apart() -> None:
    tracker = MoodTracker(baseline_s=0)
    for index in range(100):
        left, right = tracker.update(frame(index / 10, face(SCOWL, 7), face(CALM, 3), face(CALM, None)))
    assert (left.track_id, left.label, right.track_id, right.label) == (7, "angry", 3, "neutral")
    assert left.stress_level == "high" and right.stress_level == "low"
    assert tracker.tracks() == [7, 3]
    tracker.reset(7)
    assert tracker.tracks() == [3]
    with pytest.raises(MienError, match="no track 7; there are 3"):
        tracker.mood(7)
    tracker.reset()
    assert tracker.tracks() == [] and tracker.summary().person_s == 0


def test_one_face_a_track_and_frame_counts() -> None:
    (mood,) = MoodTracker().update(frame(0.0, face(CALM, 1), face(SCOWL, 1)))
    assert mood.label == "neutral"


def test_a_clock_that_goes_back_stands_still() -> None:
    tracker = MoodTracker(baseline_s=0)
    before = run(tracker, lambda _: CALM, 10, fps=10)[-1]
    (at_the_jump,) = tracker.update(frame(2.0, face(SCOWL)))
    assert (at_the_jump.t_s, at_the_jump.scores["neutral"]) == (before.t_s, pytest.approx(0.9))
    (after,) = tracker.update(frame(3.0, face(SCOWL)))
    assert after.t_s == 11.0
    assert after.scores["angry"] == pytest.approx(0.8 * (1 - 2**-0.5), abs=0.01)


@pytest.mark.parametrize("t_s", [None, math.nan, math.inf])
def test_a_frame_without_a_time_is_refused(t_s: float | None) -> None:
    with pytest.raises(MienError, match="test: mood needs frames with a time"):
        MoodTracker().update(frame(t_s, face(CALM)))


@pytest.mark.parametrize(
    "bad",
    [
        {"half_life_s": 0},
        {"window_s": math.nan},
        {"baseline_s": -1},
        {"max_gap_s": math.inf},
        {"label_margin": 1.5},
        {"history_s": -5},
    ],
)
def test_impossible_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(MienError, match=next(iter(bad))):
        MoodTracker(**bad)


def test_other_label_sets() -> None:
    eight = {name: 0.65 if name == "contempt" else 0.05 for name in FERPLUS_EMOTIONS}
    mood = run(MoodTracker(baseline_s=0), lambda _: eight, 20, fps=5)[-1]
    assert (mood.label, mood.stress_index) == ("contempt", pytest.approx(15))
    own = run(MoodTracker(baseline_s=0), lambda _: {"bored": 0.7, "keen": 0.3}, 20, fps=5)[-1]
    assert (own.label, own.stress_index, own.valence, own.stress_level) == ("bored", None, 0, "low")


def test_a_model_that_changes_in_mid_stream() -> None:
    tracker = MoodTracker()
    run(tracker, lambda _: {"bored": 0.7, "keen": 0.3}, 10, fps=5)
    mood = run(tracker, lambda _: CALM, 30, fps=5, start_s=10)[-1]
    assert mood.label == "neutral"
    assert sum(mood.scores.values()) == pytest.approx(1)
    assert mood.scores["bored"] < 1e-4


@given(CHANGES, st.floats(-1e5, 1e5))
@settings(max_examples=30, deadline=None)
def test_the_clocks_zero_does_not_matter(changes: list[tuple[float, str]], shift_s: float) -> None:
    at_zero = run(MoodTracker(baseline_s=4), steps(changes), 30, fps=4)
    shifted = run(MoodTracker(baseline_s=4), steps(changes), 30, fps=4, start_s=shift_s)
    for one, other in zip(at_zero, shifted, strict=True):
        assert numbers(other) == pytest.approx(numbers(one), abs=1e-5)
        assert other.t_s == pytest.approx(one.t_s + shift_s)


@given(CHANGES)
@settings(max_examples=30, deadline=None)
def test_the_frame_rate_does_not_matter(changes: list[tuple[float, str]]) -> None:
    slow, fast = (
        {round(mood.t_s, 6): mood for mood in run(MoodTracker(baseline_s=4), steps(changes), 30, fps)}
        for fps in (4, 20)
    )
    assert slow.keys() <= fast.keys()
    for t_s, mood in list(slow.items())[1:]:  # the first frame stands for no time
        assert numbers(fast[t_s]) == pytest.approx(numbers(mood), abs=1e-5)


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=7, max_size=7), min_size=1, max_size=60), st.floats(0.01, 3))
@settings(max_examples=50, deadline=None)
def test_whatever_comes_the_bounds_hold_and_labels_stay_their_time(weights: list[list[float]], step_s: float) -> None:
    names = list(spread("neutral", 0.5))
    frames = [dict(zip(names, (w / sum(row) for w in row), strict=True)) for row in weights]
    tracker = MoodTracker(baseline_s=5 * step_s, half_life_s=0.5)
    moods = [tracker.update(frame(index * step_s, face(scores)))[0] for index, scores in enumerate(frames)]
    changed_s = -math.inf
    for before, mood in zip(moods, moods[1:], strict=False):
        assert sum(mood.scores.values()) == pytest.approx(1, abs=1e-6)
        assert json.loads(json.dumps(mood.to_dict(), allow_nan=False))["label"] == mood.label
        if mood.label != before.label:
            assert mood.t_s - changed_s >= 1.0 - 1e-9
            changed_s = mood.t_s


def test_the_label_does_not_flicker_between_two_that_are_close() -> None:
    generator = random.Random(3)

    def wavering(_: float) -> Scores:
        happy = generator.uniform(0.3, 0.7)  # the plain argmax changes in half of the frames
        return {"happy": happy, "neutral": 1 - happy}

    moods = run(MoodTracker(), wavering, 120, fps=10)
    labels = [mood.label for mood in moods[20:]]
    assert sum(one != other for one, other in zip(labels, labels[1:], strict=False)) == 0


def test_history_is_bounded_and_who_left_is_forgotten() -> None:
    tracker = MoodTracker(history_s=20, max_gap_s=1)
    run(tracker, steps([(3, "happy"), (3, "angry")] * 10), 60, fps=5)
    assert [row.second for row in tracker.timeline(1)] == list(range(40, 61))
    assert all((episode.end_s or math.inf) >= 40 for episode in tracker.episodes(1))
    tracker.update(frame(81.0))
    assert tracker.tracks() == []


def test_timeline_is_the_mean_of_each_second() -> None:
    tracker = MoodTracker()
    moods = run(tracker, story, 12, fps=10)
    rows = tracker.timeline(1)
    assert [row.second for row in rows] == list(range(13))
    assert [row.n for row in rows] == [10] * 12 + [1]
    eleven = [mood for mood in moods if 11 <= mood.t_s < 12]
    assert rows[11].valence == pytest.approx(sum(mood.valence for mood in eleven) / 10)
    assert rows[11].scores == pytest.approx({name: sum(mood.scores[name] for mood in eleven) / 10 for name in CALM})


@pytest.mark.parametrize(
    "bad", [{"coverage": 1.2}, {"t_s": math.nan}, {"stress_low": 90.0}, {"stress_index": None}, {"valence": math.nan}]
)
def test_a_mood_is_checked_at_birth(bad: dict[str, float | None]) -> None:
    good = run(MoodTracker(baseline_s=0), lambda _: SCOWL, 10, fps=5)[-1].to_dict()
    assert Mood(**good).to_dict() == good
    with pytest.raises(ValueError, match="expected"):
        Mood(**good | bad)
