"""The page in Debian's Chromium, headless: permission, faces, timeline, pause, export, deletion, photos, reconnection.

The camera is a file that the test makes from a photograph with a real face; server, page and browser are the real ones.
"""

from __future__ import annotations

import csv
import re
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mood_frames import SMILE, face, frame
from PIL import Image
from serving import Process

from mien.mood import MoodStore, MoodTracker

sync_api = pytest.importorskip("playwright.sync_api", reason="comes with mien[dev]")
expect = sync_api.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")

WAIT_MS = 40_000
LIVE = re.compile("^Live")
"""It goes on with "on the server" where the page for devices was built, which other tests do."""


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """512 x 512 portrait of Eileen Collins (NASA, public domain): one frontal, smiling face."""
    data = pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image")
    path = tmp_path_factory.mktemp("photo") / "portrait.jpg"
    Image.fromarray(data.astronaut()).save(path, quality=92)
    return path


@pytest.fixture(scope="module")
def camera(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of motion JPEG in which the portrait moves a little to and fro."""
    path = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    portrait = Image.open(photo).crop((0, 0, 512, 384)).resize((640, 480))
    with path.open("wb") as stream:
        for index in range(90):
            frame = Image.new("RGB", (640, 480), (90, 96, 104))
            frame.paste(portrait, (round(20 * np.sin(index / 90 * 2 * np.pi)), 0))
            frame.save(stream, "JPEG", quality=85)
    return path


@pytest.fixture(scope="module")
def browser(camera: Path) -> Iterator[Any]:
    arguments = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


class Server:
    """The shipped model with the detector that is always there, on one port and one database over restarts."""

    def __init__(self, db: Path) -> None:
        self.db = db
        self.process = Process("--db", db)
        self.url = self.process.url

    def restart(self) -> None:
        self.process = Process("--db", self.db, "--port", str(self.process.port))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("store") / "mood.db")
    yield running
    running.process.stop()


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    """A fresh visit. Whatever the browser complains about (scripts, policy, missing files) fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=True)
    visit = context.new_page()
    complaints: list[str] = []
    visit.on("pageerror", lambda error: complaints.append(str(error)))
    visit.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    visit.set_default_timeout(WAIT_MS)
    visit.complaints = complaints
    visit.goto(f"{server.url}/")
    yield visit
    context.close()
    assert complaints == []


def begin(page: Any, keep: bool = True) -> None:
    """Agree and start the camera; returns when a face has a name."""
    page.check("#told")
    page.check("#place")
    if keep:
        page.check("#keep")
    page.click("#start")
    expect(page.locator("#now-label")).to_have_text("happy", timeout=WAIT_MS)


def drawn(page: Any, selector: str) -> int:
    """Differently coloured pixels of a canvas."""
    script = """selector => { const c = document.querySelector(selector); const d = c.getContext('2d')
        .getImageData(0, 0, c.width, c.height).data; return new Set(new Uint32Array(d.buffer)).size }"""
    return int(page.evaluate(script, selector))


def test_nothing_starts_without_consent(page: Any) -> None:
    text = page.inner_text("#consent")
    assert "People must be told" in text and "at work or in education. The EU prohibits that" in text
    assert "Everyone who can open this page on this machine can see, export and delete the history" in text
    assert not page.is_checked("#told") and not page.is_checked("#place") and not page.is_checked("#keep")
    page.check("#told")
    page.click("#start")  # the browser asks for the other box first
    assert page.inner_text("#state-text") == "Camera off" and page.is_hidden("#live-grid")
    assert page.evaluate("document.querySelector('#video').srcObject") is None


