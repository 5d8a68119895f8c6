"""Episodes as they come, row by row."""

from __future__ import annotations

import pytest

from mien.mood.episodes import Episode, EpisodeFinder


def found(*seen: tuple[float, str, float], now_s: float | None = None) -> list[Episode]:
    finder = EpisodeFinder(max_gap_s=1.0)
    for t_s, label, value in seen:
        finder.add(t_s, label, value)
    if now_s is not None:
        finder.pass_time(now_s)
    return finder.episodes


@pytest.mark.parametrize(
    ("seen", "now_s", "episodes"),
    [
        ([], 9.0, []),
        ([(0, "neutral", 0.9), (1, "Neutral", 0.9)], None, []),
        ([(0, "sad", 0.5), (1, "sad", 0.7), (2, "sad", 0.7)], None, [Episode(0, 1, None, "sad", 0.7)]),
        ([(0, "sad", 0.5), (1, "neutral", 0.7)], None, [Episode(0, 0, 1, "sad", 0.5)]),
        ([(0, "sad", 0.5), (1, "happy", 0.7)], 3, [Episode(0, 0, 1, "sad", 0.5), Episode(1, 1, 1, "happy", 0.7)]),
        ([(0, "sad", 0.5), (1, "sad", 0.6)], 2, [Episode(0, 1, None, "sad", 0.6)]),  # exactly the gap is none
        ([(0, "sad", 0.5), (4, "sad", 0.6)], None, [Episode(0, 0, 0, "sad", 0.5), Episode(4, 4, None, "sad", 0.6)]),
    ],
)
def test_episodes(seen: list[tuple[float, str, float]], now_s: float | None, episodes: list[Episode]) -> None:
    assert found(*seen, now_s=now_s) == episodes


def test_forgetting_keeps_what_lasts() -> None:
    finder = EpisodeFinder(max_gap_s=1.0)
    for t_s, label in ((0, "sad"), (1, "happy"), (2, "fear"), (3, "fear")):
        finder.add(t_s, label, 0.5)
    finder.forget_before(1.5)
    assert [episode.label for episode in finder.episodes] == ["happy", "fear"]
    finder.forget_before(99)
    assert [episode.label for episode in finder.episodes] == ["fear"]
