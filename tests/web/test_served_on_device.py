"""``mien serve`` beside the page for devices: the visitor chooses, and on the device no picture reaches the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Request, expect, sync_playwright
from serving import Process
from starlette.testclient import TestClient
from web_site import CHROMIUM, FLAGS

from mien.serve import static_page
from mien.serve.asgi import create_app
from mien.serve.settings import ServerSettings

WAIT_MS = 60_000

REFUSED = """async () => {
  const posted = await fetch("/v1/recognize", { method: "POST", body: "picture" }).then(() => "sent", () => "refused");
  const streamed = await new Promise((resolve) => {
    try {
      const socket = new WebSocket(`ws://${location.host}/v1/live`);
      socket.onopen = () => resolve("sent");
      socket.onerror = () => resolve("refused");
    } catch { resolve("refused"); }
  });
  return [posted, streamed];
}"""


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """NASA's portrait of Eileen Collins (public domain), moving a little."""
    data = pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image")
    picture = Image.fromarray(data.astronaut()).crop((0, 0, 512, 384)).resize((640, 480))
    with (tmp_path / "face.mjpeg").open("wb") as stream:
        for index in range(30):
            frame = Image.new("RGB", (640, 480), (90, 96, 104))
            frame.paste(picture, (round(20 * np.sin(index / 30 * 2 * np.pi)), 0))
            frame.save(stream, "JPEG", quality=85)
    return tmp_path / "face.mjpeg"


@pytest.fixture
def server(dist: Path, tmp_path: Path) -> Iterator[Process]:
    process = Process("--model", "nano", "--detector", "none", "--db", tmp_path / "mood.db")
    yield process
    process.stop()


def test_on_the_device_nothing_is_sent_to_the_server(server: Process, camera: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium: apt-get install chromium")
    flags = [*FLAGS, "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_context(permissions=["camera"]).new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(server.url)
        expect(page.locator("#where button[aria-pressed=true]")).to_have_text("On the server", timeout=WAIT_MS)
        expect(page.locator("#where-now")).to_contain_text("go to the server")

        asked: list[Request] = []
        sockets: list[str] = []
        page.on("request", lambda request: asked.append(request))
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.get_by_role("button", name="On this device").click()
        page.wait_for_url("**/device/**")
        expect(page.locator("#where button[aria-pressed=true]")).to_have_text("On this device", timeout=WAIT_MS)
        expect(page.locator("#where-now")).to_contain_text("stay on this device")
        page.check("#told")
        page.check("#place")
        page.click("#start")
        expect(page.locator("#stage")).to_have_attribute("data-faces", "1", timeout=WAIT_MS)
        expect(page.locator("#state-text")).to_have_text("Live, on this device", timeout=WAIT_MS)
        expect(page.locator("#now-label")).to_have_text("happy", timeout=WAIT_MS)
        page.wait_for_timeout(1000)
        own = (f"{server.url}/device/", f"blob:{server.url}")
        assert [each.url for each in asked if not each.url.startswith(own)] == []
        assert {(each.method, each.post_data_buffer) for each in asked} == {("GET", None)} and sockets == []
        assert page.evaluate(REFUSED) == ["refused", "refused"]  # by the browser, since the page's policy says so

        page.click("#stop")
        page.get_by_role("button", name="On the server").click()
        expect(page.locator("#where button[aria-pressed=true]")).to_have_text("On the server", timeout=WAIT_MS)
        browser.close()


def test_headers_types_and_what_is_not_there(dist: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ServerSettings(model=tiny_model, detector="none", host="0.0.0.0", token="a-token-of-twenty-four-c")
    with TestClient(create_app(settings), base_url="http://faces.example:8000") as client:
        answer = client.get("/device", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "/device/")
        index = client.get("/device/")
        assert index.headers["content-type"].startswith("text/html") and 'content="nano"' in index.text
        assert "connect-src faces.example:8000/device/;" in index.headers["content-security-policy"]
        assert index.headers["cross-origin-embedder-policy"] == "require-corp"
        wasm = client.get("/device/mien/ort-wasm-simd-threaded.wasm")
        assert wasm.headers["content-type"] == "application/wasm" and wasm.content[:4] == b"\0asm"
        strange = client.get("/device/", headers={"host": "a;script-src *"})
        assert "connect-src 'self';" in strange.headers["content-security-policy"]
        assert client.get("/device/../v1/sessions").status_code == 401
        assert client.get("/device/passwords").json() == {"detail": "/device/passwords: no such file"}
        owner = {"authorization": "Bearer a-token-of-twenty-four-c"}
        assert client.get("/v1/access", headers=owner).json()["device"] is True
        monkeypatch.setattr(static_page, "BUILT", ())
        assert client.get("/v1/access", headers=owner).json()["device"] is False
        assert "run `make web`" in client.get("/device/").json()["detail"]
