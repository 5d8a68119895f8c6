"""The README's picture of the live page, made by the page itself: real server, real browser, real faces, none shown.

    python scripts/live_screenshot.py FER2013/train --detector yunet --detector-model yunet_n.onnx

Faces of FER2013 are played to a headless Chromium as its camera for two minutes, a calm one first, and the page hides
its picture behind the drawing that follows the figures. Writes docs/live.png. Needs mien[serve], playwright and
Debian's chromium; on a machine that does other things the speed in the picture is that of a busy machine.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from mien.recognition.recognizer import Recognizer

FPS = 30
PLAN = (  # emotion and seconds
    *(("neutral", 20), ("happy", 10), ("neutral", 14), ("happy", 8), ("neutral", 12), ("surprise", 8)),
    *(("neutral", 5), ("angry", 10), ("sad", 7), ("neutral", 8), ("happy", 30)),
)
SHOT_AT_S = 112


def framed(face: Image.Image, index: int) -> Image.Image:
    """A face on a grey ground, swaying a little."""
    frame = Image.new("RGB", (640, 480), (120, 126, 134))
    frame.paste(face, (190 + round(25 * np.sin(index / 40)), 100))
    return frame


def clear_faces(recognizer: Recognizer, folder: Path, count: int = 2) -> list[Image.Image]:
    """Faces of one emotion that detector and model are sure of."""
    found = []
    for file in sorted(folder.glob("*")):
        image = Image.open(file).convert("RGB").resize((260, 260), Image.Resampling.BICUBIC)
        faces = recognizer.recognize(np.asarray(framed(image, 0))).faces
        if len(faces) == 1 and faces[0].emotion == folder.name and faces[0].confidence > 0.85:
            found.append(image)
        if len(found) == count:
            break
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path, help="folder with one folder an emotion")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--detector-model")
    parser.add_argument("--out", type=Path, default=Path("docs/live.png"))
    options = parser.parse_args()
    recognizer = Recognizer("base", options.detector, options.detector_model)
    faces = {name: clear_faces(recognizer, options.faces / name) for name, _ in PLAN}
    with tempfile.TemporaryDirectory() as folder:
        clip, index = Path(folder) / "clip.mjpeg", 0
        with clip.open("wb") as stream:
            for part, (name, seconds) in enumerate(PLAN):
                for _ in range(seconds * FPS):
                    index += 1
                    framed(faces[name][part % len(faces[name])], index).save(stream, "JPEG", quality=80)
        command = [sys.executable, "-m", "mien", "serve", "--port", "0", "--db", f"{folder}/mood.db"]
        command += ["--detector", options.detector]
        command += ["--detector-model", options.detector_model] if options.detector_model else []
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        url = server.stderr.readline().split()[-1]
        try:
            shoot(url, clip, options.out)
        finally:
            server.terminate()
            server.wait(20)


def shoot(url: str, clip: Path, out: Path) -> None:
    """Start the camera, wait, and take the picture."""
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    flags.append(f"--use-file-for-fake-video-capture={clip}")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_context(viewport={"width": 1320, "height": 1120}).new_page()
        page.goto(url)
        page.check("#told")
        page.check("#keep")
        page.click("#start")
        page.wait_for_selector("#stage[data-faces='1']", timeout=60_000)
        page.keyboard.press("d")
        page.evaluate("document.activeElement.blur()")
        page.wait_for_timeout(1000 * SHOT_AT_S)
        page.screenshot(path=out)
        browser.close()


if __name__ == "__main__":
    main()
