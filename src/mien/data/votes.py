"""FER+: ten people's votes on each face, and the targets to be made of them (Barsoum et al. 2016, arXiv:1608.01041).

    faces = load_faces("fer2013/", votes="ferplus.csv")
    majority(faces.votes_NC)                     # index into VOTES, -1 where no column has more than half
    probability(faces.votes_NC)                  # shares
    multi_target(faces.votes_NC)                 # 0/1: every column with 30 % or more

There are ten columns: FER+'s eight emotions, "unknown", and "not a face" (NF in the files). This module never drops
the last two; the caller decides about them. A face without a row in the file has ten zeros, and its targets are zeros.

**To FER2013's seven.** neutral, happiness, surprise, sadness, anger, disgust and fear are neutral, happy, surprise,
sad, angry, disgust and fear. contempt, unknown and not-a-face have no counterpart. ``to_labels`` returns their share of
the votes, because a face that half the people called contempt is no sure example of another emotion.

Two files: Microsoft's ``fer2013new.csv`` (a row for each row of fer2013.csv, in the same order) and the by-file
``ferplus.csv`` (columns file, fer_row, usage, then the votes).

Shape legend: N faces, V = 10 columns of votes, C classes of a data set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.contract.errors import DataError
from mien.data.faceset import FaceSet
from mien.data.fer_csv import USAGES, read_header, split_line

VOTES: tuple[str, ...] = (*FERPLUS_EMOTIONS, "unknown", "not a face")
"""The answers that people could vote for, in the column order of both files."""

FILE_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
VOTE_FILES = ("fer2013new.csv", "ferplus.csv")
"""Names under which votes are looked for beside a data set."""

SHARE_MULTI_TARGET = 0.3
"""Share of the votes from which on a face counts as showing an emotion, after Barsoum et al."""


def without_outliers(votes_NV: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Set counts of one to zero, as the reference code does before it makes any target."""
    return np.where(votes_NV <= 1, np.uint8(0), votes_NV)


def majority(votes_NV: NDArray[np.uint8], threshold: float = 0.5) -> NDArray[np.int64]:
    """Index into ``VOTES`` of the column with more than ``threshold`` of the votes; -1 for none, a tie or no votes.

    Args:
        votes_NV: counts.
        threshold: share 0..1; 0 asks only for more votes than any other column.
    """
    total_N = votes_NV.sum(axis=1, dtype=np.int64)
    most_N = votes_NV.max(axis=1).astype(np.int64)
    alone_N = (votes_NV == most_N[:, None]).sum(axis=1) == 1
    sure_N = alone_N & (most_N > threshold * total_N)
    return np.where(sure_N, votes_NV.argmax(axis=1), -1).astype(np.int64)


