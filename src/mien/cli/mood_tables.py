"""How ``mien mood`` prints summaries, timelines and trends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mien.cli.output import console, say

if TYPE_CHECKING:
    from rich.table import Table

    from mien.mood import Second
    from mien.mood.summary import Summary
    from mien.mood.trend import Trend

MOST_ROWS = 30
"""Of a timeline on a screen; --step and --format json have the rest."""

MOST_EPISODES = 10
"""Of a person on a screen, the longest; --format json has all."""


def print_summary(summary: Summary, clock: Callable[[float], str]) -> None:
    """Who showed what, and when; ``clock`` writes a time down."""
    if not summary.people:
        say("nobody was seen")
        return
    people = plain_table(">who", ">seen", "mostly", ">valence", ">arousal", ">stress", ">peak", "at")
    episodes = plain_table(">who", "shows", ">from", ">to", ">peak", "at")
    for person in summary.people:
        rose = person.stress_peak is not None and person.stress_peak >= 0.5  # else it would be the peak of a flat line
        peak_at = clock(person.stress_peak_at) if rose and person.stress_peak_at is not None else ""
        affect = (signed(person.valence), signed(person.arousal), whole(person.stress_index))
        seen, mostly = span(person.person_s), main_labels(person.labels)
        people.add_row(str(person.track_id), seen, mostly, *affect, whole(person.stress_peak), peak_at)
        longest = sorted(person.episodes, key=lambda each: each.onset_s - (each.end_s or each.peak_s))[:MOST_EPISODES]
        for each in sorted(longest, key=lambda each: each.onset_s):
            end = clock(each.end_s) if each.end_s is not None else "…"
            times = (clock(each.onset_s), end, f"{each.peak_value:.0%}", clock(each.peak_s))
            episodes.add_row(str(person.track_id), each.label, *times)
        if len(person.episodes) > MOST_EPISODES:
            episodes.add_row("", f"and {len(person.episodes) - MOST_EPISODES} shorter", "", "", "", "")
    console().print(people)
    if episodes.row_count:
        console().print(episodes)
    if all(person.stress_index is None for person in summary.people):
        say("no stress index: nobody was seen for longer than the baseline takes (--baseline-s 0 goes without one)")
    say_note()


def timeline_table(rows: Sequence[Second], step_s: int) -> Table:
    """One row a person and step; the stress index as a number, its interval and a bar."""
    table = plain_table("time", ">who", "shows", ">valence", ">arousal", ">stress", "", "", ">seen")
    for row in rows:
        index, bar, interval = "", "", "learning" if row.baseline == "learning" else ""
        if row.stress_index is not None and row.stress_low is not None and row.stress_high is not None:
            index = whole(row.stress_index)
            bar = "█" * int(row.stress_index / 10) + ("▌" if row.stress_index % 10 >= 5 else "")
            interval = f"{row.stress_low:.0f}–{row.stress_high:.0f}"
        affect = (signed(row.valence), signed(row.arousal))
        who = (time_of_day(row.second), str(row.track_id), row.label)
        table.add_row(*who, *affect, index, interval, bar, f"{row.coverage:.0%}")
    table.title = f"every {span(step_s)}"
    table.title_style = "dim"
    return table


def trend_line(name: str, found: Trend) -> str:
    what = name.replace("_", " ").replace("stress index", "stress")
    if found.low is None or found.high is None:
        return f"{what}: {found.days} days are too few for a trend"
    decimals = 1 if name == "stress_index" else 2
    slope, low, high = (f"{value * 7:+.{decimals}f}" for value in (found.per_day, found.low, found.high))
    return f"{what}: {found.direction}, {slope} a week ({low} to {high}, {found.days} days)"


def fitting_step(rows: Sequence[Second]) -> int:
    """A round step that leaves at most ``MOST_ROWS`` rows."""
    length_s = rows[-1].second - rows[0].second + 1 if rows else 1
    people = len({row.track_id for row in rows}) or 1
    steps = (1, 5, 10, 30, 60, 300, 600, 1800, 3600)
    return next((step for step in steps if length_s * people <= (MOST_ROWS - people) * step), steps[-1])


def plain_table(*columns: str) -> Table:
    """A plain table; a column that starts with > is right-aligned."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in columns:
        table.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left", no_wrap=True)
    return table


def say_note() -> None:
    from mien.mood import NOTE

    say(f"stress: {NOTE}; valence and arousal: projected from the emotions")


def main_labels(labels: Mapping[str, float]) -> str:
    return ", ".join(f"{label} {share:.0%}" for label, share in list(labels.items())[:2])


def span(seconds: float) -> str:
    """1:02:03, 2:03 or 3 s."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = f"{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{whole // 3600}:{minutes}" if whole >= 3600 else minutes.lstrip("0") or "0"


def time_within(t_s: float) -> str:
    """Time within a recording."""
    return f"{int(t_s) // 60}:{t_s % 60:04.1f}"


def time_of_day(epoch_s: float) -> str:
    """Time of day on this machine."""
    return f"{datetime.fromtimestamp(epoch_s):%H:%M:%S}"


def signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def whole(value: Any) -> str:
    return "" if value is None else f"{value:.0f}"
