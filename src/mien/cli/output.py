"""What every verb shares: the two output formats, one-line errors, and naming a missing extra.

Results go to standard output, everything else (progress, problems, hints) to standard error, so pipes stay clean.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


class Format(StrEnum):
    """How a verb reports."""

    table = "table"
    json = "json"


def print_json(value: Any) -> None:
    """Print ``value`` as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def console() -> Console:
    """A console on standard output."""
    from rich.console import Console

    return Console()


def say(line: str) -> None:
    """One line for the person watching, on standard error."""
    sys.stderr.write(f"{line}\n")


def problem(line: str) -> None:
    """One line about something that went wrong while the rest goes on."""
    say(f"mien: {line}")


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around imports of a room that an extra brings: name the extra where a package is missing."""
    from mien.contract.errors import MissingExtraError

    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "a package", extra) from None


@contextmanager
def progress(what: str) -> Iterator[Any]:
    """A progress bar on standard error; yields a callback (done, total). Silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    screen = Console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bars:
        task = bars.add_task(what)
        yield lambda done, total: bars.update(task, completed=done, total=total)
