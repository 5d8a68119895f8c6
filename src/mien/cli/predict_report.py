"""What ``mien predict`` prints: tables, JSON, or a row for each face; a closing line where there were many files."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.media import JsonArray, people_table
from mien.cli.output import console, output_encoding, problem, say

if TYPE_CHECKING:
    from rich.table import Table

    from mien.contract.results import FrameResult
    from mien.video.pipeline import Outcome
    from mien.video.track_summary import TrackSummary

CROP_SIDE_PX = 112
"""Smaller images without a face are taken to be face crops."""

MOST_PHOTOS = 200
"""Photos in the printed table where --out has all of them; memory does not grow with the number of photos then."""


class PrintFormat(StrEnum):
    """How ``mien predict`` prints."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


class RowPrinter:
    """A row for each face on standard output, as ``--out`` writes them; CSV begins with the names of the columns."""

    def __init__(self, format: PrintFormat, labels: Sequence[str]) -> None:
        from mien.video.row_schema import columns

        self._labels = labels
        self._csv: csv.DictWriter[str] | None = None
        if format is PrintFormat.csv:
            self._csv = csv.DictWriter(sys.stdout, list(columns(labels)), lineterminator="\n")
            self._csv.writeheader()

    def add(self, result: FrameResult) -> None:
        """Print the faces of one photo or frame."""
        from mien.contract.plain_types import json_text
        from mien.video.row_schema import rows

        for row in rows(result, self._labels):
            if self._csv is None:
                sys.stdout.write(json_text(row, encoding=output_encoding()) + "\n")
            else:
                self._csv.writerow({**row, "accepted": {None: None, True: "true", False: "false"}[row["accepted"]]})


class Report:
    """What is printed: photos and the people of videos as tables at the end, or every result as it comes.

    Args:
        format: how.
        labels: emotions of the model.
        detector: its name.
        unreadable: sources that could not be found at all, for the closing line.
        out: the file that holds every row, if any; then a table of photos is cut after ``MOST_PHOTOS``.
    """

    def __init__(
        self,
        format: PrintFormat,
        labels: Sequence[str],
        detector: str,
        unreadable: int = 0,
        out: Path | None = None,
    ) -> None:
        self._labels, self._detector, self._out = labels, detector, out
        self._more_photos = self._crops = 0
        self._abstained = False
        self._json = JsonArray() if format is PrintFormat.json else None
        self._rows = RowPrinter(format, labels) if format in (PrintFormat.jsonl, PrintFormat.csv) else None
        self._began_s = time.monotonic()
        self._files = self._unreadable = unreadable
        self._faces = 0
        self._people: set[tuple[str, int]] = set()
        self._photos: list[FrameResult] = []
        self._videos: list[TrackSummary] = []

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        if self._json is not None:
            self._json.close()
        elif self._rows is None:
            self._print_tables()
        if self._files > 1:
            say(self.closing_line(time.monotonic() - self._began_s))

    def closing_line(self, took_s: float) -> str:
        """All of it in a line: "4,320 files: 3,900 faces, 576 unreadable, 45 s"."""
        parts = [f"{self._faces:,} {'face' if self._faces == 1 else 'faces'}"]
        if self._people:
            people = len(self._people)
            parts.append(f"{people:,} {'person' if people == 1 else 'people'} in videos")
        if self._unreadable:
            parts.append(f"{self._unreadable:,} unreadable")
        return f"{self._files:,} files: {', '.join(parts)}, {took_s:.0f} s"

    def _print_tables(self) -> None:
        if self._photos:
            console().print(results_table(self._photos))
        if self._more_photos:
            say(f"and {self._more_photos:,} more photos: all are in {self._out}")
        if self._videos:
            console().print(people_table(self._videos))
        if self._photos or self._videos:
            console().print(f"faces found by the detector {self._detector}", style="dim")
        if self._crops:
            say(
                f"no face found in {self._crops:,} of the images, which are at most {CROP_SIDE_PX} px wide and high, "
                "as face crops are; --detector none takes each image as one face"
            )
        if self._abstained:
            say("? the confidence is below the model's threshold, so it abstains")

    def take(self, item: Outcome) -> None:
        from mien.video.pipeline import RecognizedFrame
        from mien.video.track_summary import TrackSummary

        if not isinstance(item, RecognizedFrame):
            return
        result = item.result
        if result.t_s is None:
            self._faces += len(result.faces)
        else:
            self._people |= {(result.source, face.track_id) for face in result.faces if face.track_id is not None}
        if self._json is not None:
            self._json.add(result.to_dict())
        elif self._rows is not None:
            self._rows.add(result)
        elif result.t_s is None:
            self._take_photo(result)
        else:
            if not self._videos or self._videos[-1].source != result.source:
                self._videos.append(TrackSummary(result.source, self._labels))
            self._videos[-1].add(result)

    def _take_photo(self, result: FrameResult) -> None:
        if self._out is not None and len(self._photos) == MOST_PHOTOS:
            self._more_photos += 1
        else:
            self._photos.append(result)
        self._crops += not result.faces and max(result.width, result.height) <= CROP_SIDE_PX
        self._abstained |= any(not face.accepted for face in result.faces)

    def failed(self, item: Outcome) -> bool:
        """Say what an end or a note has to say; True where something could not be read."""
        from mien.video.sources import Note, SourceEnd

        if isinstance(item, Note):
            problem(item.text)
        if isinstance(item, SourceEnd):
            self._files += 1
            if item.error is not None:
                self._unreadable += 1
                problem(str(item.error))
                return True
        return False


def results_table(results: list[FrameResult]) -> Table:
    """One row a face: what it shows, how sure, what else it could be, where it is."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("image", overflow="fold", min_width=22)
    table.add_column("emotion", style="bold", no_wrap=True)
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("then", style="dim", no_wrap=True)
    table.add_column("box (px)", style="dim", no_wrap=True)
    for result in results:
        source = Text(_short(result.source))
        if not result.faces:
            table.add_row(source, Text("no face found", style="not bold dim"), "", "", "")
        for face in result.faces:
            second = sorted(face.scores, key=face.scores.__getitem__)[-2]
            emotion = Text(face.emotion) if face.accepted else Text(f"{face.emotion}?", style="not bold dim")
            corners = ",".join(f"{value:.0f}" for value in face.box_xyxy)
            table.add_row(source, emotion, f"{face.confidence:.0%}", f"{second} {face.scores[second]:.0%}", corners)
            source = Text("")
    return table


def _short(path: str, most: int = 20) -> str:
    """The end of a long path, cut between folders; the file's name is always whole, and --format json has it all."""
    kept = path
    while len(kept) > most and "/" in kept:
        kept = kept.partition("/")[2]
    return kept if kept == path else f"…/{kept}"


def scores_table(result: FrameResult) -> Table:
    """The whole distribution of the first face, a bar for each emotion."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mien.contract.emotion_colours import EMOTION_COLOURS, OTHER_COLOUR

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("emotion", justify="right")
    table.add_column("probability", min_width=32)
    table.add_column("", justify="right")
    for name, score in sorted(result.faces[0].scores.items(), key=lambda item: -item[1]):
        bar = "█" * int(score * 30) + ("▌" if score * 30 % 1 >= 0.5 else "")
        table.add_row(name, Text(bar, style=EMOTION_COLOURS.get(name, OTHER_COLOUR)), f"{score:.1%}")
    return table
