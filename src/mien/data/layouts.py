"""Which data set is this? Layouts on disk, recognised by looking or named by the user.

    source = find_source(Path("fer2013/"), layout="auto")
    source.layout, source.path, source.labels

| layout        | looks like                                                    | published as |
|---------------|---------------------------------------------------------------|---|
| folders       | train/<class>/…, test/<class>/… (validation, valid, val too)  | Kaggle's FER2013 folder release |
| images        | images/train/<class>/…, images/validation/<class>/…           | Kaggle's face-expression-recognition |
| fer2013-csv   | fer2013.csv: emotion,pixels,Usage                             | FER2013 |
| icml-csv      | icml_face_data.csv: emotion, Usage, pixels                    | the challenge, reissued |
| challenge-csv | train.csv: emotion,pixels (test.csv has no labels)            | the challenge as it was held |
| persons       | faces.csv: path,emotion,person                                | photos of known persons |
| classes       | <class>/… with two or more folders of images                  | one's own |
| ck+, raf-db, … | published_sets.py: read by name, never recognised by looking | |

The first four name their splits, "persons" is split by person (mien.data.persons); for the others a split is made
(mien.data.splits). Any ``.csv`` of faces may be given by its path.

A tree most of whose class folders are known emotions is taken to be about emotions: a folder with another name
(``__MACOSX``, a misspelling) is a problem and left out, unless ``classes`` names it. A tree of other names is read as
it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mien.contract.emotions import FER2013_EMOTIONS, FERPLUS_EMOTIONS, canonical, index_order
from mien.contract.errors import DataError
from mien.data.face_images import IMAGE_SUFFIXES
from mien.data.persons import fold_of, has_persons, read_persons
from mien.data.published_sets import PUBLISHED, find_published
from mien.data.source import Image, Report, Source

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
MERGED_TEST_PREFIXES = {"PublicTest_": "validation", "PrivateTest_": "test"}
"""Kaggle's folder release keeps both of FER2013's held-out splits in ``test/``; the file names tell them apart."""

CSV_LAYOUTS = {"fer2013-csv": "fer2013.csv", "icml-csv": "icml_face_data.csv", "challenge-csv": "train.csv"}
LOOKED_FOR = ("folders", "images", *CSV_LAYOUTS, "persons", "classes")
"""In the order in which they are looked for."""

LAYOUTS = (*LOOKED_FOR, *PUBLISHED)


def find_source(
    root: Path,
    layout: str = "auto",
    *,
    classes: Sequence[str] | None = None,
    keep_unknown: bool = False,
    problem: Report,
    note: Report,
) -> Source:
    """Look at ``root`` and list what there is to read.

    Args:
        root: a folder, or a ``.csv`` file.
        layout: one of ``LAYOUTS``, or "auto" for the first that is there.
        classes: read these class folders alone, in this index order.
        keep_unknown: also read class folders that are no known emotion.
        problem: called with one line for each class folder left out.
        note: called with one line for what is unusual but not wrong: an empty class, labels that are missing.

    Raises:
        DataError: nothing there, or not the layout that was named.
    """
    if layout not in ("auto", *LAYOUTS):
        raise DataError(f"no layout {layout!r}; there are: auto, {', '.join(LAYOUTS)}")
    if not root.exists():
        raise DataError(f"{root}: no such file or folder; expected a FER2013 folder tree or fer2013.csv")
    if layout in PUBLISHED:
        return find_published(root, layout, problem=problem, note=note)
    if root.is_file():
        if root.suffix.lower() != ".csv":
            raise DataError(f"{root}: expected a folder or a .csv file; unpack an archive first")
        if layout not in ("auto", *CSV_LAYOUTS):
            raise DataError(f"{root}: a file, where layout {layout!r} needs a folder")
        named = next((each for each, name in CSV_LAYOUTS.items() if name == root.name.lower()), "fer2013-csv")
        return Source(named if layout == "auto" else layout, root, FER2013_EMOTIONS)
    for each in LOOKED_FOR if layout == "auto" else (layout,):
        path = _locate(root, each)
        if path is None:
            continue
        if path.is_file():
            if each == "challenge-csv" and path.with_name("test.csv").is_file():
                note(f"{path.with_name('test.csv')}: has no labels, not read")
            return Source(each, path, FER2013_EMOTIONS)
        if each == "persons":
            return _of_persons(path, classes, problem)
        return _tree(each, path, classes, keep_unknown, problem, note)
    if (root / "test.csv").is_file():
        raise DataError(f"{root}: only the challenge's test.csv, which has no labels; add train.csv or fer2013.csv")
    looked = "train/<class>/, validation|val/<class>/ or test/<class>/ nor fer2013.csv in it"
    raise DataError(
        f"{root}: neither {looked}, nor two class folders with images"
        if layout == "auto"
        else f"{root}: not laid out as {layout!r}; leave the layout out to have it recognised"
    )


def _locate(root: Path, layout: str) -> Path | None:
    """The CSV file, or the folder that holds the split or class folders; None where this layout is not."""
    if layout in CSV_LAYOUTS:
        candidates = (root / CSV_LAYOUTS[layout], root / "fer2013" / CSV_LAYOUTS[layout])
        return next((path for path in candidates if path.is_file()), None)
    if layout == "persons":
        return root if has_persons(root) else None
    if layout == "classes":
        return root if sum(1 for folder in _subfolders(root) if next(_images(folder), None)) >= 2 else None
    nested = ("images",) if layout == "images" else ("", "fer2013")
    folders = (root / name for name in nested)
    return next((path for path in folders if path.is_dir() and any(_split_folders(path))), None)


def _of_persons(path: Path, classes: Sequence[str] | None, problem: Report) -> Source:
    photos, known = read_persons(path, problem)
    labels = tuple(map(canonical, classes)) if classes else known
    images = tuple(
        Image(photo.path, fold_of(photo.person), labels.index(photo.emotion))
        for photo in photos
        if photo.emotion in labels
    )
    return Source("persons", path, labels, images)


def _tree(
    layout: str, path: Path, classes: Sequence[str] | None, keep_unknown: bool, problem: Report, note: Report
) -> Source:
    folders = [("", path)] if layout == "classes" else [(split, folder) for folder, split in _split_folders(path)]
    found = [(split, folder) for split, above in folders for folder in _subfolders(above)]
    names = {canonical(folder.name) for _, folder in found}
    wanted = names if keep_unknown and not classes else _wanted(names, classes)
    for folder_name in sorted({folder.name for _, folder in found}):
        if canonical(folder_name) in wanted and canonical(folder_name) != folder_name.strip().lower():
            note(f"{path}: class folder {folder_name!r} is read as {canonical(folder_name)!r}")
    labels = tuple(map(canonical, classes)) if classes else index_order(wanted)
    images: list[Image] = []
    for split, folder in found:
        name = canonical(folder.name)
        files = list(_images(folder))
        if name not in wanted:
            problem(
                f"{folder}: unknown class {folder.name!r}, {len(files):,} images left out; expected "
                f"{', '.join(labels)} (name the classes to read others)"
            )
            continue
        if not files:
            note(f"{folder}: an empty class")
        for file in files:
            relative = os.path.relpath(file, path) if os.sep == "\\" else file[len(str(path)) :].lstrip("/")
            prefix = os.path.basename(file).partition("_")[0] + "_"
            own = MERGED_TEST_PREFIXES.get(prefix, split) if split == "test" else split
            images.append(Image(relative.replace(os.sep, "/"), own, labels.index(name)))
    return Source(layout, path, labels, tuple(images))


def _wanted(names: set[str], classes: Sequence[str] | None) -> set[str]:
    if classes:
        return {canonical(name) for name in classes}
    known = names & {*FER2013_EMOTIONS, *FERPLUS_EMOTIONS}
    return known if 2 * len(known) > len(names) else names


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _split_folders(root: Path) -> Iterator[tuple[Path, str]]:
    for folder in _subfolders(root):
        if folder.name.lower() in SPLIT_FOLDERS:
            yield folder, SPLIT_FOLDERS[folder.name.lower()]


def _images(folder: Path) -> Iterator[str]:
    """Paths of all images at any depth, in order; hidden ones (as macOS writes into archives) left out."""
    found: Iterable[str] = (
        os.path.join(parent, name)  # strings: sorting 32 k Path objects costs as much as reading 5 k faces
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")
    )
    yield from sorted(found)
