"""Other packages on labelled field photos, beside ours: the table of field.py for whatever is installed.

    python -m venv fer-env && fer-env/bin/pip install fer
    npm install --prefix peers @vladmandic/human @vladmandic/face-api @tensorflow/tfjs-backend-wasm@4.22.0
    python benchmarks/field_peers.py PHOTOS --fer fer-env/bin/python --peers peers/node_modules --limit 600

``fer`` and ``human`` find faces with detectors of their own; the largest face counts, and a photo without a face counts
as a mistake in "of all photos". The detectors of ``face-api`` find few of faces that fill their photo, so its network
of expressions gets our boxes. ``human`` and ``face-api`` run in Chromium on WebAssembly. Emotions that
a package lacks (contempt) count against it. Ours is measured on the same photos.

Not here: our models by naming (field.py), speed (browser_speed.py, family.py).
"""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import quick
from browser_speed import FLAGS, Handler

from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.contract.errors import ImageError
from mien.contract.results import FrameResult
from mien.data.persons import fold_of, read_persons
from mien.evaluate.photo_figures import PhotoFigures, photo_figures
from mien.recognition.recognizer import Recognizer

PEER_FER = Path(__file__).with_name("peer_fer.py")
Answer = Mapping[str, float] | None
"""Scores of the largest face by emotion; None where no face was found."""

NAMES = {"fearful": "fear", "disgusted": "disgust", "surprised": "surprise"}
"""Emotions that face-api calls by other names."""

BROWSER = {
    "@vladmandic/human": """async () => {
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
        return async (image) => {
          const { face } = await human.detect(image);
          return face.map(({ box, emotion }) => [box[2] * box[3], emotion.map((each) => [each.emotion, each.score])]);
        };
      }""",
    "@vladmandic/face-api": """async () => {
        const faceapi = await import("/peers/@vladmandic/face-api/dist/face-api.esm.js");
        faceapi.tf.setWasmPaths?.("/peers/@tensorflow/tfjs-backend-wasm/dist/");
        await faceapi.tf.setBackend("wasm");
        await faceapi.tf.ready();
        await faceapi.nets.faceExpressionNet.loadFromUri("/peers/@vladmandic/face-api/model/");
        return async (image, box) => {
          if (box === null) return [];
          const [left, top, right, bottom] = box;
          const side = Math.max(right - left, bottom - top);
          const face = Object.assign(document.createElement("canvas"), { width: side, height: side });
          face.getContext("2d").drawImage(image, (right + left - side) / 2, (bottom + top - side) / 2, side, side,
            0, 0, side, side);
          return [[1, Object.entries(await faceapi.nets.faceExpressionNet.predictExpressions(face))]];
        };
      }""",
}

ASK = """async ([path, box]) => {
  const image = await createImageBitmap(await (await fetch(path)).blob());
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0);
  const faces = await window.step(canvas, box);
  faces.sort((a, b) => b[0] - a[0]);
  return faces.length ? Object.fromEntries(faces[0][1]) : null;
}"""


def chosen_photos(folder: Path, split: str, limit: int | None) -> tuple[list[str], list[str]]:
    """Paths within the folder and the emotions of one split, spread over the list."""
    listed, _ = read_persons(folder, lambda line: print(line, file=sys.stderr))
    rows = [row for row in listed if fold_of(row.person) == split]
    if limit is not None:
        rows = [rows[index] for index in np.linspace(0, len(rows) - 1, min(limit, len(rows))).astype(int)]
    return [row.path for row in rows], [row.emotion for row in rows]


def recognized(folder: Path, paths: Sequence[str], model: str) -> Iterator[tuple[str, FrameResult]]:
    """What a model of ours says of each photo, with the detector that it takes by itself."""
    found = Recognizer(model).recognize_many(folder / path for path in paths)
    for path, result in zip(paths, found, strict=True):
        if isinstance(result, ImageError):
            raise result
        yield path, result


