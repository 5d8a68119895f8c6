"""Shared by ``predict`` and ``watch``: times, a JSON array that grows, the progress bar, the table of people."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from mien.cli.output import output_encoding
from mien.contract.plain_types import json_text

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

    from mien.video.pipeline import Outcome
    from mien.video.track_summary import TrackSummary

MOST_PEOPLE = 20
"""Rows for one video; the rest is in --tracks."""


def seconds(text: str) -> float:
    """Read a time from the command line: "0.2s", "200ms", "90", "1.5m", "1:30", "1:02:03.5"."""
    text = str(text).strip()
    if matched := re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|min|h)?", text):
        return float(matched[1]) * {"ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0}.get(matched[2], 1.0)
    if matched := re.fullmatch(r"(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)", text):
        return int(matched[1] or 0) * 3600 + int(matched[2]) * 60 + float(matched[3])
    raise typer.BadParameter(f"expected a time such as 0.2s, 200ms, 90 or 1:30, got {text!r}")


class JsonArray:
    """A JSON array on standard output that is written while it grows, laid out as ``print_json`` does."""

    def __init__(self) -> None:
        self._empty = True

    def add(self, value: Any) -> None:
        """Append a value."""
        text = json_text(value, encoding=output_encoding(), indent=2).replace("\n", "\n  ")
        sys.stdout.write(("[\n  " if self._empty else ",\n  ") + text)
        self._empty = False

    def close(self) -> None:
        """Write the end of the array, also after an error, so that the output is valid JSON."""
        sys.stdout.write("[]\n" if self._empty else "\n]\n")


class MediaProgress:
    """A bar on standard error with faces, frames/s and the time left.

    Args:
        sources: number of sources.
        show: whether to show it; None for yes if standard error is a terminal.
    """

    def __init__(self, sources: int, show: bool | None = None) -> None:
        self._sources, self._done, self._part = sources, 0, 0.0
        self._frames = self._faces = 0
        self._name = ""
        self._began_s = time.monotonic()
        self._show = sys.stderr.isatty() if show is None else show
        self._bars: Progress | None = None

    def __enter__(self) -> MediaProgress:
        if not self._show:
            return self
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.fields[name]}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[faces]:,} faces  {task.fields[rate]:.0f} frames/s"),
            TimeRemainingColumn(compact=True),
        )
        self._bars = Progress(*columns, console=Console(stderr=True), transient=True, expand=True)
        self._bars.start()
        self._task = self._bars.add_task("", total=max(1, self._sources), name="", faces=0, rate=0.0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def take(self, item: Outcome) -> None:
        """Count an item that the pipeline yielded."""
        if self._bars is None:
            return
        from mien.video.pipeline import RecognizedFrame
        from mien.video.sources import SourceEnd

        if isinstance(item, RecognizedFrame):
            self._name = item.result.source
            self._frames += 1
            self._faces += len(item.result.faces)
            clip, t_s = item.frame.clip, item.frame.t_s
            if clip is not None and t_s is not None and clip.end_s:
                begin_s = clip.window_s[0]
                self._part = min(1.0, (t_s - begin_s) / max(clip.end_s - begin_s, 1e-3))
        elif isinstance(item, SourceEnd):
            self._name = item.source
            self._done, self._part = self._done + 1, 0.0
        self._bars.update(
            self._task,
            completed=self._done + self._part,
            name=self._name.rpartition("/")[2][-30:],
            faces=self._faces,
            rate=self._frames / max(time.monotonic() - self._began_s, 1e-3),
        )


def people_table(videos: Sequence[TrackSummary]) -> Table:
    """A row for each person of each video: when they were seen and what they showed on average."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mien.video.timeline import clock

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("video", overflow="fold", min_width=22)
    table.add_column("person", justify="right", no_wrap=True)
    table.add_column("seen", no_wrap=True)
    table.add_column("mostly", style="bold", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    table.add_column("then", style="dim", no_wrap=True)
    for video in videos:
        name = Text(video.source.rpartition("/")[2])
        facts = video.to_dict()
        if not facts["tracks"]:
            table.add_row(name, "", Text("no face found", style="dim"), "", "", "")
        for person in facts["tracks"][:MOST_PEOPLE]:
            first, second = sorted(person["mean_scores"].items(), key=lambda score: -score[1])[:2]
            seen = f"{clock(person['from_s'])} – {clock(person['to_s'])}"
            then = f"{second[0]} {second[1]:.0%}"
            table.add_row(name, str(person["track_id"]), seen, first[0], f"{first[1]:.0%}", then)
            name = Text("")
        if (more := len(facts["tracks"]) - MOST_PEOPLE) > 0:
            table.add_row("", "", Text(f"and {more} more", style="dim"), "", "", "")
    return table
