"""Files that appear whole or not at all: each is written beside its place, flushed to disk and renamed.

write_png(Path("out/face.png"), picture_rgb)          # OutputError with one clear line if that cannot be
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import OutputError


def write_png(path: Path, picture_rgb: NDArray[np.uint8]) -> None:
    """Save an RGB array, whole or not at all. Raises OutputError where the file cannot be written."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture_rgb).save(stream, format="PNG")
    write_whole(path, stream.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Save bytes, whole or not at all; make missing folders. Raises OutputError where that cannot be done."""
    with writing_whole(path) as beside:
        beside.write_bytes(content)


@contextmanager
def writing_whole(path: Path) -> Iterator[Path]:
    """Give a place beside ``path`` to write a file to; at the end it becomes ``path``, and after an error it is gone.

    For files that are written piece by piece, or checked before they appear. Missing folders are made.

    Raises:
        OutputError: the file cannot be written there. Other errors of the ``with`` block pass through.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            yield beside
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """``writing_whole`` in a folder that exists, for callers with an error message of their own: raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())  # without it, a power cut can leave the new name with no content
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder before the work begins. Raises OutputError where it cannot be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: cannot be written (no permission)")