def ours(folder: Path, paths: Sequence[str], model: str) -> Iterator[Answer]:
    """Answers of a model of ours."""
    for _, result in recognized(folder, paths, model):
        yield result.faces[0].scores if result.faces else None


def fers(python: str, folder: Path, paths: Sequence[str]) -> Iterator[Answer]:
    """Answers of the package ``fer`` in the environment of ``python``."""
    lines = "".join(f"{folder / path}\n" for path in paths)
    command = [python, str(PEER_FER), "photos", "-"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        if line.startswith(("{", "null")):
            yield json.loads(line)


def browsers(peers: Path, folder: Path, paths: Sequence[str]) -> Iterator[tuple[str, list[Answer]]]:
    """Answers of each library that runs in Chromium."""
    boxes = {path: found.faces[0].box_xyxy for path, found in recognized(folder, paths, "base-int8") if found.faces}
    from playwright.sync_api import sync_playwright

    site = Path(tempfile.mkdtemp())
    (site / "peers").symlink_to(peers.resolve())
    (site / "photos").symlink_to(folder.resolve())
    (site / "index.html").write_text("<!doctype html><meta charset=utf-8><title>peers</title>")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for name, setup in BROWSER.items():
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.evaluate(f"async () => {{ window.step = await ({setup})(); }}")
            yield name, [page.evaluate(ASK, [f"/photos/{path}", boxes.get(path)]) for path in paths]
        browser.close()
    server.shutdown()
    shutil.rmtree(site)


def figures(answers: Sequence[Answer], emotions: Sequence[str]) -> PhotoFigures:
    """The figures of one package; the most probable emotion is named."""
    found = [(answer, emotion) for answer, emotion in zip(answers, emotions, strict=True) if answer is not None]
    labels = FERPLUS_EMOTIONS
    probs_NC = np.zeros((len(found), len(labels)))
    for row_C, (answer, _) in zip(probs_NC, found, strict=True):
        for name, score in answer.items():
            row_C[labels.index(NAMES.get(name, name))] = score
    labels_N = np.array([labels.index(emotion) for _, emotion in found])
    return photo_figures(probs_NC, labels_N, labels, None, unseen=len(answers) - len(found))


def print_row(name: str, answers: Sequence[Answer], emotions: Sequence[str]) -> None:
    """One line of the Markdown table."""
    result = figures(answers, emotions)
    found, of_all = result.named["field"], result.of_all_photos["field"]
    neutral = found.recall["neutral"]
    print(
        f"| {name} | {result.photos - result.unseen:,} of {result.photos:,} | {found.accuracy.value:.1%} "
        f"({found.accuracy.low:.1%} to {found.accuracy.high:.1%}) | {of_all.value:.1%} | {found.balanced:.1%} "
        f"| {neutral.value:.1%} ({neutral.low:.1%} to {neutral.high:.1%}) | {found.ece:.1%} |",
        flush=True,
    )


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--models", nargs="*", default=["base-int8", "nano"])
    parser.add_argument("--fer", help="the Python of an environment with the package fer")
    parser.add_argument("--peers", type=Path, help="node_modules with human and face-api")
    parser.add_argument("--split", default="validation", choices=("validation", "calibration", "train"))
    parser.add_argument("--limit", type=int, help="so many photos, spread over the list")
    options = quick.parse(parser, limit=4)
    paths, emotions = chosen_photos(options.photos, options.split, options.limit)
    print("| package | faces found | accuracy (95 %) | of all photos | balanced over six | neutral (95 %) | ECE |")
    print("|---|---|---|---|---|---|---|")
    for model in options.models:
        print_row(model, list(ours(options.photos, paths, model)), emotions)
    if options.fer:
        print_row("fer", list(fers(options.fer, options.photos, paths)), emotions)
    if options.peers:
        for name, answers in browsers(options.peers, options.photos, paths):
            print_row(name, answers, emotions)


if __name__ == "__main__":
    main()
