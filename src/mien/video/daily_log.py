"""The distributions of each day in a small SQLite file: sums of bins, no image, no person, no time of day.

    log = DailyLog(Path("mood.drift.db"), retention_days=90)
    log.add(card.name, "camera", [tally, …])
    log.read("base", labels, since=date(2026, 11, 1))      # one Tally of all these days
    log.days("base", labels)                               # {date: Tally}

Several processes may add to one file. Each call opens it and closes it again, so that it may be moved or deleted.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from mien.contract.distributions import Tally
from mien.contract.errors import StoreError

APPLICATION_ID = 0x6D696472
UNITS, FACES = "(appearances)", "(faces)"

MOST = 1e12
"""More faces than a camera sees in its life."""

DAMAGED = "damaged: holds values that mien does not write"

SCHEMA = """
CREATE TABLE IF NOT EXISTS bins (
    day TEXT NOT NULL, model TEXT NOT NULL, source TEXT NOT NULL, measure TEXT NOT NULL, bin INTEGER NOT NULL,
    weight REAL NOT NULL, PRIMARY KEY (day, model, source, measure, bin)
) WITHOUT ROWID
"""
ADD = """
INSERT INTO bins VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET weight = weight + excluded.weight
"""


def beside(path: Path) -> Path:
    """Where the distributions of a store or a log of rows lie: ``mood.drift.db`` beside ``mood.db``."""
    return path.with_name(f"{path.stem}.drift.db")


@dataclass(frozen=True)
class DailyLog:
    """A file of daily distributions.

    Attributes:
        path: of the file; made with the first appearance, readable by this user alone.
        retention_days: older days are deleted whenever something is added; None keeps all.
    """

    path: Path
    retention_days: float | None = None

    def add(self, model: str, source: str, tallies: Sequence[Tally], day: date | None = None) -> None:
        """Add appearances to a day.

        Args:
            model: name of the model.
            source: "camera" or "live".
            tallies: all with the model's labels.
            day: None for today.

        Raises:
            StoreError: the file cannot be written, or is something else.
        """
        if not tallies:
            return
        total = Tally(tallies[0].labels)
        for each in tallies:
            total.merge(each)
        on = date.today() if day is None else day
        rows = [(UNITS, 0, total.units), (FACES, 0, total.faces)]
        for measure, weights_B in total.weights.items():
            rows += [(measure, at, float(weight)) for at, weight in enumerate(weights_B) if weight]
        with self._open(write=True) as file:
            file.executemany(ADD, [(on.isoformat(), model, source, *row) for row in rows])
            if self.retention_days is not None:
                oldest = date.today() - timedelta(days=self.retention_days)
                file.execute("DELETE FROM bins WHERE day < ?", (oldest.isoformat(),))

    def models(self) -> tuple[str, ...]:
        """Names of the models in the file.

        Raises:
            StoreError: there is no such file, or it is something else.
        """
        with self._open() as file:
            names = [row[0] for row in file.execute("SELECT DISTINCT model FROM bins ORDER BY model")]
        if not all(isinstance(name, str) for name in names):
            raise StoreError(f"{self.path}: {DAMAGED}")
        return tuple(names)

    def days(
        self, model: str, labels: Sequence[str], since: date | None = None, source: str | None = None
    ) -> dict[date, Tally]:
        """The tally of each day, the oldest first.

        Args:
            model: name of the model.
            labels: its labels.
            since: the first day; None for all.
            source: "camera" or "live"; None for both.

        Raises:
            StoreError: there is no such file, it is something else, or was made with other labels.
        """
        query = "SELECT day, measure, bin, weight FROM bins WHERE model = ? AND day >= ? AND (? IS NULL OR source = ?)"
        first = "" if since is None else since.isoformat()
        found: dict[date, Tally] = {}
        with self._open() as file:
            for row in file.execute(f"{query} ORDER BY day", (model, first, source, source)):
                day, measure, at, weight = self._row(*row)
                tally = found.setdefault(day, Tally(labels))
                if measure == UNITS:
                    tally.units += weight
                elif measure == FACES:
                    tally.faces += weight
                elif measure in tally.weights and at < len(tally.weights[measure]):
                    tally.weights[measure][at] += weight
                else:
                    raise StoreError(f"{self.path}: was kept with other emotions than {', '.join(labels)}")
        return found

    def _row(self, day: object, measure: object, at: object, weight: object) -> tuple[date, str, int, float]:
        """A row as it was written; SQLite itself takes any value in any column."""
        try:
            on = date.fromisoformat(str(day))
        except ValueError:
            raise StoreError(f"{self.path}: {DAMAGED}") from None
        if not isinstance(measure, str) or not isinstance(at, int) or not isinstance(weight, float):
            raise StoreError(f"{self.path}: {DAMAGED}")
        if at < 0 or not 0 <= weight <= MOST:
            raise StoreError(f"{self.path}: {DAMAGED}")
        return on, measure, at, weight

    def read(self, model: str, labels: Sequence[str], since: date | None = None, source: str | None = None) -> Tally:
        """All days together; see ``days``."""
        total = Tally(labels)
        for tally in self.days(model, labels, since, source).values():
            total.merge(tally)
        return total

    @contextmanager
    def _open(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            if write:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileExistsError):
                    os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            elif not self.path.is_file():
                raise StoreError(f"{self.path}: no such file; mien serve and mien watch --log make one")
            with closing(sqlite3.connect(self.path, timeout=5)) as file, file:
                self._check(file, write)
                yield file
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from None
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: no file of daily distributions, or it cannot be used ({error})") from None

    def _check(self, file: sqlite3.Connection, write: bool) -> None:
        """Refuse another program's database before anything is written to it."""
        found = file.execute("PRAGMA application_id").fetchone()[0]
        empty = file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if found != APPLICATION_ID and not empty:
            raise StoreError(f"{self.path}: is no file of daily distributions")
        if write:
            file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            file.execute(SCHEMA)
        elif empty:
            raise StoreError(f"{self.path}: holds no day yet")
