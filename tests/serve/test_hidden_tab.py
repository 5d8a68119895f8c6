"""The live page in a tab that is really hidden: another tab of the same window comes to the front.

Playwright keeps every page it drives visible, so this speaks Chromium's own protocol
(chromedevtools.github.io/devtools-protocol) over a WebSocket.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from serving import Process

import mien

client = pytest.importorskip("websockets.sync.client", reason="comes with mien[serve]")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")

WAIT_S = 40.0


class Tabs:
    """A browser's tabs. ``front`` shows one and so hides the others."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._asked = socket, 0

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._asked += 1
        question = {"id": self._asked, "method": method, "params": parameters}
        self._socket.send(json.dumps(question | ({"sessionId": session} if session else {})))
        while (answer := json.loads(self._socket.recv(WAIT_S))).get("id") != self._asked:
            pass
        assert "error" not in answer, answer
        return dict(answer["result"])

    def front(self, target: str) -> None:
        self.ask("Target.activateTarget", targetId=target)

    def open(self, url: str) -> str:
        return str(self.ask("Target.createTarget", url=url)["targetId"])

    def attached(self, target: str) -> str:
        return str(self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def value(self, session: str, script: str) -> Any:
        return self.ask("Runtime.evaluate", session, expression=script, returnByValue=True)["result"].get("value")

    def wait(self, session: str, script: str, wanted: Any) -> None:
        until = time.monotonic() + WAIT_S
        while (found := self.value(session, script)) != wanted:
            assert time.monotonic() < until, f"{script} stayed {found!r}"
            time.sleep(0.2)


@pytest.fixture
def tabs(tmp_path: Path) -> Iterator[Tabs]:
    camera = tmp_path / "camera.mjpeg"
    with camera.open("wb") as stream:
        for _ in range(10):
            Image.open(mien.SAMPLE_PHOTO).crop((0, 0, 512, 384)).resize((640, 480)).save(stream, "JPEG")
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--remote-debugging-port=0",
        "--use-fake-ui-for-media-stream",
    ]
    command += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        place = tmp_path / "profile" / "DevToolsActivePort"
        until = time.monotonic() + WAIT_S
        while not (place.exists() and len(place.read_text().split()) == 2):
            assert time.monotonic() < until, "Chromium does not start"
            time.sleep(0.1)
        port, path = place.read_text().split()
        with client.connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as socket:
            yield Tabs(socket)
    finally:
        process.kill()
        process.wait()


def answered(server: Process) -> float:
    """Live frames that the server has answered so far."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    found = re.search(r'^mien_frames_total\{outcome="answered"\} (\S+)$', text, re.M)
    return float(found[1]) if found else 0.0


def test_a_hidden_tab_sends_nothing_and_goes_on_when_it_is_shown(tabs: Tabs, tmp_path: Path) -> None:
    server = Process("--no-history", "--model", "nano")
    try:
        page = tabs.open(server.url)
        session = tabs.attached(page)
        tabs.front(page)
        state = "document.querySelector('#state-text')?.textContent"
        tabs.wait(session, state, "Camera off")
        tabs.value(session, "for (const name of ['told', 'place', 'start']) document.getElementById(name).click()")
        tabs.wait(session, f"{state}?.slice(0, 4)", "Live")
        tabs.wait(session, "document.querySelector('#now-label').textContent", "happy")
        other = tabs.open("about:blank")
        tabs.front(other)
        tabs.wait(session, "document.visibilityState", "hidden")
        tabs.wait(session, state, "Paused while this tab is hidden")
        time.sleep(1.0)  # for frames on their way
        before = answered(server)
        time.sleep(2.0)
        assert answered(server) == before > 0
        tabs.front(page)
        tabs.wait(session, f"{state}?.slice(0, 4)", "Live")
        until = time.monotonic() + WAIT_S
        while answered(server) == before:
            assert time.monotonic() < until, "no frame came any more"
            time.sleep(0.2)
    finally:
        server.stop()
