"""mien beside two libraries that people use in the browser: time a face in the same Chromium, and what is downloaded.

    npm install --prefix peers @vladmandic/human @vladmandic/face-api @tensorflow/tfjs-backend-wasm@4.22.0
    python benchmarks/browser_speed.py --peers peers/node_modules --photo face.jpg

All run on WebAssembly with SIMD in one thread, on the same 640 x 480 picture with one face: finding it and naming its
emotion, nothing else. Rounds alternate between the libraries, so a busy machine is busy for all of them. ``--minutes``
instead runs mien alone and prints the memory of its page.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path

import quick
from chromium import FLAGS, OPEN_FACE_API, OPEN_HUMAN, serve
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from mien.contract.shipped_models import resolve_model

DIST = Path(__file__).parents[1] / "web" / "dist"

SETUPS = {
    "mien, nano": """async () => {
        const { Mien } = await import("/mien/mien.js");
        const mien = await Mien.load({ models: "/mien/models/", model: "nano" });
        return async (canvas) => {
          const { faces } = await mien.recognize(canvas, { thorough: false });
          return [faces.length, faces[0]?.emotion];
        };
      }""",
    "@vladmandic/human": "async () => {"
    + OPEN_HUMAN
    + """
        return async (canvas) => {
          const { face } = await human.detect(canvas);
          return [face.length, face[0]?.emotion?.[0]?.emotion, human.tf.getBackend()];
        };
      }""",
    "@vladmandic/face-api": "async () => {"
    + OPEN_FACE_API
    + """
        await faceapi.nets.tinyFaceDetector.loadFromUri(models);
        return async (canvas) => {
          const options = new faceapi.TinyFaceDetectorOptions({ inputSize: 320 });
          const faces = await faceapi.detectAllFaces(canvas, options).withFaceExpressions();
          const best = Object.entries(faces[0]?.expressions ?? {}).sort((a, b) => b[1] - a[1])[0];
          return [faces.length, best?.[0], faceapi.tf.getBackend()];
        };
      }""",
}

LOAD = """async (source) => {
  const start = performance.now();
  const image = await createImageBitmap(await (await fetch("/photo.png")).blob());
  window.canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  window.canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0);
  window.step = await eval(source)();
  const answer = await window.step(window.canvas);
  return { answer, first_ms: performance.now() - start };
}"""
TIME = """async (count) => {
  const times = [];
  for (let index = 0; index < count; index += 1) {
    const start = performance.now();
    await window.step(window.canvas);
    times.push(performance.now() - start);
  }
  return times;
}"""
CLASSIFY = """async (count) => {
  const { Mien } = await import("/mien/mien.js");
  const mien = await Mien.load({ models: "/mien/models/", model: "nano", detector: "none" });
  const side = mien.card.image.side;
  const times = [];
  for (let index = 0; index < count; index += 1) {
    const crop = Uint8Array.from({ length: side * side }, (_, at) => (at * 7 + index) % 256);
    const start = performance.now();
    await mien.classify(crop);
    times.push(performance.now() - start);
  }
  mien.close();
  return times;
}"""


def fill(folder: Path, photo: Path, peers: Path | None) -> None:
    """Everything that the pages fetch."""
    shutil.copytree(DIST, folder / "mien")
    shutil.copy(resolve_model("nano"), folder / "mien" / "models")
    if peers is not None:
        (folder / "peers").symlink_to(peers.resolve())
    Image.open(photo).convert("RGB").resize((640, 480)).save(folder / "photo.png")


def share(times: list[float], of: float) -> float:
    """A quantile."""
    return sorted(times)[min(len(times) - 1, int(of * len(times)))]


def line(name: str, times: list[float]) -> str:
    """Median and spread."""
    low, middle, high = (share(times, of) for of in (0.1, 0.5, 0.9))
    return f"{name:22} median {middle:6.1f} ms   10 % {low:6.1f}   90 % {high:6.1f}"


def compare(pages: dict[str, Page], rounds: int, count: int) -> None:
    """Alternating rounds; one line a library."""
    times: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(rounds):
        for name, page in pages.items():
            times[name] += page.evaluate(TIME, count)
    for name, each in times.items():
        print(line(name, each))
    print(line("nano alone, one crop", next(iter(pages.values())).evaluate(CLASSIFY, rounds * count)))


def watch_memory(page: Page, minutes: float) -> None:
    """The page's memory while it recognises without a pause; the worker's wasm memory counts too."""
    session = page.context.new_cdp_session(page)
    started, frames = time.monotonic(), 0
    while (passed := time.monotonic() - started) < 60 * minutes:
        frames += len(page.evaluate(TIME, 100))
        if frames % 500 == 0:
            session.send("HeapProfiler.collectGarbage")
            heap = session.send("Runtime.getHeapUsage")
            processes = renderer_mb()
            print(
                json.dumps(
                    {
                        "s": round(passed),
                        "frames": frames,
                        "heap_mb": round(heap["usedSize"] / 1e6, 2),
                        "rss_mb": processes,
                    }
                ),
                flush=True,
            )


def renderer_mb() -> float:
    """Resident memory of the largest renderer of this machine's Chromium."""
    largest = 0
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"--type=renderer" in status.read_bytes():
                pages = int((status.parent / "statm").read_text().split()[1])
                largest = max(largest, pages * 4096)
        except OSError:
            continue
    return round(largest / 1e6, 1)


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--peers", type=Path, help="node_modules with the other libraries")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--count", type=int, default=15, help="faces a round")
    parser.add_argument("--minutes", type=float, default=0.0)
    options = quick.parse(parser, rounds=1, count=2)
    wanted = {name: setup for name, setup in SETUPS.items() if name.startswith("mien") or options.peers}
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder), "speed") as url, sync_playwright() as play:
        fill(Path(folder), options.photo, options.peers)
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        pages = {}
        for name, setup in wanted.items():
            page = browser.new_context().new_page()
            sizes: list[int] = []
            page.on("requestfinished", lambda request, sizes=sizes: sizes.append(request.sizes()["responseBodySize"]))
            page.goto(url)
            first = page.evaluate(LOAD, f"({setup})")
            pages[name] = page
            size = sum(sizes) / 1e6
            print(f"{name:22} first {first['first_ms']:6.0f} ms   downloads {size:6.2f} MB   {first['answer']}")
        if options.minutes:
            watch_memory(pages["mien, nano"], options.minutes)
        else:
            compare(pages, options.rounds, options.count)
        browser.close()


if __name__ == "__main__":
    main()
