"""``mien mood``: what ``mien serve`` has kept, by session and by day; export and deletion; the mood of a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.output import Format, console, print_json, say

if TYPE_CHECKING:
    from rich.table import Table

    from mien.mood import MoodStore, Second
    from mien.mood.summary import Summary, Trend

app = typer.Typer(no_args_is_help=True, help="Mood over time: stored sessions and days; export, delete; a recording.")

Store = Annotated[Path | None, typer.Option("--db", help="The store; mien serve's if left out.", dir_okay=False)]
Printed = Annotated[Format, typer.Option(help="How to print.")]
HalfLifeS = Annotated[float, typer.Option(help="Smoothing: a face this old weighs half.")]
BaselineS = Annotated[float, typer.Option(help="Each person's calm start; 0 for none.")]
WindowS = Annotated[float, typer.Option(help="Of the stress index.")]
MaxGapS = Annotated[float, typer.Option(help="More than the time between frames, see --every of predict.")]
SessionId = Annotated[int, typer.Argument(help="A session's number, see mien mood sessions.")]

MOST_ROWS = 30
"""Of a timeline on a screen; --step and --format json have the rest."""

MOST_EPISODES = 10
"""Of a person on a screen, the longest; --format json has all."""


class ExportFormat(StrEnum):
    """Files that a session can become."""

    json = "json"
    csv = "csv"
    parquet = "parquet"


@app.command()
def sessions(db: Store = None, format: Printed = Format.table) -> None:
    """List the stored sessions, newest first."""
    with _store(db) as store:
        found = store.sessions()
        if format is Format.json:
            print_json([session.to_dict() for session in found])
            return
        if not found:
            say(f"{store.path}: nothing is stored")
            return
    table = _table("session", ">began", "source", ">people", ">seen", "")
    for each in found:
        state = "" if each.ended else "not ended"
        began = f"{each.started.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(str(each.id), began, each.source, str(each.people), _span(each.person_s), state)
    console().print(table)


@app.command()
def show(
    session_id: SessionId,
    step: Annotated[int | None, typer.Option(help="Seconds a row of the timeline.", min=1)] = None,
    track: Annotated[int | None, typer.Option(help="One person only.")] = None,
    db: Store = None,
    format: Printed = Format.table,
) -> None:
    """Print a session: who showed what, episodes, and the timeline."""
    with _store(db) as store:
        session = store.session(session_id)
        rows = store.rows(session_id, track)
    from mien.mood.seconds import by_step
    from mien.mood.summary import summarise

    summary = summarise(rows)
    step_s = step or _fitting_step(rows)
    timeline = by_step(rows, step_s)
    if format is Format.json:
        plain = {"session": session.to_dict(), "summary": summary.to_dict(), "step_s": step_s}
        print_json(plain | {"timeline": [row.to_dict() for row in timeline]})
        return
    until = "" if session.ended else ", not ended"
    screen = console()
    screen.print(f"session {session.id}, {session.source}, {session.started.astimezone():%Y-%m-%d %H:%M}{until}")
    _print_summary(summary, _wall)
    if timeline:
        screen.print(_timeline(timeline, step_s))


@app.command()
def days(
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included.")] = None,
    weeks: Annotated[bool, typer.Option("--weeks", help="By ISO week.")] = False,
    db: Store = None,
    format: Printed = Format.table,
) -> None:
    """Sum up by day or week, everybody together, and say whether there is a trend."""
    from mien.mood.summary import by_week, trend

    with _store(db) as store:
        by_day = store.days(first.date() if first else None, last.date() if last else None)
        place = store.path
    rows = by_week(by_day) if weeks else by_day
    trends = {name: trend(by_day, name) for name in ("valence", "arousal", "stress_index")}
    if format is Format.json:
        plain = {name: found.to_dict() if found else None for name, found in trends.items()}
        print_json({"weeks" if weeks else "days": [row.to_dict() for row in rows], "trends": plain})
        return
    if not rows:
        say(f"{place}: nothing is stored for these days")
        return
    table = _table("week" if weeks else "day", ">sessions", ">seen", "mostly", ">valence", ">arousal", ">stress")
    for row in rows:
        affect = (_signed(row.valence), _signed(row.arousal), _whole(row.stress_index))
        table.add_row(row.day, str(row.sessions), _span(row.person_s), _shares(row.labels), *affect)
    console().print(table)
    for name, found in trends.items():
        if found is not None:
            console().print(_trend_line(name, found), highlight=False)
    _say_note()


@app.command()
def export(
    session_id: SessionId,
    out: Annotated[Path | None, typer.Option(help="File to write; standard output if left out.")] = None,
    format: Annotated[ExportFormat | None, typer.Option(help="By the file's ending, else json.")] = None,
    db: Store = None,
) -> None:
    """Write a session's seconds as JSON, CSV or Parquet."""
    import sys

    endings = {f".{known.value}": known for known in ExportFormat}
    chosen = format or endings.get(out.suffix.lower() if out else "", ExportFormat.json)
    if out is None and chosen is ExportFormat.parquet and sys.stdout.isatty():
        raise typer.BadParameter("Parquet is no text: give --out")
    with _store(db) as store:
        store.export(session_id, out or sys.stdout.buffer, chosen.value)
    if out is not None:
        say(f"{out}: written")


