"""SECURITY.md names a test for what it says; each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
TEXT = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    files = list((REPOSITORY / "tests").rglob("test_*.py"))
    texts = "\n".join(path.read_text(encoding="utf-8") for path in files)
    defined = set(re.findall(r"^def (test_\w+)\(", texts, re.MULTILINE)) | {path.name for path in files}
    named = set(re.findall(r"`(?:tests/(?:\w+/)?)?(test_\w+(?:\.py)?)`", TEXT))
    assert len(named) >= 40
    assert named - defined == set()


def test_every_point_of_the_standard_names_its_test() -> None:
    rows = re.findall(r"^\| V\d+\..*\|$", TEXT, re.MULTILINE)
    assert len(rows) >= 13
    assert [row for row in rows if not re.search(r"`test_\w+", row.rsplit("|", 2)[1])] == []


def test_every_attack_names_its_test() -> None:
    table = TEXT[TEXT.index("| who |") : TEXT.index("**Not stopped.**")]
    rows = [row for row in table.splitlines()[2:] if row.startswith("|")]
    assert len(rows) >= 15 and [row for row in rows if "test_" not in row.rsplit("|", 2)[1]] == []