def probability(votes_NV: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Shares of the votes, rows summing to 1; a row of zeros for a face without votes."""
    total_N1 = votes_NV.sum(axis=1, dtype=np.float64)[:, None]
    shares_NV: NDArray[np.float64] = votes_NV / np.maximum(total_N1, 1)
    return shares_NV


def multi_target(votes_NV: NDArray[np.uint8], threshold: float = SHARE_MULTI_TARGET) -> NDArray[np.float64]:
    """1 for every column with at least ``threshold`` of the votes, else 0."""
    return ((probability(votes_NV) >= threshold) & (votes_NV > 0)).astype(np.float64)


def by_votes(faces: FaceSet) -> FaceSet:
    """The faces on which more than half of FER+'s taggers agree on an emotion, labelled with it, one of eight.

    Counts of one are set to zero first, as in the paper's reference code.

    Raises:
        DataError: the set has no votes, or no face is left.
    """
    if faces.votes_NC is None:
        raise DataError("this data set has no FER+ votes; give their file with --votes")
    column_N = majority(without_outliers(faces.votes_NC))
    kept_M = np.flatnonzero((column_N >= 0) & (column_N < len(FERPLUS_EMOTIONS)))
    if not len(kept_M):
        raise DataError("no face has an emotion that more than half of the taggers agree on")
    return replace(faces.take(kept_M), labels_N=column_N[kept_M], labels=FERPLUS_EMOTIONS)


def to_labels(target_NV: NDArray[np.float64], labels: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bring targets over ten columns to the classes of a data set, by name.

    Args:
        target_NV: of ``probability`` or ``multi_target``.
        labels: class names, such as FER2013's seven; a class that FER+ lacks gets zeros.

    Returns:
        The target (N, C), each row divided by its sum (zeros stay zeros), and the share (N,) of the row's weight that
        had no counterpart among ``labels``.
    """
    columns = [VOTES.index(name) if name in VOTES else None for name in labels]
    kept_NC = np.stack(
        [np.zeros(len(target_NV)) if column is None else target_NV[:, column] for column in columns], axis=1
    )
    kept_N, all_N = kept_NC.sum(axis=1), target_NV.sum(axis=1)
    left_over_N = np.where(all_N > 0, 1 - kept_N / np.maximum(all_N, 1e-12), 0.0)
    return kept_NC / np.where(kept_N > 0, kept_N, 1.0)[:, None], left_over_N


def find_votes(places: Sequence[Path]) -> Path | None:
    """The first file of votes in one of the folders."""
    return next((path for place in places for name in VOTE_FILES if (path := place / name).is_file()), None)


def read_votes(path: Path, names: Sequence[str]) -> NDArray[np.uint8]:
    """Read the votes for faces that were already read.

    Args:
        path: either file; told apart by the columns.
        names: of the faces, as in ``FaceSet.names_N``: paths whose last part is in the column ``file``, or "row 12"
            for the twelfth line of a CSV, found by the row's place or by ``fer_row``.

    Returns:
        uint8 (N, 10). A face has zeros if the file has no row for it, or if two faces or two rows share its name.
        FER2013's folders have two such names, each in two classes.

    Raises:
        DataError: not such a file, a damaged row, or no face found in it.
    """
    by_key: dict[str, tuple[int, ...]] = {}
    rows_of: Counter[str] = Counter()
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = read_header(file)
        if not set(FILE_COLUMNS) <= set(header):
            raise DataError(f"{path}: expected the columns {', '.join(FILE_COLUMNS)}, found {','.join(header)[:80]}")
        for line, text in enumerate(file, start=2):
            row = dict(zip(header, map(str.strip, split_line(text)), strict=False))
            counts = [row.get(name, "") for name in FILE_COLUMNS]
            usage = row.get("usage", row.get("Usage", ""))
            if not all(count.isascii() and count.isdigit() and len(count) < 4 and int(count) < 256 for count in counts):
                raise DataError(
                    f"{path}: line {line}: expected ten whole numbers of votes, got {', '.join(counts)[:60]}"
                )
            if usage not in USAGES:
                raise DataError(f"{path}: line {line}: Usage is {usage[:20]!r}, expected one of {', '.join(USAGES)}")
            votes = tuple(map(int, counts))
            number = row.get("fer_row", "")
            given = number.isascii() and number.isdigit() and len(number) < 10  # int() refuses 4,300 digits, and "²"
            by_key[f"row {int(number) + 2 if given else line}"] = votes
            if row.get("file"):
                by_key[row["file"]] = votes
                rows_of[row["file"]] += 1
    none = (0,) * len(VOTES)
    keys = [name.rpartition("/")[2] for name in names]
    faces_of = Counter(keys)
    votes_NV = np.array(
        [by_key.get(key, none) if faces_of[key] == 1 and rows_of[key] <= 1 else none for key in keys], dtype=np.uint8
    )
    if not votes_NV.any():
        what = "rows of fer2013.csv" if "file" not in header else "these file names"
        raise DataError(f"{path}: holds votes for none of the faces (it goes by {what})")
    return votes_NV.reshape(-1, len(VOTES))
