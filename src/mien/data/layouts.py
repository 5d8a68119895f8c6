"""Find out how a data set is laid out on disk: recognised by its files, or named by the user.

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
| ck+, raf-db, … | published_sets.py: read if the user names them, never recognised | |

The first four name their splits. "persons" is split by person (mien.data.persons), and mien makes a split for the
others (mien.data.splits). Any ``.csv`` of faces may be given by its path.

Every folder with images is a class, whatever its name; ``classes`` restricts and orders them. If most folders are named
after emotions and one is not, a line names that one, since it may be misspelt.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mien.contract.emotions import FER2013_EMOTIONS, FERPLUS_EMOTIONS, canonical, index_order
from mien.contract.errors import DataError
from mien.contract.image_kinds import left_out_line, readable_suffixes, unread_images
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
"""The layouts that are looked for, in this order."""

LAYOUTS = (*LOOKED_FOR, *PUBLISHED)


def find_source(
    root: Path,
    layout: str = "auto",
    *,
    classes: Sequence[str] | None = None,
    problem: Report,
    note: Report,
) -> Source:
    """Look at ``root`` and list what there is to read.

    Args:
        root: a folder, or a ``.csv`` file.
        layout: one of ``LAYOUTS``, or "auto" for the first that is there.
        classes: read these class folders alone, in this index order.
        problem: called with one line for each class folder that ``classes`` leaves out.
        note: called with one line for what is unusual but not wrong: an empty or unknown class, missing labels, a
            validation split in a folder named test, images of a format that is not read.

    Raises:
        DataError: there is nothing at ``root``, or not the layout that was named.
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
        return _tree(each, path, classes, problem, note)
    if (root / "test.csv").is_file():
        raise DataError(f"{root}: only the challenge's test.csv, which has no labels; add train.csv or fer2013.csv")
    looked = "train/<class>/, validation|val/<class>/ or test/<class>/ nor fer2013.csv in it"
    raise DataError(
        f"{root}: neither {looked}, nor two class folders with images"
        if layout == "auto"
        else f"{root}: not laid out as {layout!r}; leave the layout out to have it recognised"
    )


def _locate(root: Path, layout: str) -> Path | None:
    """The CSV file, or the folder that holds the split or class folders; None if ``root`` has not this layout."""
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


def _tree(layout: str, path: Path, classes: Sequence[str] | None, problem: Report, note: Report) -> Source:
    folders = [("", path)] if layout == "classes" else [(split, folder) for folder, split in _split_folders(path)]
    found = [(split, folder, list(_images(folder))) for split, above in folders for folder in _subfolders(above)]
    labels = tuple(map(canonical, classes)) if classes else _labels(found, note)
    for folder_name in sorted({folder.name for _, folder, _ in found}):
        if canonical(folder_name) in labels and canonical(folder_name) != folder_name.strip().lower():
            note(f"{path}: class folder {folder_name!r} is read as {canonical(folder_name)!r}")
    images: list[Image] = []
    renamed = 0
    for split, folder, files in found:
        name = canonical(folder.name)
        if name not in labels:
            if files:
                problem(f"{folder}: {len(files):,} images left out; the classes asked for are {', '.join(labels)}")
            continue
        if not files:
            note(f"{folder}: an empty class")
        for file in files:
            relative = os.path.relpath(file, path) if os.sep == "\\" else file[len(str(path)) :].lstrip("/")
            prefix = os.path.basename(file).partition("_")[0] + "_"
            own = MERGED_TEST_PREFIXES.get(prefix, split) if split == "test" else split
            renamed += own != split
            images.append(Image(relative.replace(os.sep, "/"), own, labels.index(name)))
    if renamed:
        note(
            f"{path}: {renamed:,} files in test/ are named PublicTest_…, FER2013's validation split, and are read as "
            "validation; --split test takes the folder as it is"
        )
    if left_out := sum((unread_images(folder) for _, folder, _ in found), Counter()):
        note(left_out_line(str(path), left_out))
    return Source(layout, path, labels, tuple(images))


def _labels(found: Sequence[tuple[str, Path, list[str]]], note: Report) -> tuple[str, ...]:
    """The classes: every folder that holds images, and each folder named after an emotion, even if it is empty."""
    known = {*FER2013_EMOTIONS, *FERPLUS_EMOTIONS}
    holding = {canonical(folder.name) for _, folder, files in found if files}
    names = holding | ({canonical(folder.name) for _, folder, _ in found} & known)
    own = sorted(holding - known)
    if own and 2 * len(names & known) > len(names):
        note(
            f"not among FER2013's or FER+'s emotions, so read as own classes: {', '.join(own)}; to leave them out: "
            f"--classes {','.join(index_order(names & known))}"
        )
    return index_order(names)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _split_folders(root: Path) -> Iterator[tuple[Path, str]]:
    for folder in _subfolders(root):
        if folder.name.lower() in SPLIT_FOLDERS:
            yield folder, SPLIT_FOLDERS[folder.name.lower()]


def _images(folder: Path) -> Iterator[str]:
    """Paths of all images at any depth, in order; hidden ones (as macOS writes into archives) left out."""
    suffixes = tuple(readable_suffixes())
    found: Iterable[str] = (
        os.path.join(parent, name)  # sorting Path objects takes five times as long
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(suffixes) and not name.startswith(".")
    )
    yield from sorted(found)