def test_live(page: Any, tmp_path: Path) -> None:
    begin(page)
    assert page.inner_text("#state-text").startswith("Live") and page.is_hidden("#consent")
    assert "happy" in page.get_attribute("#overlay", "aria-label")
    labels = page.evaluate("fetch('/v1/access').then(answer => answer.json())")["labels"]
    names = page.eval_on_selector_all("#bars .meter", "all => all.map(each => each.getAttribute('aria-label'))")
    assert names == labels  # as the model's card orders them
    happy = int(page.get_attribute("#bars [aria-label=happy]", "aria-valuenow"))
    assert happy > 50 and page.inner_text("#now-sure") == f"{happy} %"
    assert page.get_attribute("#circumplex", "aria-label").startswith("Valence 0.")
    assert "Learning your calm minute" in page.inner_text("#stress")
    assert "not a diagnosis" in page.inner_text("body")
    assert drawn(page, "#timeline") > 5 and drawn(page, "#overlay") > 5 and drawn(page, "#circumplex") > 5

    def picture() -> str:
        return str(page.evaluate("document.querySelector('#timeline').toDataURL()"))

    before = picture()
    page.wait_for_timeout(1500)
    assert picture() != before  # the timeline moves

    page.keyboard.press("p")
    assert page.inner_text("#state-text") == "Paused" and page.get_attribute("#pause", "aria-pressed") == "true"
    page.wait_for_timeout(500)
    before = picture()
    page.wait_for_timeout(1000)
    assert picture() == before
    page.keyboard.press("p")
    expect(page.locator("#state-text")).to_have_text(LIVE, timeout=WAIT_MS)
    page.wait_for_timeout(1500)
    assert picture() != before

    page.keyboard.press("d")
    assert page.evaluate("getComputedStyle(document.querySelector('#video')).visibility") == "hidden"

    expect(page.locator("#kept")).to_contain_text("Kept as session", timeout=WAIT_MS)
    number = page.inner_text("#kept").removeprefix("Kept as session ")
    with page.expect_download() as waiting:
        page.click("#exports [data-format=csv]")
    waiting.value.save_as(tmp_path / "session.csv")
    assert waiting.value.suggested_filename == f"mien-session-{number}.csv"
    rows = list(csv.DictReader((tmp_path / "session.csv").read_text().splitlines()))
    assert rows and {row["label"] for row in rows} == {"happy"}

    page.click("#delete")
    page.click("#confirm-no")
    assert page.inner_text("#kept") == f"Kept as session {number}"
    page.click("#delete")
    page.click("#confirm-yes")
    expect(page.locator("#kept")).to_have_text("Not kept", timeout=WAIT_MS)
    assert page.evaluate(f"fetch('/v1/sessions/{number}').then(answer => answer.status)") == 404
    page.complaints.clear()  # that 404
    page.wait_for_timeout(500)
    assert page.inner_text("#state-text").startswith("Live")  # the stream went on

    page.click("#stop")
    assert page.inner_text("#state-text") == "Camera off"
    assert page.evaluate("document.querySelector('#video').srcObject") is None


def test_moments_of_a_personal_model(page: Any, server: Server) -> None:
    """The camera smiles whatever the page asks for, so nothing can be learnt and no model is kept."""
    begin(page)
    expect(page.locator("#now-set .chip").first).to_have_text("happy", timeout=WAIT_MS)
    assert "Nine times in ten" in page.inner_text("#now-set")
    page.click("#moments summary")
    assert page.inner_text("#moment-ask") == "1 of 12: show neutral, then press the button"
    for moment in range(2, 13):
        page.click("#moment")
        expect(page.locator("#moment-ask")).to_contain_text(f"{moment} of 12", timeout=WAIT_MS)
    page.click("#moment")
    expect(page.locator("#moment-make")).to_be_visible(timeout=WAIT_MS)
    faces = page.evaluate("fetch('/v1/personal').then(answer => answer.json())")["collected"]
    assert faces == dict.fromkeys(("neutral", "happy", "surprise", "sad", "angry", "fear"), 4)
    page.click("#moment-make")
    expect(page.locator("#moment-ask")).to_contain_text("was not shown to be better", timeout=WAIT_MS)
    assert page.is_hidden("#own-row") and page.is_visible("#moment")
    assert page.evaluate("fetch('/v1/personal').then(answer => answer.json())")["model"] is False
    assert list(server.db.with_name("mood.personal").glob("*.onnx")) == []
    assert page.inner_text("#state-text").startswith("Live")
    page.click("#stop")


def test_history(page: Any) -> None:
    begin(page)
    page.wait_for_timeout(2200)
    page.click("#stop")
    page.click("nav [data-view=history]")
    page.wait_for_selector("#session-list tr[data-session]")
    expect(page.locator("#period-body")).to_contain_text("happy", timeout=WAIT_MS)
    page.click("#scale [data-scale=week]")
    page.wait_for_selector(".week .column:not([disabled])")
    assert page.locator(".week .column").count() == 7
    assert "happy" in page.get_attribute(".week .column:not([disabled])", "aria-label")
    page.click("#session-list button >> nth=0")
    page.wait_for_selector("#session-detail canvas")
    assert drawn(page, "#session-detail canvas") > 5
    page.click("#delete-all")
    page.click("#confirm-yes")
    expect(page.locator("#session-list")).to_contain_text("No session yet", timeout=WAIT_MS)


