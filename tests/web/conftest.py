"""The npm package, built once, and a Chromium of the system."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from web_site import CHROMIUM, FLAGS, NPM, WEB, npm


@pytest.fixture(scope="session")
def packages() -> Path:
    """web/node_modules as package-lock.json wants it."""
    if NPM is None:
        pytest.skip("needs Node 20 or newer with npm")
    lock, installed = WEB / "package-lock.json", WEB / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        done = npm("ci", "--no-audit", "--no-fund")
        if done.returncode:
            if os.environ.get("CI"):
                pytest.fail(done.stderr[-2000:])
            pytest.skip(f"npm ci: {done.stderr.strip().splitlines()[-1]}")
    return WEB / "node_modules"


@pytest.fixture(scope="session")
def dist(packages: Path) -> Path:
    """web/dist, built now where a source is newer."""
    built = WEB / "dist" / "types" / "index.d.ts"  # written last
    sources = [each for folder in ("src", "page", "scripts") for each in (WEB / folder).rglob("*") if each.is_file()]
    if built.exists() and built.stat().st_mtime > max(each.stat().st_mtime for each in sources):
        return WEB / "dist"
    done = npm("run", "--silent", "build")
    assert done.returncode == 0, done.stdout + done.stderr
    return WEB / "dist"


@pytest.fixture(scope="module")  # Playwright runs once at a time in a thread, and other modules start their own
def chromium() -> Iterator[Browser]:
    """A browser whose camera is a drawn test picture."""
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium: apt-get install chromium")
    with sync_playwright() as play:
        flags = [*FLAGS, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()
