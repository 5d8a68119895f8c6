"""Labelled photos of known persons, split so that no person is in two splits.

    images, labels = read_persons(Path("field-faces/"))

The layout "persons" is a file ``faces.csv``. Its columns ``path`` (relative to the file), ``emotion`` and ``person``
are read, other columns are ignored. Photos of one person share light, camera and face. So a split by picture would
reward a model for recognising the person instead of the expression.

**The fold of a person** depends on the name alone: SHA-256 of the name, modulo six.

0 and 3: "validation", a third of the persons. It serves to choose between models and to report their accuracy; nothing
    is trained or calibrated on it.
1: "calibration", on which probabilities, thresholds and the frequencies of the emotions are measured.
2, 4 and 5: "train", half of the persons.

So a person stays in the same fold when other persons are added, and is in the same fold of every data set.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from mien.contract.emotions import canonical, index_order
from mien.contract.errors import DataError

PERSONS_FILE = "faces.csv"
COLUMNS = ("path", "emotion", "person")

FOLDS = ("validation", "calibration", "train", "validation", "train", "train")
"""Split of a person by the hash of the name modulo six."""


class PersonsPhoto(NamedTuple):
    """One row of ``faces.csv``."""

    path: str
    emotion: str
    person: str
    source: str = ""


def fold_of(person: str) -> str:
    """The split of a person: "train", "calibration" or "validation"."""
    digest = hashlib.sha256(person.encode()).hexdigest()
    return FOLDS[int(digest, 16) % len(FOLDS)]


def has_persons(folder: Path) -> bool:
    """Whether ``folder`` holds a ``faces.csv`` with the columns that are needed."""
    try:
        with (folder / PERSONS_FILE).open(encoding="utf-8-sig", errors="replace", newline="") as file:
            header = next(csv.reader(file), [])
    except OSError:
        return False
    return set(COLUMNS) <= {name.strip() for name in header}


def read_persons(folder: Path, problem: Callable[[str], None]) -> tuple[list[PersonsPhoto], tuple[str, ...]]:
    """The photos that ``faces.csv`` lists, in its order, and their emotions in index order.

    Args:
        folder: the folder that holds the file.
        problem: called with one line for each row that is left out.

    Raises:
        DataError: there is no such file, or it has no usable row.
    """
    path = folder / PERSONS_FILE
    if not has_persons(folder):
        raise DataError(f"{path}: expected a file with the columns {', '.join(COLUMNS)}")
    photos: list[PersonsPhoto] = []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for line, row in enumerate(csv.DictReader(file, skipinitialspace=True), start=2):
            name, emotion, person, source = ((row.get(key) or "").strip() for key in (*COLUMNS, "source"))
            if not (name and emotion and person):
                problem(f"{path}: line {line}: expected a path, an emotion and a person, left out")
            elif Path(name).is_absolute() or ".." in Path(name).parts:
                problem(f"{path}: line {line}: {name} lies outside the folder, left out")
            else:
                photos.append(PersonsPhoto(name, canonical(emotion), person, source))
    if not photos:
        raise DataError(f"{path}: no usable row")
    return photos, index_order(photo.emotion for photo in photos)


def write_crops_of_persons(photos: Path, crops: Path, written: Mapping[str, str]) -> None:
    """Write the ``faces.csv`` of faces that were cut out of photos: the same rows and columns, with the crops' paths.

    Args:
        photos: folder of the photos and their ``faces.csv``.
        crops: folder of the crops.
        written: for each photo's path the path of its crop, relative to ``crops``. Rows of other photos are left out.
    """
    with (photos / PERSONS_FILE).open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = [row for row in csv.DictReader(file, skipinitialspace=True) if row["path"] in written]
    with (crops / PERSONS_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"path": written[row["path"]]} for row in rows)
