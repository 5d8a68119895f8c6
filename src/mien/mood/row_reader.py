"""Read frames from the rows that ``mien predict video.mp4 --out faces.csv`` writes, to compute mood offline.

    for result in read_frames("faces.jsonl"): tracker.update(result)       # or .csv, or .parquet

Each row is one face: source, t_s, track_id, x1, y1, x2, y2, emotion, confidence, accepted, score_<emotion>. A frame
without a face is one row of nulls. The rows of one frame follow each other. The file does not hold the size of the
frames, so the width and height given here are just large enough for the boxes.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from mien.contract.errors import DataError, MissingExtraError
from mien.contract.results import Face, FrameResult

ROWS_AT_ONCE = 10_000
"""Rows of a Parquet file in memory."""

ROW_SUFFIXES = (".jsonl", ".csv", ".parquet")
"""What ``mien predict --out`` writes."""

TEXTS = ("source", "emotion", "emotions")
"""Columns of a CSV file that hold no numbers."""

_CSV_BOOLS = {"true": True, "false": False}


def read_frames(path: str | Path) -> Iterator[FrameResult]:
    """Yield the video frames of a file in order, one in memory at a time; skip rows of photos, which have no time.

    Args:
        path: ending in .csv or .parquet; any other file is read as JSONL.

    Raises:
        DataError: the file cannot be read, or a line is not such a row.
        MissingExtraError: Parquet without pyarrow.
    """
    for (source, t_s), rows in groupby(_rows(Path(path)), key=lambda row: (row["source"], row["t_s"])):
        found = list(rows)
        faces = tuple(row["face"] for row in found if row["face"] is not None)
        width, height = (max((math.ceil(face.box_xyxy[side]) for face in faces), default=1) for side in (2, 3))
        yield FrameResult(source, max(1, width), max(1, height), faces, t_s, found[0]["smoothing_s"])


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    begin, read, decode = _FORMATS.get(path.suffix.lower(), _FORMATS[".jsonl"])
    number = begin - 1
    try:
        for raw in read(path):
            number += 1
            row = decode(raw)
            if row["t_s"] is not None:
                t_s = float(row["t_s"])
                smoothing_s = float(row.get("smoothing_s") or 0.0)  # null where the frame has no face
                if not 0 <= smoothing_s < math.inf:
                    raise ValueError(f"expected smoothing_s of at least 0 seconds, got {smoothing_s}")
                yield {"source": str(row["source"]), "t_s": t_s, "face": _face(row), "smoothing_s": smoothing_s}
    except OSError as error:  # pyarrow's errors about files and content are OSError and ValueError too
        raise DataError(f"{path}: cannot be read ({error.strerror or ' '.join(str(error).split())})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file") from None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, csv.Error) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())  # Arrow's have lines
        raise DataError(f"{path}:{number}: not a row of mien predict --out ({reason})") from None


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        yield from lines


def _records(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        yield from csv.DictReader(lines)


def _table(path: Path) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise MissingExtraError("pyarrow", "parquet") from None
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            yield from batch.to_pylist()


def _typed(record: Mapping[str, str]) -> dict[str, Any]:
    """A line of a CSV file with its values' types; an empty field is a null."""
    if None in record or None in record.values():
        raise ValueError("not as many fields as the first line names")
    return {name: None if text == "" else text if name in TEXTS else _number(text) for name, text in record.items()}


def _number(text: str) -> Any:
    return _CSV_BOOLS[text] if text in _CSV_BOOLS else int(text) if text.isdecimal() else float(text)


_FORMATS: dict[str, tuple[int, Callable[[Path], Iterator[Any]], Callable[[Any], dict[str, Any]]]] = {
    ".jsonl": (1, _lines, json.loads),
    ".csv": (2, _records, _typed),
    ".parquet": (1, _table, dict),
}
"""The number of the first row, how rows are read, and how one becomes a dictionary."""


def _face(row: dict[str, Any]) -> Face | None:
    if row["emotion"] is None:
        return None
    scores = {name[6:]: value for name, value in row.items() if name.startswith("score_")}
    return Face(
        box_xyxy=(row["x1"], row["y1"], row["x2"], row["y2"]),
        detector_score=None,
        emotion=row["emotion"],
        confidence=row["confidence"],
        accepted=row["accepted"],
        scores=scores,
        track_id=row["track_id"],
    )
