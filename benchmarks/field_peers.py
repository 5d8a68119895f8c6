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

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import quick
from chromium import FLAGS, OPEN_FACE_API, OPEN_HUMAN, serve
from field import chosen_photos

from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.contract.errors import ImageError
from mien.contract.results import FrameResult
from mien.evaluate.photo_figures import PhotoFigures, photo_figures
from mien.recognition.recognizer import Recognizer

PEER_FER = Path(__file__).with_name("peer_fer.py")
Answer = Mapping[str, float] | None
"""Scores of the largest face by emotion; None where no face was found."""

NAMES = {"fearful": "fear", "disgusted": "disgust", "surprised": "surprise"}
"""Emotions that face-api calls by other names."""

BROWSER = {
    "@vladmandic/human": "async () => {"
    + OPEN_HUMAN
    + """
        return async (image) => {
          const { face } = await human.detect(image);
          return face.map(({ box, emotion }) => [box[2] * box[3], emotion.map((each) => [each.emotion, each.score])]);
        };
      }""",
    "@vladmandic/face-api": "async () => {"
    + OPEN_FACE_API
    + """
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


def recognized(folder: Path, paths: Sequence[str], model: str) -> list[FrameResult]:
    """What a model of ours says of each photo, with the detector that it takes by itself."""
    found = []
    for result in Recognizer(model).recognize_many(folder / path for path in paths):
        if isinstance(result, ImageError):
            raise result
        found.append(result)
    return found


def fers(python: str, folder: Path, paths: Sequence[str]) -> Iterator[Answer]:
    """Answers of the package ``fer`` in the environment of ``python``."""
    lines = "".join(f"{folder / path}\n" for path in paths)
    command = [python, str(PEER_FER), "photos", "-"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        if line.startswith(("{", "null")):
            yield json.loads(line)


def browsers(
    peers: Path, folder: Path, paths: Sequence[str], ours: Sequence[FrameResult]
) -> Iterator[tuple[str, list[Answer]]]:
    """Answers of each library that runs in Chromium; ``ours`` has the boxes for the one that finds too few."""
    from playwright.sync_api import sync_playwright

    boxes = [result.faces[0].box_xyxy if result.faces else None for result in ours]
    with tempfile.TemporaryDirectory() as name, serve(Path(name), "peers") as url, sync_playwright() as play:
        (Path(name) / "peers").symlink_to(peers.resolve())
        (Path(name) / "photos").symlink_to(folder.resolve())
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for library, setup in BROWSER.items():
            page = browser.new_page()
            page.goto(url)
            page.evaluate(f"async () => {{ window.step = await ({setup})(); }}")
            asked = zip(paths, boxes, strict=True)
            yield library, [page.evaluate(ASK, [f"/photos/{path}", box]) for path, box in asked]
        browser.close()


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
    source, images = chosen_photos(options.photos, options.split, options.limit)
    paths, emotions = [image.file for image in images], [source.labels[image.label] for image in images]
    print("| package | faces found | accuracy (95 %) | of all photos | balanced over six | neutral (95 %) | ECE |")
    print("|---|---|---|---|---|---|---|")
    ours: list[FrameResult] = []
    for model in options.models:
        ours = recognized(options.photos, paths, model)
        print_row(model, [result.faces[0].scores if result.faces else None for result in ours], emotions)
    if options.fer:
        print_row("fer", list(fers(options.fer, options.photos, paths)), emotions)
    if options.peers:
        ours = ours or recognized(options.photos, paths, "base-int8")
        for name, answers in browsers(options.peers, options.photos, paths, ours):
            print_row(name, answers, emotions)


if __name__ == "__main__":
    main()
