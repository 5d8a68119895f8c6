"""The drawings of a recording's page. They stretch with the page, so a phone and a desktop show the same chart.

    panel = person_panel(recording, person)      # what templates/recording.html draws for one person

In a drawing time runs from 0 to 1000, and each lane's height from 0 to 100. The page stretches the drawings to its
width and writes all text itself. At most 480 steps are drawn; a longer recording has steps of several seconds.

Not here: words and tables (recording_page.py), colours (mien.contract.emotion_colours).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mien.contract.emotion_colours import EMOTION_COLOURS, OTHER_COLOUR
from mien.mood.recording import Recording
from mien.mood.seconds import Second, by_step
from mien.mood.summary import Summary

WIDTH, HEIGHT = 1000, 100
MOST_STEPS = 480
TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
MOST_TICKS = 6

_Scale = Callable[[float], float]


@dataclass(frozen=True)
class Tick:
    """A mark of the time axis; its place is in per cent of the width."""

    left: float
    text: str


@dataclass(frozen=True)
class Ribbon:
    """An episode: place and width in per cent, its colours and what it says."""

    left: float
    width: float
    colour: str
    ink: str
    label: str
    told: str


@dataclass(frozen=True)
class Shape:
    """A filled or stroked path in the lane's coordinates."""

    path: str
    colour: str = ""


@dataclass(frozen=True)
class Panel:
    """One person's lanes. Lists are empty where there is nothing to draw.

    Attributes:
        track_id: the person.
        ribbons: episodes.
        stack: areas of the mean probabilities on top of each other, the most frequent emotion at the bottom.
        valence, arousal: lines; -1 is the bottom, 1 the top.
        stress: line of the stress index; 0 is the bottom, 100 the top.
        stress_band: its 95 % interval.
    """

    track_id: int
    ribbons: list[Ribbon]
    stack: list[Shape]
    valence: str
    arousal: str
    stress: str
    stress_band: str


def colour_of(label: str) -> str:
    """The colour of an emotion."""
    return EMOTION_COLOURS.get(label, OTHER_COLOUR)


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on ``colour`` (WCAG 2 relative luminance)."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000" if luminance > 0.179 else "#fff"


def time_text(t_s: float) -> str:
    """Time within a video: 0:07, 12:05, 1:02:03."""
    minutes, seconds = divmod(round(t_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def time_ticks(recording: Recording) -> list[Tick]:
    """Round times inside the recording, at most ``MOST_TICKS``."""
    begin_s, span_s = _span(recording)
    step_s = next((step for step in TICKS_S if span_s / step <= MOST_TICKS), TICKS_S[-1])
    first = math.ceil(begin_s / step_s - 1e-9) * step_s
    count = math.floor((begin_s + span_s - first) / step_s + 1e-9) + 1
    times = [first + number * step_s for number in range(count)]
    return [Tick(round((each - begin_s) / span_s * 100, 3), time_text(each)) for each in times]


def person_panel(recording: Recording, person: Summary) -> Panel:
    """What one person showed, ready to be drawn."""
    assert person.track_id is not None
    begin_s, span_s = _span(recording)
    step_s = max(1, math.ceil(span_s / MOST_STEPS))
    runs = _runs(by_step(recording.seconds_of(person.track_id), step_s), step_s)

    def x(t_s: float) -> float:
        return min(max((t_s - begin_s) / span_s, 0.0), 1.0) * WIDTH

    def line(name: str, low: float, high: float) -> str:
        return "".join(_lines(runs, name, low, high, x, step_s))

    order = sorted(recording.labels, key=lambda label: -person.scores.get(label, 0.0))
    return Panel(
        person.track_id,
        _ribbons(person, begin_s, span_s),
        [Shape(_area(runs, order[: place + 1], x, step_s), colour_of(order[place])) for place in range(len(order))][
            ::-1
        ],  # the tallest area first, so that the lower ones are drawn over it
        line("valence", -1, 1),
        line("arousal", -1, 1),
        line("stress_index", 0, 100),
        _band(runs, x, step_s),
    )


def _span(recording: Recording) -> tuple[float, float]:
    return recording.begin_s, max(recording.end_s - recording.begin_s, 1.0)


def _ribbons(person: Summary, begin_s: float, span_s: float) -> list[Ribbon]:
    found = []
    for each in person.episodes:
        end_s = each.onset_s if each.end_s is None else each.end_s
        left, width = (each.onset_s - begin_s) / span_s * 100, (end_s - each.onset_s) / span_s * 100
        colour = colour_of(each.label)
        told = f"{each.label}, {time_text(each.onset_s)} to {time_text(end_s)}, at most {each.peak_value:.0%}"
        found.append(Ribbon(round(left, 3), round(max(width, 0.15), 3), colour, ink_on(colour), each.label, told))
    return found


def _runs(rows: Sequence[Second], step_s: int) -> list[list[Second]]:
    """Group steps that follow each other without a gap."""
    runs: list[list[Second]] = []
    for row in rows:
        if runs and row.second == runs[-1][-1].second + step_s:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _points(values: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in values)


def _ends(run: Sequence[Second], step_s: int) -> list[float]:
    """The time of each value of a run: the middle of its step; the first and the last reach the run's ends."""
    return [run[0].second, *(row.second + step_s / 2 for row in run), run[-1].second + step_s]


def _doubled(values: Sequence[float]) -> list[float]:
    """The values with the first and the last one repeated, one for each time of ``_ends``."""
    return [values[0], *values, values[-1]]


def _area(runs: Sequence[Sequence[Second]], labels: Sequence[str], x: _Scale, step_s: int) -> str:
    """The area between the bottom and the sum of some probabilities."""
    parts = []
    for run in runs:
        sums = _doubled([min(1.0, sum(row.scores.get(label, 0.0) for label in labels)) for row in run])
        times = _ends(run, step_s)
        top = [(x(t_s), HEIGHT * (1 - value)) for t_s, value in zip(times, sums, strict=True)]
        parts.append(f"M{_points([(x(times[0]), HEIGHT), *top, (x(times[-1]), HEIGHT)])}Z")
    return "".join(parts)


def _lines(
    runs: Sequence[Sequence[Second]], name: str, low: float, high: float, x: _Scale, step_s: int
) -> Iterable[str]:
    for run in _known(runs, name, step_s):
        values = _doubled([getattr(row, name) for row in run])
        heights = [HEIGHT * (1 - (value - low) / (high - low)) for value in values]
        yield f"M{_points((x(t_s), y) for t_s, y in zip(_ends(run, step_s), heights, strict=True))}"


def _band(runs: Sequence[Sequence[Second]], x: _Scale, step_s: int) -> str:
    parts = []
    for run in _known(runs, "stress_index", step_s):
        times = [x(t_s) for t_s in _ends(run, step_s)]
        upper = [HEIGHT - value for value in _doubled([row.stress_high or 0.0 for row in run])]
        lower = [HEIGHT - value for value in _doubled([row.stress_low or 0.0 for row in run])]
        there, back = zip(times, upper, strict=True), reversed(list(zip(times, lower, strict=True)))
        parts.append(f"M{_points([*there, *back])}Z")
    return "".join(parts)


def _known(runs: Sequence[Sequence[Second]], name: str, step_s: int) -> list[list[Second]]:
    """Runs of the steps that have a value."""
    return [part for run in runs for part in _runs([row for row in run if getattr(row, name) is not None], step_s)]
