"""What the tests of web/ share: npm in its folder, a static site under the strict policy, where the browser is."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"
NPM = shutil.which("npm")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; style-src 'self'; manifest-src 'self'; media-src 'self' blob:; base-uri 'none'"
)
FLAGS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def npm(*words: str, limit_s: float = 240) -> subprocess.CompletedProcess[str]:
    """Run npm in web/."""
    assert NPM is not None
    command = [NPM, *words]
    return subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=limit_s, check=False)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Static files under the strict policy."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *words: object) -> None:
        pass


class StaticSite:
    """A folder on this machine's own address; may be stopped, as a network that fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        handler = functools.partial(Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