def test_photos_dropped_anywhere(page: Any, photo: Path) -> None:
    script = """async bytes => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], 'portrait.jpg', {type: 'image/jpeg'}));
        data.items.add(new File(['no picture'], 'notes.jpg', {type: 'image/jpeg'}));
        for (const kind of ['dragenter', 'dragover', 'drop'])
            window.dispatchEvent(new DragEvent(kind, {dataTransfer: data, cancelable: true}));
    }"""
    page.evaluate(script, list(photo.read_bytes()))
    page.wait_for_selector(".photo-box")
    assert page.is_visible("#view-photos") and page.inner_text(".photo-box").startswith("happy ")
    assert re.fullmatch(r"1 face · 0\.07 MB · detector: \w+", page.inner_text(".photo:has(.photo-box) p"))
    assert page.inner_text(".photo-face h3") == "happy" and page.locator(".photo-face .bar").count() >= 7
    page.wait_for_selector(".photo.failed")
    assert "is not an image" in page.inner_text(".photo.failed")
    page.complaints.clear()  # the 400 of the notes


def test_photos_dragged_in_from_the_desktop(page: Any, photo: Path, tmp_path: Path) -> None:
    """Through the browser's own drag-and-drop, with a file of the disk, not with events made in the page."""
    other = shutil.copyfile(photo, tmp_path / "second.jpg")
    browser = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(photo), str(other)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver"):
        browser.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": data})
    assert "dropping" in page.get_attribute("body", "class")
    browser.send("Input.dispatchDragEvent", {"type": "drop", "x": 400, "y": 300, "data": data})
    expect(page.locator(".photo-box")).to_have_count(2, timeout=WAIT_MS)
    assert page.is_visible("#view-photos") and "dropping" not in page.get_attribute("body", "class")
    assert page.inner_text(".photo-box >> nth=0").startswith("happy ")


def test_two_numbers_of_one_person_are_joined_by_hand(page: Any, server: Server) -> None:
    session = returned_person(server.db)
    page.goto(f"{server.url}/#history")
    page.click(f"#session-list tr[data-session='{session}'] button")
    page.wait_for_selector(".joining")
    assert "out of view for more than five seconds comes back under a new number" in page.inner_text(".joining")
    assert page.inner_text(f"tr[data-session='{session}'] td:nth-child(4)") == "2"
    page.click("[data-join=people]")  # the newest number is offered as the first one's
    expect(page.locator(f"tr[data-session='{session}'] td:nth-child(4)")).to_have_text("1", timeout=WAIT_MS)
    expect(page.locator(".joining select[name=person]")).to_have_count(0)  # there is one person now


def returned_person(db: Path) -> int:
    """A session in which person 1 left and came back as person 2."""
    now_s = time.time() - 120
    with MoodStore(db) as store:
        session, tracker = store.open_session("door", datetime.fromtimestamp(now_s, UTC)), MoodTracker(baseline_s=0)
        for second, number in enumerate((1, 1, 1, 2, 2)):
            store.add(session, tracker.update(frame(second, face(SMILE, track_id=number))), now_s + second)
        store.end_session(session, now_s + 5)
    return session


def test_a_server_that_restarts(page: Any, server: Server) -> None:
    begin(page)
    expect(page.locator("#kept")).to_contain_text("Kept as session", timeout=WAIT_MS)
    first = page.inner_text("#kept")
    server.process.stop(signal.SIGTERM)
    expect(page.locator("#state-text")).to_contain_text("Connection lost", timeout=WAIT_MS)
    expect(page.locator("#now-stale")).to_have_text("No connection")  # and no figures as if they were of now
    assert (
        page.is_hidden("#now-label")
        and page.evaluate("getComputedStyle(document.querySelector('#bars')).opacity") < "1"
    )
    server.restart()
    expect(page.locator("#state-text")).to_have_text(LIVE, timeout=WAIT_MS)
    expect(page.locator("#kept")).to_contain_text("Kept as session", timeout=WAIT_MS)
    assert page.inner_text("#kept") != first
    assert "what is kept from here on is a new session" in page.inner_text("#notice")
    page.click("#notice button")
    assert page.is_hidden("#notice")
    expect(page.locator("#overlay")).to_have_attribute("aria-label", re.compile("happy"), timeout=WAIT_MS)
    page.complaints.clear()  # the browser's own lines about the connections that failed


