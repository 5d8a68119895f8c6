"""Every error that mien raises for a user's input, in one tree.

    MienError                 a ValueError: one clear line that names the thing and the remedy
    ├── ImageError            a file or array that is not a readable image
    ├── VideoError            a video or a camera: unreadable, cut short, damaged, absent, or silent for too long
    ├── OutputError           results cannot be written there, or do not fit the partial results that are there
    ├── DataError             a data set: missing folder, bad row, unknown class or split
    ├── RecipeError           a training recipe: unknown name, misspelt key, impossible value
    ├── RunError              a training run: cannot resume, checkpoint of something else, loss became NaN
    ├── ModelError            a model file: missing, not ours, altered, or newer than this version
    │   └── ParityError       an exported file does not give the checkpoint's answers
    ├── DetectorError         a face detector: unknown name, unreadable file
    ├── StoreError            the store of sessions: locked, full, deleted, damaged, or newer than this version
    └── MissingExtraError     also an ImportError: an optional dependency is not installed

Programming mistakes are ``assert`` or the built-in exceptions, not these.
"""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path


class MienError(ValueError):
    """Base of all errors raised for a user's input; its text is one complete line."""


class ImageError(MienError):
    """A file or an array is not a readable image."""


class VideoError(MienError):
    """A video or a stream cannot be read, or not to its end."""


class OutputError(MienError):
    """Results cannot be written to a place, or do not fit the partial results that are there."""


class DataError(MienError):
    """A data set cannot be read, or does not hold what was asked for."""


class RecipeError(MienError):
    """A recipe does not exist, has an unknown key or an impossible value."""


class RunError(MienError):
    """A training run cannot start, go on or be read."""


class ModelError(MienError):
    """A model file is missing, not ours, altered, or newer than this version."""


class ParityError(ModelError):
    """An exported model does not reproduce the outputs of its checkpoint."""


class DetectorError(MienError):
    """A face detector is unknown or its model file cannot be used."""


class StoreError(MienError):
    """The store of sessions cannot be opened, read or written, or does not hold what was asked for."""


class MissingExtraError(MienError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; it comes with: {install_command(extra)}")


def install_command(extra: str) -> str:
    """The command that adds an extra to the environment that runs mien, as every shell takes it.

    mien itself is installed there already, so pip only looks up what the extra asks for.
    """
    found = shutil.which("python")
    this = found is not None and Path(found).parent == Path(sys.executable).parent
    python = "python" if this else f'"{sys.executable}"' if " " in sys.executable else sys.executable
    if find_spec("pip") is None and shutil.which("uv"):
        return f'uv pip install --python {python} "mien[{extra}]"'
    return f'{python} -m pip install "mien[{extra}]"'
