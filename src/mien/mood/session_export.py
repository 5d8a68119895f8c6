"""Write a session as JSON, CSV or Parquet: one row for each second and person.

Columns: session, time (ISO 8601, UTC), second (since 1970), track_id, n, label, confidence, valence, arousal,
stress_index, stress_low, stress_high, stress_level, coverage, baseline, and score_<class> for every class. JSON
also holds the session, the note about the index, and the scores by name; Parquet holds the session and the note in its
metadata.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from mien.contract.atomic_files import writing_whole
from mien.contract.emotions import index_order
from mien.contract.errors import MissingExtraError, StoreError
from mien.mood.rows import Session
from mien.mood.seconds import Second
from mien.mood.stress import NOTE

FORMATS = ("json", "csv", "parquet")

SECOND_FIELDS = (
    "track_id, n, label, confidence, valence, arousal, stress_index, stress_low, stress_high, stress_level, coverage, "
    "baseline"
).split(", ")


def write_session(session: Session, rows: Sequence[Second], to: str | Path | BinaryIO, format: str) -> None:
    """Write a session's rows; see ``MoodStore.export``."""
    if format not in FORMATS:
        raise StoreError(f"no export format {format!r}; there are {', '.join(FORMATS)}")
    write = {"json": _json, "csv": _csv, "parquet": _parquet}[format]
    if not isinstance(to, str | Path):
        write(session, rows, to)
        return
    with writing_whole(Path(to)) as beside, beside.open("wb") as stream:
        write(session, rows, stream)


def flat_rows(session: Session, rows: Sequence[Second]) -> list[dict[str, Any]]:
    """Rows with one value in each column and one column for each class; None where a row lacks a class."""
    found = {name for row in rows for name in row.scores}
    names = index_order(found) if set(index_order(found)) == found else sorted(found)
    return [_head(session, row) | {f"score_{name}": row.scores.get(name) for name in names} for row in rows]


def _head(session: Session, row: Second) -> dict[str, Any]:
    when = datetime.fromtimestamp(row.second, UTC).isoformat()
    head = {"session": session.id, "time": when, "second": row.second}
    return head | {name: getattr(row, name) for name in SECOND_FIELDS}


def _json(session: Session, rows: Sequence[Second], stream: BinaryIO) -> None:
    """One row on each line: readable, and written without a second copy in memory."""
    head = json.dumps({"session": session.to_dict(), "note": NOTE}, ensure_ascii=False, allow_nan=False)
    stream.write(f'{head[:-1]}, "seconds": ['.encode())
    for number, row in enumerate(rows):
        plain = _head(session, row) | {"scores": dict(row.scores)}
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
        stream.write(f"{',' if number else ''}\n{text}".encode())
    stream.write(b"\n]}\n")


def _csv(session: Session, rows: Sequence[Second], stream: BinaryIO) -> None:
    flat = flat_rows(session, rows)
    columns = list(flat[0]) if flat else ["session", "time", "second", *SECOND_FIELDS]
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    table = csv.DictWriter(text, columns)
    table.writeheader()
    table.writerows(flat)
    text.flush()
    text.detach()  # the caller closes the stream


def _parquet(session: Session, rows: Sequence[Second], stream: BinaryIO) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise MissingExtraError("pyarrow", "parquet") from None

    whole = {"session", "second", "track_id", "n"}
    texts = {"time", "label", "stress_level", "baseline"}
    flat = flat_rows(session, rows)
    columns = list(flat[0]) if flat else ["session", "time", "second", *SECOND_FIELDS]
    kinds = [pa.int64() if c in whole else pa.string() if c in texts else pa.float64() for c in columns]
    facts = {"session": json.dumps(session.to_dict(), ensure_ascii=False), "note": NOTE}
    schema = pa.schema(list(zip(columns, kinds, strict=True)), metadata=facts)
    pq.write_table(pa.Table.from_pylist(flat, schema=schema), stream)
