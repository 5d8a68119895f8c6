"""Shared by all verbs: the output formats, one-line messages, and errors that name a missing extra.

Results go to standard output, everything else (progress, problems, hints) to standard error, so pipes stay clean.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


class Format(StrEnum):
    """How a verb reports."""

    table = "table"
    json = "json"


def print_json(value: Any) -> None:
    """Print ``value`` as JSON on standard output; escaped where the output's encoding cannot hold it."""
    from mien.contract.plain_types import json_text

    sys.stdout.write(json_text(value, encoding=output_encoding(), indent=2) + "\n")


def output_encoding() -> str:
    """The encoding of standard output."""
    return sys.stdout.encoding or "utf-8"


TYPOGRAPHY = {"–": "-", "…": "...", "→": "->", "·": "*", "±": "+-", "█": "#", "▌": "|", "•": "*", "√": "sqrt"}
"""Characters in tables, and their replacements for an output encoding that lacks them."""


def write_anything() -> None:
    """Make standard output and error take any text, so that printing never fails on a character.

    Where the encoding lacks a character (cp1252, ASCII), it is written as plain typography or escaped: "\\u4e2d". The
    bytes of a file name that is not UTF-8 are written to a UTF-8 output as they are.
    """
    codecs.register_error("mien", _instead)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            is_utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if is_utf8 else "mien")


def _instead(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    kept = (TYPOGRAPHY.get(each) or each.encode("ascii", "backslashreplace").decode() for each in wrong)
    return "".join(kept), error.end


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
