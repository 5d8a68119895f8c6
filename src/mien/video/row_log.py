"""Rows of a live source as JSONL, each line on disk at once.

    log = RowLog(Path("log.jsonl"), labels)
    log.add(result)                      # every frame

Files that are whole or marked partial are in row_file.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from mien.contract.atomic_files import make_folder
from mien.contract.errors import OutputError
from mien.contract.plain_types import json_text
from mien.contract.results import FrameResult
from mien.video.row_schema import rows


class RowLog:
    """Rows of a live source as JSONL, each line there at once. Ends when it is closed; nothing to finish.

    Args:
        path: a new file.
        labels: emotions of the model.

    Raises:
        OutputError: it exists already, or cannot be written.
    """

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self.path, self._labels = path, tuple(labels)
        make_folder(path.parent)
        try:
            self._file: IO[str] = path.open("x", encoding="utf-8")
        except FileExistsError:
            raise OutputError(f"{path}: exists already; give another name, or delete it first") from None
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from None

    def add(self, result: FrameResult) -> None:
        """Write the faces of one frame."""
        try:
            for row in rows(result, self._labels):
                self._file.write(json_text(row) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror}); the lines before are kept") from None

    def close(self) -> None:
        """Close the file. A row that could not be written has been told by ``add``; it is tried no more."""
        with suppress(OSError):
            self._file.close()
