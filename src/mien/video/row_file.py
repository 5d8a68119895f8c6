"""Results as a file of rows: JSONL, CSV or Parquet, whole or marked partial, and able to go on where it stopped.

    with RowFile(Path("faces.parquet"), labels, settings) as out:
        out.add(result)                      # every photo or frame
        out.end("party.jpg")                 # after each source
        out.finish()                         # now faces.parquet appears

What could not be read is listed in ``faces.parquet.problems.jsonl``, if there was any.

Until ``finish`` the rows lie in ``faces.parquet.partial.jsonl``, one line each, with a line where each source ended. If
the run is cut off, however rudely, ``resume=True`` keeps all sources that were done and begins with the next one.

The columns are in row_schema.py. A file whose settings are known has them in a JSON file beside it (row_sidecar.py).
Memory does not depend on the length.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from mien.contract.atomic_files import make_folder, replacing, write_whole
from mien.contract.errors import MissingExtraError, OutputError
from mien.contract.plain_types import json_text, printable
from mien.contract.results import FrameResult
from mien.video.row_schema import SCHEMA_VERSION, arrow_schema, columns, rows
from mien.video.row_sidecar import check_place, sidecar_bytes, sidecar_path

SUFFIXES = (".jsonl", ".csv", ".parquet")

ROWS_AT_ONCE = 10_000
"""A row group of Parquet; 10 MB while it is made."""

_HEAD, _END = '{"mien_partial"', '{"end"'


class RowFile:
    """Writes one file of rows.

    Args:
        path: ending in .jsonl, .csv or .parquet. An older file there stays until the new one is whole.
        labels: emotions of the model.
        settings: what the results depend on; a run can only be resumed with the same. They are written to a JSON file
            beside the rows; None for no such file.
        resume: go on with what an interrupted run left.
        set_coverage: also write the set of emotions that holds the truth with this frequency; None for no such column.

    Raises:
        OutputError: another ending, a place that cannot be written, something left there while ``resume`` is False,
            something to resume that was made with other settings, or a foreign JSON file in the way.
        MissingExtraError: Parquet without pyarrow.
    """

    def __init__(
        self,
        path: Path,
        labels: Sequence[str],
        settings: Mapping[str, Any] | None = None,
        resume: bool = False,
        set_coverage: float | None = None,
    ) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise OutputError(f"{path}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
        if path.suffix.lower() == ".parquet":
            _load_pyarrow()
        self.path, self.labels, self._set_coverage = path, tuple(labels), set_coverage
        self._settings = settings
        if settings is not None:
            check_place(path)
        self.partial = path.with_name(f"{path.name}.partial.jsonl")
        self.done: dict[str, str | None] = {}
        """Sources that were done before, and what was wrong with them."""
        self._problems: dict[str, str] = {}
        head = {"mien_partial": SCHEMA_VERSION, "settings": {**(settings or {}), "labels": list(labels)}}
        make_folder(path.parent)
        with self._writing(), ExitStack() as unless_whole:
            self._file = unless_whole.enter_context(self.partial.open("a", encoding="utf-8"))
            _keep_others_out(self._file, self.partial)
            if self.partial.stat().st_size and not resume:
                raise OutputError(
                    f"{self.partial}: left by a run that was cut off; --resume goes on with it, or delete it first"
                )
            kept_bytes = self._read_partial(head)
            self._file.truncate(kept_bytes)
            if not kept_bytes:
                self._line(head)
            unless_whole.pop_all()

    def __enter__(self) -> RowFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, result: FrameResult) -> None:
        """Write the faces of one photo or frame."""
        with self._writing():
            for row in rows(result, self.labels, self._set_coverage):
                self._line(row)

    def end(self, source: str, problem: str | None = None) -> None:
        """Note that a source is done, as far as it could be read."""
        with self._writing():
            self._line({"end": source, "problem": problem})
            self._file.flush()
        if problem is not None:
            self._problems[source] = problem

    def finish(self) -> None:
        """Turn the partial file into the whole one.

        Raises:
            OutputError: it cannot be written; the partial file stays.
        """
        write = {".jsonl": self._jsonl, ".csv": self._csv, ".parquet": self._parquet}[self.path.suffix.lower()]
        with self._writing():
            self._file.close()
            with replacing(self.path) as beside:
                write(beside)
                self._tell_settings()
                self._note_problems()
            self.partial.unlink()

    def _note_problems(self) -> None:
        """Beside the whole file, what could not be read, so that ``--resume`` of it says so again."""
        problems = {source: told for source, told in self.done.items() if told is not None} | self._problems
        place = _problems_file(self.path)
        if problems:
            lines = (json_text({"source": source, "problem": told}) + "\n" for source, told in problems.items())
            write_whole(place, "".join(lines).encode())
        else:
            place.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave the partial file as it is, unless it was finished."""
        with self._writing():
            self._file.close()

    def _tell_settings(self) -> None:
        if self._settings is not None:
            sets = self._set_coverage is not None
            content = sidecar_bytes(self.path.name, self.labels, self._settings, sets)
            write_whole(sidecar_path(self.path), content)

    def _line(self, value: Mapping[str, Any]) -> None:
        self._file.write(json_text(value) + "\n")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kept = f"; what there is lies in {self.partial}" if self.partial.is_file() else ""
            raise OutputError(f"{self.path}: cannot be written ({error.strerror}){kept}") from None

    def _read_partial(self, head: Mapping[str, Any]) -> int:
        """Fill ``done``; returns the bytes up to the end of the last source that was done."""
        kept_bytes = at_byte = 0
        with self.partial.open("rb") as lines:
            for number, line in enumerate(lines):
                at_byte += len(line)
                if not line.endswith(b"\n"):
                    break  # torn
                if number == 0:
                    self._check_head(line, head)
                    kept_bytes = at_byte
                elif line.startswith(_END.encode()):
                    end = json.loads(line)
                    self.done[end["end"]] = end["problem"]
                    kept_bytes = at_byte
        return kept_bytes

    def _check_head(self, line: bytes, head: Mapping[str, Any]) -> None:
        try:
            before = json.loads(line)
            was, now = before["settings"], json.loads(json.dumps(head))["settings"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise OutputError(f"{self.partial}: is not what mien left of an interrupted run") from None
        changed = [name for name in {**was, **now} if was.get(name) != now.get(name)]
        if before.get("mien_partial") != SCHEMA_VERSION or changed:
            what = changed[0] if changed else "mien_partial"
            raise OutputError(
                f"{self.partial}: was begun with {what} {was.get(what)}, not {now.get(what)}; use that, or delete it"
            )

    def _lines(self) -> Iterator[str]:
        with self.partial.open(encoding="utf-8") as lines:
            yield from (line for line in lines if not line.startswith((_HEAD, _END)))

    def _jsonl(self, to: Path) -> None:
        with to.open("w", encoding="utf-8") as file:
            file.writelines(self._lines())

    def _csv(self, to: Path) -> None:
        with to.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            writer = csv.DictWriter(file, list(columns(self.labels, self._set_coverage is not None)))
            writer.writeheader()
            for line in self._lines():
                row = json.loads(line)
                writer.writerow({**row, "accepted": {None: None, True: "true", False: "false"}[row["accepted"]]})

    def _parquet(self, to: Path) -> None:
        arrow, parquet = _load_pyarrow()
        schema = arrow_schema(self.labels, self._set_coverage is not None)
        lines = self._lines()
        with parquet.ParquetWriter(to, schema) as writer:
            while group := [_readable(json.loads(line)) for line in islice(lines, ROWS_AT_ONCE)]:
                writer.write_table(arrow.Table.from_pylist(group, schema=schema))


def _keep_others_out(file: IO[str], path: Path) -> None:
    """Lock a file for as long as it is open. Only Unix has this lock; elsewhere nothing is checked.

    Raises:
        OutputError: another process writes it.
    """
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{path}: another mien is writing it; wait for its end, or give another --out") from None
    except OSError:  # a network file system without locks
        return


def _problems_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.problems.jsonl")


def read_problems(path: Path) -> dict[str, str]:
    """What could not be read, by source, in the run that wrote the whole file ``path``; empty where all was well."""
    try:
        lines = _problems_file(path).read_text(encoding="utf-8").splitlines()
        return {str(each["source"]): str(each["problem"]) for each in map(json.loads, lines)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise OutputError(f"{_problems_file(path)}: cannot be read; delete it, or start without --resume") from None


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Parquet holds valid UTF-8 only: a name of other bytes is escaped."""
    return row | {"source": printable(row["source"])}


def _load_pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MissingExtraError("pyarrow", "parquet") from None
    return pyarrow, pyarrow.parquet
