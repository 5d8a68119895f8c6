"""The npm package by its own tools: lint, types, unit tests; and its golden series are Python's of today."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from web_site import WEB, npm


@pytest.mark.parametrize("script", ["lint", "typecheck"])
def test_lint_and_types(script: str, dist: Path) -> None:  # the type test reads the built types
    done = npm("run", "--silent", script)
    assert done.returncode == 0, done.stdout + done.stderr


def test_unit_tests(dist: Path) -> None:
    done = npm("test")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed is not None and int(passed[1]) >= 20
    assert "# skipped 0" in done.stdout


def test_golden_series_are_of_this_version() -> None:
    script = WEB.parent / "scripts" / "web_golden.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_lock_file_names_no_host() -> None:
    """Whoever installs it takes the packages from their own registry, checked by their hashes."""
    lock = json.loads((WEB / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert len(packages) > 20
    assert not [name for name, each in packages.items() if "resolved" in each]
    assert not [name for name, each in packages.items() if "integrity" not in each and not each.get("link")]
