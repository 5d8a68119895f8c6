"""What the static page asks for and what it looks like: a recording of its requests, and pictures at two widths.

    make web
    python scripts/static_page_record.py --photo face.jpg --out record/

Writes ``requests.json`` (every request of a visit with camera, photos, history and an offline reload: method, address,
bytes sent and received), ``files.json`` (what ``mien page`` writes, with sizes and licences), and each view
on a desktop and a phone, light and dark, as PNG. Needs Chromium of the system and mien[dev].
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import shutil
import threading
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Request, sync_playwright

from mien.serve.static_page import write_static_page

SIZES = {"desktop": (1280, 900, 1), "phone": (390, 844, 2)}
FLAGS = ("--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update")
WAIT_MS = 90_000
LIVE_MS = 8_000


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


def moving(photo: Path, out: Path) -> Path:
    """The photo as a camera's stream."""
    picture = Image.open(photo).convert("RGB").crop((0, 0, 512, 384)).resize((640, 480))
    with out.open("wb") as stream:
        for index in range(60):
            frame = Image.new("RGB", (640, 480), (90, 96, 104))
            frame.paste(picture, (round(20 * np.sin(index / 60 * 2 * np.pi)), 0))
            frame.save(stream, "JPEG", quality=85)
    return out


def visit(page: Page, url: str, photo: Path, picture: str, out: Path) -> None:
    """Every view once, each with its picture."""
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    page.wait_for_timeout(1000)
    page.screenshot(path=out / f"{picture}-consent.png")
    for box in ("#told", "#place", "#keep"):
        page.check(box)
    page.click("#start")
    page.wait_for_selector("#stage[data-faces='1']")
    page.wait_for_timeout(LIVE_MS)
    page.screenshot(path=out / f"{picture}-live.png", full_page=True)
    page.click("#stop")
    page.click("nav a[data-view=photos]")
    page.set_input_files("#files", str(photo))
    page.wait_for_selector(".photo-face")
    page.screenshot(path=out / f"{picture}-photos.png")
    page.click("nav a[data-view=history]")
    page.click("#session-list button")
    page.wait_for_timeout(500)
    page.screenshot(path=out / f"{picture}-history.png", full_page=True)


def described(request: Request) -> dict[str, object]:
    """One request in a line."""
    sizes = request.sizes() if not request.failure and not request.url.startswith("blob:") else None
    return {
        "method": request.method,
        "url": request.url,
        "sent_bytes": len(request.post_data_buffer or b""),
        "received_bytes": sizes["responseBodySize"] if sizes else None,
        "failure": request.failure,
    }


def offline(context: BrowserContext, page: Page, server: http.server.ThreadingHTTPServer) -> str:
    """What the page shows after a reload with its server gone."""
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("caches.keys().then((names) => names.length === 1)")
    server.shutdown()
    server.server_close()
    page.goto(page.url.partition("#")[0])
    return page.locator("h2").first.inner_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    written = write_static_page(options.out / "page")
    (options.out / "files.json").write_text(json.dumps([asdict(each) for each in written], indent=1))
    totals: Counter[str] = Counter()
    for each in written:
        totals[each.licence] += each.bytes
    print(json.dumps({**totals, "all": sum(totals.values())}))

    handler = functools.partial(Handler, directory=str(options.out / "page"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    camera = moving(options.photo, options.out / "camera.mjpeg")
    flags = [*FLAGS, "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    requests: list[Request] = []
    sockets: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        for name, (width, height, scale) in SIZES.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    device_scale_factor=scale,
                    color_scheme=scheme,
                    permissions=["camera"],
                )
                context.on("request", lambda request: requests.append(request))
                page = context.new_page()
                page.on("websocket", lambda socket: sockets.append(socket.url))
                visit(page, url, options.photo, f"{name}-{scheme}", options.out)
        record = [described(each) for each in requests]
        print(f"without its server the page shows: {offline(context, page, server)!r}")
        browser.close()
    (options.out / "requests.json").write_text(json.dumps({"requests": record, "web_sockets": sockets}, indent=1))
    origins = Counter(str(each["url"]).removeprefix("blob:").split("/")[2] for each in record)
    sent = sum(int(str(each["sent_bytes"])) for each in record)
    print(f"{len(record)} requests to {dict(origins)}, {sent} bytes sent, {len(sockets)} WebSockets")


if __name__ == "__main__":
    main()
