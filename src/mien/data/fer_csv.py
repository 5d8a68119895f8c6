"""FER2013's CSVs -> faces: ``fer2013.csv`` (emotion,pixels,Usage), ``icml_face_data.csv``, the challenge's train.csv.

    rows = read_fer_csv(Path("fer2013.csv"), on_problem=print)

icml_face_data.csv has its columns in another order and spaces before their names. The challenge's train.csv has no
column Usage: its rows get the split "", and a split is made later. The challenge's test.csv has no labels, so it is
refused. Other sets in this format (such as CK+ on Kaggle) can be read if their emotions are FER2013's seven.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError

COLUMNS = ("emotion", "pixels", "Usage")
USAGES = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
"""FER2013 calls its validation split PublicTest and its test split PrivateTest."""

CSV_SIDE = 48
"""Every row holds a face of 48 x 48; a row of another length is damaged."""

# a table is twice as fast as int(), and it refuses "-1", "256" and "1_0"
_GREY_LEVELS = {str(level): level for level in range(256)}


def parse_csv_row(row: Mapping[str, str], columns: Sequence[str] = COLUMNS) -> tuple[NDArray[np.uint8], int, str]:
    """Turn one row of fer2013.csv into (face of 48 x 48 uint8, label index, split name).

    Args:
        row: text of the fields; a short row lacks some.
        columns: names of the columns that the row must have; without ``Usage`` the split is "".

    Raises:
        DataError: a field is wrong; the message names it and says what was expected.
    """
    missing = [name for name in columns if not row.get(name, "").strip()]
    if missing:
        raise DataError(f"{', '.join(missing)} missing")
    emotion = row["emotion"].strip()
    usage = row["Usage"].strip() if "Usage" in columns else ""
    if emotion not in map(str, range(len(FER2013_EMOTIONS))):
        raise DataError(f"emotion is {emotion[:20]!r}, expected 0..{len(FER2013_EMOTIONS) - 1}")
    if "Usage" in columns and usage not in USAGES:
        raise DataError(f"Usage is {usage[:20]!r}, expected one of {', '.join(USAGES)}")
    try:
        levels = bytes(map(_GREY_LEVELS.__getitem__, row["pixels"].split()))
    except KeyError as error:
        raise DataError(f"pixels holds {error.args[0][:20]!r}, expected whole numbers 0..255") from None
    if len(levels) != CSV_SIDE**2:
        raise DataError(f"pixels has {len(levels)} values, expected {CSV_SIDE**2} ({CSV_SIDE} x {CSV_SIDE})")
    return np.frombuffer(levels, dtype=np.uint8).reshape(CSV_SIDE, CSV_SIDE), int(emotion), USAGES.get(usage, "")


def read_fer_csv(
    path: Path, on_problem: Callable[[str], None], on_progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[int, NDArray[np.uint8], int, str]]:
    """Yield (line number from 1, face of 48 x 48 uint8, label index, split name) for each good row.

    The split is "" where the file has no Usage.

    Args:
        path: the CSV, UTF-8 with or without a byte order mark.
        on_problem: called with one line for each row left out; it names the file and the line.
        on_progress: called now and then with (approximate bytes read, bytes in all).

    Raises:
        DataError: a column is missing, or the file has no labels.
    """
    try:
        opened = path.open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    with opened as file:
        header = read_header(file)
        columns = [name for name in COLUMNS if name in header]
        if columns == ["pixels"]:
            raise DataError(
                f"{path}: has no labels (its columns: {', '.join(header)}), so there is nothing to learn or score; "
                "fer2013.csv and icml_face_data.csv hold the same faces with labels"
            )
        if columns[:2] != ["emotion", "pixels"]:
            found = ",".join(header)[:80] or "nothing"
            raise DataError(f"{path}: expected the columns {','.join(COLUMNS)}, found {found}")
        done, size = 0, path.stat().st_size
        for line, text in enumerate(file, start=2):
            done += len(text)
            if on_progress is not None and line % 512 == 0:
                on_progress(min(done, size), size)
            try:
                face, label, split = parse_csv_row(dict(zip(header, split_line(text), strict=False)), columns)
            except DataError as error:
                on_problem(f"{path}: line {line}: {error}")
                continue
            yield line, face, label, split


def read_header(file: TextIO) -> list[str]:
    """Column names of a CSV that was just opened, without the spaces that icml_face_data.csv puts before them."""
    return [name.strip() for name in split_line(file.readline(4096))]


def split_line(text: str) -> list[str]:
    """Split one line; each is parsed alone, so that an unclosed quote costs one row and not the rest of the file."""
    try:
        return next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:  # a field longer than the csv module takes
        return []
