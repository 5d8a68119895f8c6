"""The original FER2013 CSV -> faces: ``fer2013.csv`` (emotion,pixels,Usage) and ``icml_face_data.csv``.

    rows = read_fer_csv(Path("fer2013.csv"), on_problem=print)

The second differs in the order of its columns and in the spaces before their names. Other sets that Kaggle publishes
in this format (CK+ among them) read too, as far as their emotions are FER2013's seven.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError

COLUMNS = ("emotion", "pixels", "Usage")
USAGES = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
"""FER2013 calls its validation split PublicTest and its test split PrivateTest."""

CSV_SIDE = 48
"""Every row holds a face of 48 x 48; a row of another length is damaged."""

_GREY_LEVELS = {str(level): level for level in range(256)}  # twice as fast as int(), and refuses "-1", "256" and "1_0"


def parse_csv_row(row: Mapping[str, str]) -> tuple[NDArray[np.uint8], int, str]:
    """Turn one row of fer2013.csv into (face of 48 x 48 uint8, label index, split name).

    Args:
        row: text of the fields ``emotion``, ``pixels`` and ``Usage``; a short row lacks some.

    Raises:
        DataError: says which field is wrong and what was expected.
    """
    missing = [name for name in COLUMNS if not row.get(name, "").strip()]
    if missing:
        raise DataError(f"{', '.join(missing)} missing")
    emotion, usage = row["emotion"].strip(), row["Usage"].strip()
    if emotion not in map(str, range(len(FER2013_EMOTIONS))):
        raise DataError(f"emotion is {emotion[:20]!r}, expected 0..{len(FER2013_EMOTIONS) - 1}")
    if usage not in USAGES:
        raise DataError(f"Usage is {usage[:20]!r}, expected one of {', '.join(USAGES)}")
    try:
        levels = bytes(map(_GREY_LEVELS.__getitem__, row["pixels"].split()))
    except KeyError as error:
        raise DataError(f"pixels holds {error.args[0][:20]!r}, expected whole numbers 0..255") from None
    if len(levels) != CSV_SIDE**2:
        raise DataError(f"pixels has {len(levels)} values, expected {CSV_SIDE**2} ({CSV_SIDE} x {CSV_SIDE})")
    return np.frombuffer(levels, dtype=np.uint8).reshape(CSV_SIDE, CSV_SIDE), int(emotion), USAGES[usage]


def read_fer_csv(path: Path, on_problem: Callable[[str], None]) -> Iterator[tuple[int, NDArray[np.uint8], int, str]]:
    """Yield (line number from 1, face of 48 x 48 uint8, label index, split name) for each good row.

    Args:
        path: the CSV, UTF-8 with or without a byte order mark.
        on_problem: called with one line for each row left out; it names the file and the line.

    Raises:
        DataError: the three columns are not there.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = [name.strip() for name in _fields(file.readline(4096))]
        if not set(COLUMNS) <= set(header):
            found = ",".join(header)[:80] or "nothing"
            raise DataError(f"{path}: expected the columns {','.join(COLUMNS)}, found {found}")
        for line, text in enumerate(file, start=2):
            try:
                face, label, split = parse_csv_row(dict(zip(header, _fields(text), strict=False)))
            except DataError as error:
                on_problem(f"{path}: line {line}: {error}")
                continue
            yield line, face, label, split


def _fields(text: str) -> list[str]:
    """Split one line; each is parsed alone, so that an unclosed quote costs one row and not the rest of the file."""
    try:
        return next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:  # a field longer than the csv module takes
        return []