def test_somebody_who_leaves_leaves_no_figures_behind(page: Any) -> None:
    begin(page, keep=False)
    page.evaluate("""const v = document.querySelector('#video'); const old = v.srcObject;
        const c = document.createElement('canvas'); c.width = 640; c.height = 480;
        c.getContext('2d').fillRect(0, 0, 640, 480); v.srcObject = c.captureStream(5); v.play()""")
    expect(page.locator("#now-stale")).to_have_text("Nobody", timeout=WAIT_MS)
    assert page.is_hidden("#now-label") and "stale" in page.get_attribute("#live-grid", "class")
    assert page.inner_text("#stage-note") == "No face in view"


def test_the_sign_for_bystanders(page: Any) -> None:
    page.click("#consent [data-sign]")
    assert "Emotion recognition in use" in page.inner_text("#sign") and page.is_visible("#sign")
    page.click("#sign-close")
    assert page.is_hidden("#sign")


@pytest.mark.parametrize(
    ("locale", "language", "words"),
    [("de-AT", "de", "Bevor die Kamera startet"), ("es-MX", "es", "Antes de encender la cámara")]
    + [("en-GB", "en", "Before the camera starts"), ("fr-FR", "en", "Before the camera starts")],
)
def test_the_browsers_language(browser: Any, server: Server, locale: str, language: str, words: str) -> None:
    context = browser.new_context(locale=locale)
    page = context.new_page()
    page.goto(server.url)
    assert page.inner_text("#consent h2") == words
    assert page.evaluate("document.documentElement.lang") == language
    context.close()


@pytest.mark.parametrize("width", [320, 390])
def test_phones_and_forced_colours(browser: Any, server: Server, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 780}, forced_colors="active", locale="de-DE")
    page = context.new_page()
    page.goto(server.url)
    page.check("#told")
    page.check("#place")
    page.click("#start")
    expect(page.locator("#now-label")).to_have_text("Freude", timeout=WAIT_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    top = {name: page.locator(name).bounding_box()["y"] for name in ("#stage", "#now-title", "#stress", "#timeline")}
    assert list(top) == sorted(top, key=top.__getitem__)  # stress is not under the timeline
    meter = "getComputedStyle(document.querySelector('[aria-label=Freude] i')).backgroundColor"
    assert page.evaluate(meter) == "rgb(240, 228, 66)"  # bars keep their colour
    context.close()


def test_camera_refused(browser: Any, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
    )
    page.goto(server.url)
    page.check("#told")
    page.check("#place")
    page.click("#start")
    page.wait_for_selector("#banner:not([hidden])")
    assert "permission was refused" in page.inner_text("#banner")
    assert page.is_visible("#consent") and page.is_enabled("#start")
    context.close()


def test_keyboard_names_and_width_of_a_phone(browser: Any, server: Server) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 780}, color_scheme="dark")
    page = context.new_page()
    page.goto(server.url)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for view in ("live", "history", "photos"):
        page.goto(f"{server.url}/#{view}")
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, view
    unnamed = """[...document.querySelectorAll('button, a, input, select')].filter(each =>
        !(each.textContent.trim() || each.getAttribute('aria-label') || each.title || each.labels?.length)).length"""
    assert page.evaluate(unnamed) == 0
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    context.close()


def test_page_without_its_token(browser: Any, tiny_model: Path, tmp_path: Path) -> None:
    secured = Process("--host", "0.0.0.0", "--db", tmp_path / "mood.db", "--model", tiny_model, "--detector", "none")
    try:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{secured.port}/#history")
        page.wait_for_selector("#banner:not([hidden])")
        assert "needs its token" in page.inner_text("#banner")
        token = secured.page.partition("#")[2]
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{secured.port}/#{token}")
        assert "token" not in page.url  # it left the address at once
        expect(page.locator("#who")).to_contain_text("Only this browser and the owner of the server", timeout=WAIT_MS)
        page.check("#told")
        page.check("#place")
        page.click("#start")
        expect(page.locator("#state-text")).to_have_text(LIVE, timeout=WAIT_MS)
        context.close()
    finally:
        secured.stop()
