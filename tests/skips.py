"""Which tests may be skipped where everything that can be installed was installed.

With ``MIEN_NO_SKIPS=1``, as .ci/run sets it, a run fails if a test was skipped for any reason but those below: then a
package that an extra names, or the browser, was there and the test did not find it. ``MIEN_ABSENT`` may name further
words, separated by commas, for what could not be installed this time.

It is a plugin of pytest that conftest.py registers.
"""

from __future__ import annotations

import os

import pytest

MAY_BE_ABSENT = (
    "is not here:",  # data sets and models that are not in the repository: FER2013, FER+'s votes, YuNet, fer
    "root may read everything",
    "hadolint is not installed",
    "kubernetes-validate is not installed",
    "nginx or openssl is not installed",
    "faiss-cpu is not installed",  # the extra "large", which the development install leaves out
    "needs Node 20 or newer",
    "npm ci:",
    "has OpenVINO",
    "holds no maps",
    "the array API is switched on",
)


class SkipWatch:
    """Collects what was skipped, and fails the run where that was not to be."""

    def __init__(self) -> None:
        self.skipped: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.skipped.append((report.nodeid, reason))

    def unexpected(self) -> list[tuple[str, str]]:
        """Skipped tests whose need was installed; none unless the environment asks."""
        if os.environ.get("MIEN_NO_SKIPS") != "1":
            return []
        absent = [word for word in os.environ.get("MIEN_ABSENT", "").split(",") if word]
        return [(test, why) for test, why in self.skipped if not any(each in why for each in (*MAY_BE_ABSENT, *absent))]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unexpected() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for test, why in self.unexpected():
            terminalreporter.write_line(f"SKIPPED ALTHOUGH ITS NEED IS INSTALLED: {test}: {why}", red=True)
