"""``mien report``: the rows of a video as a page with figures, and as tables and annotation files for research."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.mood import BaselineS, HalfLifeS, MaxGapS, WindowS
from mien.cli.output import Format, print_json, say

if TYPE_CHECKING:
    from mien.mood.provenance import Provenance
    from mien.mood.recording import Recording


def report(
    rows: Annotated[Path, typer.Argument(help="Rows of mien predict VIDEO --out ROWS: .jsonl, .csv or .parquet.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write to; ROWS-report if left out.")] = None,
    half_life_s: HalfLifeS = 2.0,
    baseline_s: BaselineS = 60.0,
    window_s: WindowS = 60.0,
    max_gap_s: MaxGapS = 2.0,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """Write a page with figures and, for each video, tables (CSV, BIDS), an ELAN file and WebVTT."""
    from mien import __version__
    from mien.contract.atomic_files import make_folder, write_whole
    from mien.mood.provenance import read_provenance
    from mien.mood.recording import recordings_of
    from mien.mood.row_reader import read_frames
    from mien.report.recording_page import recording_html

    mood = {"half_life_s": half_life_s, "baseline_s": baseline_s, "window_s": window_s, "max_gap_s": max_gap_s}
    recordings = recordings_of(read_frames(rows), rows, **mood)
    how = read_provenance(rows, mood, __version__)
    folder = rows.with_name(f"{rows.stem}-report") if out is None else out
    made = datetime.fromtimestamp(rows.stat().st_mtime, UTC)
    written: dict[str, list[str]] = {}
    contents: dict[str, bytes] = {}
    for name, recording in _named(recordings):
        files = _files(recording, name, how, folder, made)
        written[recording.source] = list(files)
        contents |= files
    page = recording_html(recordings, how, rows.name, written)  # before anything is written
    make_folder(folder)
    for file, content in contents.items():
        write_whole(folder / file, content)
    write_whole(folder / "index.html", page.encode())
    if format is Format.json:
        print_json({"page": str(folder / "index.html"), "files": [str(folder / name) for name in contents]})
        return
    people = sum(len(each.summary.people) for each in recordings)
    episodes = sum(len(person.episodes) for each in recordings for person in each.summary.people)
    who = "1 person" if people == 1 else f"{people:,} people"
    say(f"{folder / 'index.html'}: {_count(len(recordings), 'video')}, {who}, {_count(episodes, 'episode')}")
    say(f"{folder}: {len(contents)} files for statistics, ELAN and players beside it")


def _named(recordings: list[Recording]) -> list[tuple[str, Recording]]:
    """A stem for the files of each recording; videos of one name get a number."""
    from mien.mood.research_tables import bids_name

    taken: set[str] = set()
    found = []
    for each in recordings:
        stem = "stdin" if each.source == "-" else bids_name(Path(each.source).stem)
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name)
        found.append((name, each))
    return found


def _files(recording: Recording, name: str, how: Provenance, folder: Path, made: datetime) -> dict[str, bytes]:
    from mien.mood.annotations import eaf, webvtt
    from mien.mood.research_tables import research_tables

    return research_tables(recording, name, how) | {
        f"{name}.eaf": eaf(recording, _seen_from(folder, recording.source), made, how),
        f"{name}.vtt": webvtt(recording, how).encode(),
    }


def _seen_from(folder: Path, source: str) -> str:
    """The video's path from the folder of the report; addresses of streams and other drives stay as they are."""
    from mien.contract.plain_types import printable

    if "://" in source:
        return source
    try:
        return "./" + Path(os.path.relpath(printable(source), folder)).as_posix()
    except ValueError:  # another drive on Windows
        return Path(printable(source)).as_posix()


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