@app.command()
def delete(
    session_ids: Annotated[list[int] | None, typer.Argument(help="Numbers of sessions.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All sessions.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    db: Store = None,
) -> None:
    """Delete sessions for good: their rows are overwritten in the file."""
    if bool(session_ids) == everything:
        raise typer.BadParameter("give the numbers of sessions, or --all")
    with _store(db) as store:
        found = store.sessions() if everything else [store.session(number) for number in session_ids or ()]
        if not found:
            say(f"{store.path}: nothing is stored")
            return
        what = f"{len(found)} session{'s' * (len(found) != 1)}, {_span(sum(each.person_s for each in found))}"
        if not yes:
            typer.confirm(f"Delete {what}, for good?", abort=True, err=True)
        if everything:
            store.delete_all()
        else:
            for each in found:
                store.delete(each.id)
    say(f"deleted: {what}")


@app.command("summary")
def summary_of(
    file: Annotated[
        Path, typer.Argument(help="Rows of mien predict VIDEO --out ROWS: .jsonl, .csv or .parquet.", dir_okay=False)
    ],
    half_life_s: HalfLifeS = 2.0,
    baseline_s: BaselineS = 60.0,
    window_s: WindowS = 60.0,
    max_gap_s: MaxGapS = 1.0,
    format: Printed = Format.table,
) -> None:
    """Sum up the mood of the people in a recording that mien predict has gone through."""
    from mien.mood.recording import read_recordings

    found = read_recordings(file, half_life_s, window_s, baseline_s, max_gap_s)
    if format is Format.json:
        print_json([{"source": each.source} | each.summary.to_dict() for each in found])
        return
    for each in found:
        console().print(each.source, highlight=False, markup=False)
        _print_summary(each.summary, _clock)


def _print_summary(summary: Summary, clock: Callable[[float], str]) -> None:
    """Who showed what, and when; ``clock`` writes a time down."""
    if not summary.people:
        say("nobody was seen")
        return
    people = _table(">who", ">seen", "mostly", ">valence", ">arousal", ">stress", ">peak", "at")
    episodes = _table(">who", "shows", ">from", ">to", ">peak", "at")
    for person in summary.people:
        rose = person.stress_peak is not None and person.stress_peak >= 0.5  # else it would be the peak of a flat line
        peak_at = clock(person.stress_peak_at) if rose and person.stress_peak_at is not None else ""
        affect = (_signed(person.valence), _signed(person.arousal), _whole(person.stress_index))
        seen, mostly = _span(person.person_s), _shares(person.labels)
        people.add_row(str(person.track_id), seen, mostly, *affect, _whole(person.stress_peak), peak_at)
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
    _say_note()


def _timeline(rows: Sequence[Second], step_s: int) -> Table:
    """One row a person and step; the stress index as a number, its interval and a bar."""
    table = _table("time", ">who", "shows", ">valence", ">arousal", ">stress", "", "", ">seen")
    for row in rows:
        index, bar, interval = "", "", "learning" if row.baseline == "learning" else ""
        if row.stress_index is not None and row.stress_low is not None and row.stress_high is not None:
            index = _whole(row.stress_index)
            bar = "█" * int(row.stress_index / 10) + ("▌" if row.stress_index % 10 >= 5 else "")
            interval = f"{row.stress_low:.0f}–{row.stress_high:.0f}"
        affect = (_signed(row.valence), _signed(row.arousal))
        who = (_wall(row.second), str(row.track_id), row.label)
        table.add_row(*who, *affect, index, interval, bar, f"{row.coverage:.0%}")
    table.title = f"every {_span(step_s)}"
    table.title_style = "dim"
    return table


def _trend_line(name: str, found: Trend) -> str:
    what = name.replace("_", " ").replace("stress index", "stress")
    if found.low is None or found.high is None:
        return f"{what}: {found.days} days are too few for a trend"
    decimals = 1 if name == "stress_index" else 2
    slope, low, high = (f"{value * 7:+.{decimals}f}" for value in (found.per_day, found.low, found.high))
    return f"{what}: {found.direction}, {slope} a week ({low} to {high}, {found.days} days)"


def _fitting_step(rows: Sequence[Second]) -> int:
    """A round step that leaves at most ``MOST_ROWS`` rows."""
    length_s = rows[-1].second - rows[0].second + 1 if rows else 1
    people = len({row.track_id for row in rows}) or 1
    steps = (1, 5, 10, 30, 60, 300, 600, 1800, 3600)
    return next((step for step in steps if length_s * people <= (MOST_ROWS - people) * step), steps[-1])


def _table(*columns: str) -> Table:
    """A plain table; a column that starts with > is right-aligned."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in columns:
        table.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left", no_wrap=True)
    return table


@contextmanager
def _store(path: Path | None) -> Iterator[MoodStore]:
    """The store that exists; a verb that reads does not make one."""
    from mien.contract.errors import StoreError
    from mien.mood.store import MoodStore, default_path

    place = path or default_path()
    if not place.exists():
        raise StoreError(f"{place}: there is no store here; mien serve makes one, and --db names another")
    with MoodStore(place) as store:
        yield store


def _say_note() -> None:
    from mien.mood import NOTE

    say(f"stress: {NOTE}; valence and arousal: projected from the emotions")


def _shares(labels: Mapping[str, float]) -> str:
    return ", ".join(f"{label} {share:.0%}" for label, share in list(labels.items())[:2])


def _span(seconds: float) -> str:
    """1:02:03, 2:03 or 3 s."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = f"{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{whole // 3600}:{minutes}" if whole >= 3600 else minutes.lstrip("0") or "0"


def _clock(t_s: float) -> str:
    """Time within a recording."""
    return f"{int(t_s) // 60}:{t_s % 60:04.1f}"


def _wall(epoch_s: float) -> str:
    """Time of day on this machine."""
    return f"{datetime.fromtimestamp(epoch_s):%H:%M:%S}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def _whole(value: Any) -> str:
    return "" if value is None else f"{value:.0f}"
