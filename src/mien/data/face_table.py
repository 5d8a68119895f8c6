"""Further facts about each face, such as person or camera: a CSV with a column ``path`` and any others.

    table = read_face_table(Path("faces.csv"), faces.names_N, on_problem=print)
    table.columns["camera"]                  # text of each face, "" where the file says nothing
    table.units("person")                    # a number for each person

The path is relative to the folder of the data set. A file name alone is enough if it is unique.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DataError

PATH_COLUMN = "path"


@dataclass(frozen=True, eq=False)
class FaceTable:
    """Texts of each face.

    Attributes:
        file: where they come from.
        columns: by name, a text for each of the N faces, "" for none.
    """

    file: Path
    columns: Mapping[str, NDArray[np.str_]]

    def units(self, column: str) -> NDArray[np.int64]:
        """A number for each different text of a column. Each face without a text gets a number of its own.

        Raises:
            DataError: no such column.
        """
        if column not in self.columns:
            raise DataError(f"{self.file}: no column {column!r}; it has: {', '.join(self.columns)}")
        texts_N = self.columns[column]
        _, unit_N = np.unique(texts_N, return_inverse=True)
        alone_N = np.flatnonzero(texts_N == "")
        unit_N[alone_N] = unit_N.max(initial=0) + 1 + np.arange(len(alone_N))
        return np.asarray(unit_N, dtype=np.int64)


def read_face_table(
    file: Path, names_N: Sequence[str] | NDArray[np.str_], on_problem: Callable[[str], None] | None = None
) -> FaceTable:
    """Read the file and bring its rows into the order of the faces.

    Args:
        file: a CSV with a header.
        names_N: path of each face, relative to the data set.
        on_problem: called with one line if faces have no row, or rows no face.

    Raises:
        DataError: no such file, no column ``path``, no other column, or no row for any face.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
            header = [name.strip() for name in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: not a readable CSV ({error})") from None
    others = [name for name in header if name and name != PATH_COLUMN]
    if PATH_COLUMN not in header or not others:
        raise DataError(f"{file}: expected a header with {PATH_COLUMN!r} and other columns, got {header}")
    rows = [{str(name).strip(): value for name, value in row.items()} for row in rows]
    by_path = {_plain(row[PATH_COLUMN] or ""): at for at, row in enumerate(rows)}
    times = Counter(PurePosixPath(path).name for path in by_path)
    by_name = {PurePosixPath(path).name: at for path, at in by_path.items() if times[PurePosixPath(path).name] == 1}
    faces_named = Counter(PurePosixPath(str(name)).name for name in names_N)
    row_of: list[int | None] = []
    for name in map(str, names_N):
        short = PurePosixPath(name).name
        row_of.append(by_path.get(_plain(name), by_name.get(short) if faces_named[short] == 1 else None))
    found = {at for at in row_of if at is not None}
    if not found:
        raise DataError(f"{file}: no row is for any face of the data; its paths look like {next(iter(by_path), '')!r}")
    missing = sum(at is None for at in row_of)
    if on_problem is not None and (missing or len(found) < len(rows)):
        on_problem(f"{file}: {missing:,} faces have no row, {len(rows) - len(found):,} rows have no face")
    columns = {
        name: np.array(["" if at is None else (rows[at][name] or "").strip() for at in row_of], dtype=np.str_)
        for name in others
    }
    return FaceTable(file, columns)


def _plain(path: str) -> str:
    return path.strip().replace("\\", "/").removeprefix("./")
