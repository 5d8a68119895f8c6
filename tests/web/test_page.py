"""The static page: what is written, and the whole of it in Chromium with a drawn camera, online and off."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from tiny_onnx import TINY_CARD, write_tiny_model
from web_site import CHROMIUM, FLAGS, StaticSite

from mien.contract.errors import DetectorError, MienError, OutputError
from mien.contract.shipped_models import resolve_model
from mien.mood.rows import Session
from mien.mood.seconds import Second
from mien.mood.session_export import flat_rows
from mien.serve import static_page
from mien.serve.static_page import write_static_page

WAIT_MS = 60_000
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def site(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StaticSite]:
    folder = tmp_path_factory.mktemp("page") / "public"
    write_static_page(folder)
    site = StaticSite(folder)
    yield site
    site.stop()


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """512 x 512 portrait of Eileen Collins (NASA, public domain)."""
    data = pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image")
    path = tmp_path_factory.mktemp("photo") / "portrait.jpg"
    Image.fromarray(data.astronaut()).save(path, quality=92)
    return path


@pytest.fixture(scope="module")
def context(portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """A browser whose camera shows the portrait, moving a little."""
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium: apt-get install chromium")
    camera = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    picture = Image.open(portrait).crop((0, 0, 512, 384)).resize((640, 480))
    with camera.open("wb") as stream:
        for index in range(60):
            frame = Image.new("RGB", (640, 480), (90, 96, 104))
            frame.paste(picture, (round(20 * np.sin(index / 60 * 2 * np.pi)), 0))
            frame.save(stream, "JPEG", quality=85)
    flags = [*FLAGS, "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser.new_context(permissions=["camera"])
        browser.close()


@pytest.fixture
def page(context: BrowserContext, site: StaticSite) -> Iterator[Page]:
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(site.url)
    yield page
    page.close()


def start(page: Page) -> None:
    """Agree and start the camera, with figures kept."""
    page.check("#told")
    page.check("#place")
    page.check("#keep")
    page.click("#start")
    expect(page.locator("#stage")).to_have_attribute("data-faces", "1")


def test_the_folder(site: StaticSite, tmp_path: Path) -> None:
    written = write_static_page(tmp_path / "public", "base-int8")
    assert {each.name for each in written} == {
        str(path.relative_to(tmp_path / "public")) for path in (tmp_path / "public").rglob("*") if path.is_file()
    }
    assert all(each.bytes == (tmp_path / "public" / each.name).stat().st_size for each in written)
    licences = {each.name: each.licence for each in written}
    assert licences["mien/models/blazeface.onnx"] == "Apache-2.0 (MediaPipe)"
    assert licences["mien/ort-wasm-simd-threaded.wasm"] == "MIT (ONNX Runtime)"
    assert licences["mien/models/base-int8.onnx"] == licences["page/main.js"] == "Apache-2.0 (mien)"
    notices = (tmp_path / "public" / "NOTICES.txt").read_text()
    for words in ("MIT License", "Apache License", "BlazeFace", "Third parties inside ONNX Runtime", "protobuf"):
        assert words in notices

    index = (tmp_path / "public" / "index.html").read_text()
    assert "connect-src 'self'" in index and "unsafe-inline" not in index
    addresses = re.findall(r'(?:href|src)="([^"#][^"]*)"', index)
    assert len(addresses) >= 6
    assert not [each for each in addresses if each.startswith(("/", "http"))]
    for each in addresses:
        assert (tmp_path / "public" / each.split("#")[0]).is_file(), each
    listed = json.loads(re.search(r"FILES = (\[.*\]);", (tmp_path / "public" / "sw.js").read_text())[1])  # type: ignore[index]
    assert set(listed) == {"./"} | set(licences) - {"NOTICES.txt", "sw.js"}
    size = {each.name: each.bytes for each in write_static_page(tmp_path / "nano")}
    assert size["mien/models/nano.onnx"] + size["mien/models/blazeface.onnx"] <= 1_200_000


def test_what_cannot_be_written_is_said(dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds files that are not mien's page; give a new folder"):
        write_static_page(tmp_path)
    (tmp_path / "yunet.onnx").write_bytes(b"no")
    with pytest.raises(DetectorError, match="is not face_detection_yunet_2023mar.onnx"):
        write_static_page(tmp_path / "new", yunet=tmp_path / "yunet.onnx")
    monkeypatch.setattr(static_page, "BUILT", (tmp_path / "nowhere",))
    with pytest.raises(MienError, match="was not built; run `make web` in a checkout of mien"):
        write_static_page(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["../../../outside", '"><script>alert(1)</script>', "a b?#", "", ".hidden"])
def test_the_name_in_a_model_decides_no_path_and_no_markup(dist: Path, tmp_path: Path, name: str) -> None:
    """The file of a stranger wrote outside the folder."""
    model = write_tiny_model(tmp_path / "given.onnx", replace(TINY_CARD, name=name))
    write_static_page(tmp_path / "public", model)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given.onnx", "public"]
    assert (tmp_path / "public" / "mien" / "models" / "model.onnx").read_bytes() == model.read_bytes()
    index = (tmp_path / "public" / "index.html").read_text()
    assert '<meta name="mien-model" content="model">' in index and "<script>" not in index


def test_the_version_changes_with_the_model_and_a_second_writing_replaces_the_first(dist: Path, tmp_path: Path) -> None:
    versions = []
    for model in ("nano", "base-int8", "nano"):
        write_static_page(tmp_path / "public", model)
        versions.append(hashlib.sha256((tmp_path / "public" / "sw.js").read_bytes()).hexdigest())
    assert versions[0] == versions[2] != versions[1]


def test_camera_history_export_and_delete(context: BrowserContext, site: StaticSite, tmp_path: Path) -> None:
    page, asked = context.new_page(), []
    page.set_default_timeout(WAIT_MS)
    page.on("request", lambda request: asked.append(request.url))  # before it opens: the model is loaded at once
    page.goto(site.url)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    start(page)
    expect(page.locator("#now-label")).to_have_text("happy")
    expect(page.locator("#state-text")).to_have_text("Live, on this device")
    expect(page.locator("#kept")).to_have_text("Kept as session 1")
    page.wait_for_timeout(4000)
    page.click("#stop")
    assert [url for url in asked if not url.startswith((site.url, f"blob:{site.url}"))] == []
    assert any(url.endswith(".wasm") for url in asked)

    page.reload()
    page.click("nav a[data-view=history]")
    row = page.locator("#session-list tr[data-session='1']")
    expect(row).to_contain_text("browser")
    row.get_by_role("button").click()
    with page.expect_download() as caught:
        page.locator("#session-detail").get_by_text("CSV", exact=True).click()
    table = tmp_path / "session.csv"
    caught.value.save_as(table)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) >= 2
    now = datetime.now(UTC)
    scores = {name.removeprefix("score_"): 0.1 for name in rows[0] if name.startswith("score_")}
    second = Second(1, 0, 1, scores, 0.0, 0.0, "happy", 0.1, None, None, None, "low", 1.0, "none")
    assert list(rows[0]) == list(flat_rows(Session(1, "browser", now, None, None, 1, 1), [second])[0])
    assert rows[0]["label"] == "happy" and 0.8 < float(rows[0]["score_happy"]) <= 1
    assert abs(int(rows[0]["second"]) - now.timestamp()) < 120
    with page.expect_download() as caught:
        page.locator("#session-detail").get_by_text("JSON", exact=True).click()
    caught.value.save_as(tmp_path / "session.json")
    document = json.loads((tmp_path / "session.json").read_text())
    assert document["note"] == "an expression-based index, not a diagnosis"
    assert len(document["seconds"]) == len(rows)
    expect(page.locator("text=Parquet")).to_have_count(0)

    page.locator("#session-detail").get_by_text("Delete session").click()
    page.click("#confirm-yes")
    expect(page.locator("#session-list")).to_contain_text("No session yet")
    page.close()
    assert problems == []


def test_photos_and_what_is_no_photo(page: Page, portrait: Path, tmp_path: Path) -> None:
    page.click("nav a[data-view=photos]")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(portrait.read_bytes()[:100])
    page.set_input_files("#files", [str(portrait), str(broken)])
    expect(page.locator(".photo-face h3")).to_have_text("happy")
    failed = page.locator(".photo.failed")
    expect(failed).to_contain_text("broken.jpg")
    expect(failed).to_contain_text("it is not a readable image")


def test_it_opens_and_works_without_a_network(
    context: BrowserContext, dist: Path, tmp_path: Path, portrait: Path
) -> None:
    write_static_page(tmp_path)
    own = StaticSite(tmp_path)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(own.url)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("caches.keys().then((names) => names.length === 1)")
    own.stop()
    page.reload()
    expect(page.locator("h2").first).to_have_text("Before the camera starts")
    page.click("nav a[data-view=photos]")
    page.set_input_files("#files", str(portrait))
    expect(page.locator(".photo-face h3")).to_have_text("happy")
    page.close()


def test_a_camera_that_is_refused(site: StaticSite, context: BrowserContext) -> None:
    assert context.browser is not None
    strangers = context.browser.new_context()
    page = strangers.new_page()
    page.goto(site.url)
    page.check("#told")
    page.check("#place")
    page.click("#start")
    expect(page.locator("#banner")).to_contain_text(
        "permission was refused. Allow it in the address bar", timeout=WAIT_MS
    )
    strangers.close()


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_a_model_that_is_missing_or_altered(damage: str, dist: Path, tmp_path: Path, context: BrowserContext) -> None:
    write_static_page(tmp_path)
    path = tmp_path / "mien" / "models" / "nano.onnx"
    content = bytearray(resolve_model("nano").read_bytes())
    content[len(content) // 3] ^= 4
    path.unlink() if damage == "missing" else path.write_bytes(content)
    own = StaticSite(tmp_path)
    page = context.new_page()
    page.goto(own.url)
    page.check("#told")
    page.check("#place")
    page.click("#start")
    words = {"missing": "no such file (the server answered 404)", "altered": "altered: its graph is not the one"}[
        damage
    ]
    expect(page.locator("#banner")).to_contain_text(words)
    expect(page.locator("#banner")).to_contain_text("nano.onnx")
    expect(page.locator("#state-text")).to_have_text("Not running")
    page.close()
    own.stop()
