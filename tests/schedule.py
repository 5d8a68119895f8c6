"""How the processes of pytest-xdist share the test files (``pytest -n 2 --dist loadfile``, as `make test` runs them).

A file's tests run in one process, since they share what the file makes. Some rooms stay together too, because two
processes cannot make their fixtures at once. The files that take longest come first, so that no process begins one when
the other has nothing left to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    "tests/scale": "two clusters of Ray at once do not fit into the memory of a small machine",
    "tests/web": "npm builds the package in one folder",
}
"""Rooms whose tests run in one process, with the reason."""

FIRST = (
    "tests/test_benchmarks.py",
    "tests/test_shipped_model.py",
    "tests/serve/test_browser.py",
    "tests/scale/",
    "tests/web/",
    "tests/train/",
    "tests/cli/",
    "tests/export/",
)
"""The files and rooms that take a minute or more, the longest first."""


def rank(nodeid: str) -> int:
    """The place of a test's file in ``FIRST``; those that are not there come last, in their order."""
    return next((place for place, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))


class Schedule(LoadFileScheduling):  # type: ignore[misc]
    """xdist's own distribution by file, with the rooms of ``TOGETHER`` as one."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the order is that of the collection, which the workers sort by rank

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((room for room in TOGETHER if Path(room) in Path(file).parents), file)
