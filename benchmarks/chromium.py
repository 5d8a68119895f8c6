"""What the benchmarks in Chromium share: a folder on this machine's own address, and how other libraries are opened.

    with serve(folder, "speed") as url: page.goto(url)
    page.evaluate("async () => {" + OPEN_HUMAN + "return (await human.detect(canvas)).face.length; }")

The libraries lie under ``peers/`` of the folder. Both run on WebAssembly.
"""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FLAGS = ("--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update")

OPEN_HUMAN = """
        const { default: Human } = await import("/peers/@vladmandic/human/dist/human.esm.js");
        const off = { enabled: false };
        const human = new Human({
          backend: "wasm", wasmPath: "/peers/@tensorflow/tfjs-backend-wasm/dist/",
          debug: false, cacheSensitivity: 0, modelBasePath: "/peers/@vladmandic/human/models/",
          filter: off, gesture: off, body: off, hand: off, object: off, segmentation: off,
          face: { enabled: true, detector: { rotation: false, skipFrames: 0, skipTime: 0 }, mesh: off, attention: off,
            iris: off, description: off, antispoof: off, liveness: off,
            emotion: { enabled: true, skipFrames: 0, skipTime: 0, minConfidence: 0 } },
        });
        await human.load();
        await human.tf.setBackend("wasm");
        await human.tf.ready();
"""
"""JavaScript that leaves ``human``, with its detector and its network of emotions alone."""

OPEN_FACE_API = """
        const faceapi = await import("/peers/@vladmandic/face-api/dist/face-api.esm.js");
        const models = "/peers/@vladmandic/face-api/model/";
        faceapi.tf.setWasmPaths?.("/peers/@tensorflow/tfjs-backend-wasm/dist/");
        await faceapi.tf.setBackend("wasm");
        await faceapi.tf.ready();
        await faceapi.nets.faceExpressionNet.loadFromUri(models);
"""
"""JavaScript that leaves ``faceapi`` with its network of expressions, and ``models``, where its others are."""


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def serve(folder: Path, title: str) -> Iterator[str]:
    """Serve a folder with an empty page; gives its address."""
    (folder / "index.html").write_text(f"<!doctype html><meta charset=utf-8><title>{title}</title>")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
