"""Bytes on disk -> FaceSet: class-folder trees and the original FER2013 CSV, told apart by looking.

    faces = load_faces("~/.cache/mien/fer2013")          # train/angry/*.jpg, validation/…
    faces = load_faces("fer2013.csv")                    # emotion,pixels,Usage

Bad files and rows are collected as problems, one line each; the rest is read. ``strict=True`` raises on the first.
Not here: face detection (a folder holds faces that fill their frame), caching, votes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mien.contract.emotions import FER2013_EMOTIONS, canonical, index_order
from mien.contract.errors import DataError
from mien.contract.pixels import crop_faces
from mien.data.faceset import FaceSet
from mien.data.fer_csv import read_fer_csv

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
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

NESTED = ("", "fer2013", "images", "fer2013.csv", "icml_face_data.csv", "fer2013/fer2013.csv")
"""Where an unpacked download keeps the data, below the folder that was unpacked into."""

Report = Callable[[str], None]


def load_faces(root: str | Path, *, side: int = 48, strict: bool = False, on_problem: Report | None = None) -> FaceSet:
    """Read a data set into memory.

    A class is a folder under a split, also when it is empty. Files that are not images are ignored.

    Args:
        root: a folder with ``train/<class>/…`` (and ``validation|val|test/<class>/…``), or a ``.csv`` file, or a
            folder that holds ``fer2013.csv``.
        side: pixels of each face's side; images of another size are resampled, CSV faces too.
        strict: raise DataError on the first unreadable file or row instead of going on without it.
        on_problem: called with one line for each file or row left out.

    Raises:
        DataError: nothing there, not a known layout, or nothing readable in it.
    """

    def problem(line: str) -> None:
        if strict:
            raise DataError(line)
        if on_problem is not None:
            on_problem(line)

    path = _locate(Path(root).expanduser())
    faces = _load_csv(path, side, problem) if path.is_file() else _load_folders(path, side, problem)
    if not len(faces):
        raise DataError(f"{root}: no readable face found")
    return faces


def read_grey(path: str | Path, side: int) -> NDArray[np.uint8]:
    """Read an image file, upright, as a grey (side, side) uint8 array.

    An image that is not square is made so as any box is: its edge repeats along the shorter axis.

    Raises:
        DataError: names the file and says why it cannot be read.
    """
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):  # Pillow would clip all above 255 to white
                raise DataError(f"{path}: not a readable image (mode {image.mode}, expected 8 bits per channel)")
            upright = ImageOps.exif_transpose(image) if "exif" in image.info else image
            pixels = np.asarray(upright if upright.mode in ("L", "RGB") else upright.convert("RGB"))
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{path}: not a readable image (unknown format or empty file)") from None
    except Exception as error:  # a damaged file raises whatever its parser met: struct.error, IndexError, OSError, …
        raise DataError(f"{path}: not a readable image ({error})") from error
    return _whole(pixels, side)


def _whole(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The whole image as a grey (side, side) face; one that is that already is passed on."""
    if pixels.shape == (side, side):
        return pixels
    height, width = pixels.shape[:2]
    face_SS: NDArray[np.uint8] = crop_faces(pixels, [(0, 0, width, height)], side)[0]
    return face_SS


def _locate(root: Path) -> Path:
    """Return the CSV file, or the folder that holds the split folders."""
    if not root.exists():
        raise DataError(f"{root}: no such file or folder; expected a FER2013 folder tree or fer2013.csv")
    if root.is_file() and root.suffix.lower() != ".csv":
        raise DataError(f"{root}: expected a folder or a .csv file; unpack an archive first")
    if root.is_file():
        return root
    for candidate in (root / name for name in NESTED):
        if candidate.is_file() or (candidate.is_dir() and any(_split_folders(candidate))):
            return candidate
    raise DataError(f"{root}: neither train/<class>/, validation|val/<class>/ or test/<class>/ nor fer2013.csv in it")


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _split_folders(root: Path) -> Iterator[tuple[Path, str]]:
    for folder in _subfolders(root):
        if folder.name.lower() in SPLIT_FOLDERS:
            yield folder, SPLIT_FOLDERS[folder.name.lower()]


def _image_files(folder: Path) -> list[str]:
    """Paths of all images at any depth, sorted; hidden ones (as macOS writes into archives) left out."""
    return sorted(
        os.path.join(parent, name)  # strings: sorting 32 k Path objects costs as much as reading 5 k faces
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")
    )


def _load_folders(root: Path, side: int, problem: Report) -> FaceSet:
    found: list[tuple[str, str, str]] = []  # path, split, class
    classes: list[str] = []
    for folder, split in _split_folders(root):
        for class_folder in _subfolders(folder):
            classes.append(class_folder.name)
            for file in _image_files(class_folder):
                prefix = os.path.basename(file).partition("_")[0] + "_"
                own = MERGED_TEST_PREFIXES.get(prefix, split) if split == "test" else split
                found.append((file, own, canonical(class_folder.name)))
    labels = index_order(classes)
    faces_NHW = np.empty((len(found), side, side), dtype=np.uint8)
    kept: list[tuple[str, str, str]] = []
    for entry in found:
        try:
            faces_NHW[len(kept)] = read_grey(entry[0], side)
            kept.append(entry)
        except DataError as error:
            problem(str(error))
    return FaceSet(
        faces_NHW[: len(kept)],
        np.array([labels.index(name) for _, _, name in kept], dtype=np.int64),
        np.array([split for _, split, _ in kept], dtype=np.str_),
        labels,
        np.array([Path(file).relative_to(root).as_posix() for file, _, _ in kept], dtype=np.str_),
    )


def _load_csv(path: Path, side: int, problem: Report) -> FaceSet:
    rows = list(read_fer_csv(path, problem))
    faces_NHW = np.empty((len(rows), side, side), dtype=np.uint8)
    for index, (_, face, _, _) in enumerate(rows):
        faces_NHW[index] = _whole(face, side)
    return FaceSet(
        faces_NHW,
        np.array([label for _, _, label, _ in rows], dtype=np.int64),
        np.array([split for _, _, _, split in rows], dtype=np.str_),
        FER2013_EMOTIONS,
        np.array([f"row {line}" for line, _, _, _ in rows], dtype=np.str_),
    )
