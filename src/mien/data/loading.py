"""Bytes on disk -> FaceSet, whatever the layout.

    faces = load_faces("~/.cache/mien/fer2013")                   # train/angry/*.jpg, validation/…
    faces = load_faces("fer2013.csv", votes="fer2013new.csv")     # emotion,pixels,Usage, and FER+'s votes
    faces = load_faces("my-photos/")                              # angry/*.jpg, …: a split is made

A file or row that cannot be read is reported in one line, and reading goes on; with ``strict=True`` the first one
raises. Not here: which layouts there are (layouts.py); face detection, since each image must be filled by its face; the
cache (cache.py).

Shape legend: S side of a face in pixels.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DataError
from mien.data.face_images import Shape, VanishedError, read_face, read_grey, whole
from mien.data.faceset import FaceSet
from mien.data.fer_csv import CSV_SIDE, read_fer_csv
from mien.data.layouts import find_source
from mien.data.source import Report, Source
from mien.data.splits import DEFAULT_SHARES, make_split
from mien.data.votes import find_votes, read_votes

__all__ = ["Progress", "Request", "load_faces", "read_grey"]

Progress = Callable[[int, int], None]
"""Called with (faces done, faces in all); for a CSV, with (bytes read, bytes in all)."""

PROGRESS_EVERY = 512


class Row(NamedTuple):
    """One face as it is read."""

    face_SS: NDArray[np.uint8]
    label: int
    split: str
    name: str
    shape: Shape


class Request(NamedTuple):
    """Which data set to read, and how to read it.

    Attributes:
        root: a folder or a ``.csv``; see mien.data.layouts.
        side: pixels of each face's side; images of another size are resampled, CSV faces too.
        layout: a name from mien.data.layouts, or "auto".
        classes: read these class folders alone, in this index order.
        votes: FER+'s file; "auto" for one that lies beside the data, None for none.
        shares: of the split that is made where the data names none.
    """

    root: Path
    side: int = 48
    layout: str = "auto"
    classes: Sequence[str] | None = None
    votes: str | Path | None = "auto"
    shares: Mapping[str, float] = DEFAULT_SHARES

    def votes_file(self, source: Source) -> Path | None:
        """The file of votes to read, if any."""
        if self.votes is None:
            return None
        if self.votes == "auto":
            return find_votes([source.path if source.path.is_dir() else source.path.parent, self.root])
        path = Path(self.votes).expanduser()
        if not path.is_file():
            raise DataError(f"{path}: no such file of votes")
        return path


def load_faces(
    root: str | Path,
    *,
    side: int = 48,
    strict: bool = False,
    on_problem: Report | None = None,
    layout: str = "auto",
    classes: Sequence[str] | None = None,
    votes: str | Path | None = "auto",
    shares: Mapping[str, float] = DEFAULT_SHARES,
    on_progress: Progress | None = None,
) -> FaceSet:
    """Read a data set into memory.

    A class is a folder, also when it is empty. Files that are not images are ignored.

    Args:
        root: a folder or a ``.csv`` file.
        side: pixels of each face's side; images of another size are resampled, CSV faces too.
        strict: raise DataError on the first unreadable file or row instead of going on without it.
        on_problem: called with one line for each file, folder or row that was left out or looks unusual.
        layout: a name from ``mien.data.layouts.LAYOUTS``; "auto" recognises it by looking.
        classes: read these class folders alone, in this index order.
        votes: FER+'s ``fer2013new.csv`` or ``ferplus.csv``; "auto" takes one that lies beside the data, None none.
        shares: of the split that is made where the data names none.
        on_progress: called now and then with (done, in all).

    Raises:
        DataError: nothing there, not a known layout, or nothing readable in it.
    """
    note = on_problem or _silent

    def problem(line: str) -> None:
        if strict:
            raise DataError(line)
        note(line)

    request = Request(Path(root).expanduser(), side, layout, classes, votes, shares)
    source = find_source(request.root, layout, classes=classes, problem=problem, note=note)
    pixels = io.BytesIO()
    table = write_faces(source, side, pixels, problem, on_progress)
    faces_NHW = np.frombuffer(pixels.getbuffer(), dtype=np.uint8).reshape(-1, side, side)
    return finish(request, source, table, faces_NHW)


class Table:
    """Everything of a set but its pixels, filled while the set is read."""

    def __init__(self) -> None:
        self.labels: list[int] = []
        self.splits: list[str] = []
        self.names: list[str] = []
        self.shapes: list[Shape] = []
        self.vanished = 0  # files that were listed and could not be opened


def write_faces(
    source: Source, side: int, pixels: BinaryIO, problem: Report, on_progress: Progress | None = None
) -> Table:
    """Read every face, write its pixels to ``pixels`` one after the other, and return the rest."""
    table = Table()
    for row in _rows(source, side, table, problem, on_progress or _no_progress):
        pixels.write(np.ascontiguousarray(row.face_SS).data)
        table.labels.append(row.label)
        table.splits.append(row.split)
        table.names.append(row.name)
        table.shapes.append(row.shape)
    return table


def finish(request: Request, source: Source, table: Table, faces_NHW: NDArray[np.uint8]) -> FaceSet:
    """Combine pixels, labels and votes into a set; make a split if the data has none."""
    if not table.names:
        raise DataError(f"{request.root}: no readable face found")
    votes = request.votes_file(source)
    faces = FaceSet(
        faces_NHW,
        np.array(table.labels, dtype=np.int64),
        np.array(table.splits, dtype=np.str_),
        source.labels,
        np.array(table.names, dtype=np.str_),
        None if votes is None else read_votes(votes, table.names),
        np.array(table.shapes, dtype=np.int32),
    )
    return faces if any(table.splits) else make_split(faces, request.shares)


def _rows(source: Source, side: int, table: Table, problem: Report, on_progress: Progress) -> Iterator[Row]:
    if source.path.is_file():
        for line, face, label, split in read_fer_csv(source.path, problem, on_progress):
            yield Row(whole(face, side), label, split, f"row {line}", (CSV_SIDE, CSV_SIDE, 1))
        return
    for done, image in enumerate(source.images, start=1):
        if done % PROGRESS_EVERY == 0 or done == len(source.images):
            on_progress(done, len(source.images))
        try:
            face, shape = read_face(source.path / image.file, side, image.box_xyxy)
        except DataError as error:
            table.vanished += isinstance(error, VanishedError)
            problem(str(error))
            continue
        yield Row(face, image.label, image.split, image.file, shape)


def _silent(line: str) -> None:
    """Ignore a problem: the default of ``on_problem``."""


def _no_progress(done: int, total: int) -> None:
    """Where nobody watches."""
