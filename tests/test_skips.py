"""A skipped test fails the run where everything it needs was installed, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest
def test_data(): pytest.skip("FER2013 is not here: no folder")
def test_browser(): pytest.skip("needs Debian's chromium: apt-get install chromium")
def test_fine(): pass
"""


@pytest.mark.parametrize(
    ("environment", "code"),
    [({}, 0), ({"MIEN_NO_SKIPS": "1"}, 1), ({"MIEN_NO_SKIPS": "1", "MIEN_ABSENT": "chromium"}, 0)],
    ids=["anywhere", "continuous integration", "where chromium could not be had"],
)
def test_a_skip_fails_where_its_need_is_installed(environment: dict[str, str], code: int, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from skips import SkipWatch\ndef pytest_configure(config): config.pluginmanager.register(SkipWatch())\n"
    )
    (tmp_path / "test_some.py").write_text(TESTS)
    clean = {key: value for key, value in os.environ.items() if key not in ("MIEN_NO_SKIPS", "MIEN_ABSENT")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=clean | environment | {"PYTHONPATH": str(Path(__file__).parent)},
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert ("SKIPPED ALTHOUGH ITS NEED IS INSTALLED: test_some.py::test_browser" in done.stdout) is bool(code)
