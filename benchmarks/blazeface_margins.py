"""How BlazeFace, the browser's detector (web/src/blazeface.ts), frames a face; as benchmarks/detector_margins.py does.

    python benchmarks/blazeface_margins.py ~/.cache/mien/fer2013 web/dist/models/blazeface.onnx

Runs the file that web/ builds on ONNX Runtime, one look at the whole canvas. The margin goes into blazeface.ts. With
``--errors`` it also says how far BlazeFace's eyes are off on faces that were turned by known angles.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import quick
from detector_margins import measure
from numpy.typing import NDArray
from PIL import Image

from mien.contract.images import read_image
from mien.contract.telemetry import import_onnxruntime
from mien.recognition.alignment import roll_deg
from mien.recognition.detectors.base import Detections

SIDE = 128
GRIDS = ((16, 2), (8, 6))
MOST_OVERLAP = 0.3
TURNS_DEG = (-35, -20, -10, 0, 10, 20, 35)

Array = NDArray[np.float64]


def anchors() -> Array:
    """Centres of the 896 anchors in shares of the picture."""
    parts = []
    for cells, each in GRIDS:
        axis = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        parts.append(np.repeat(grid, each, axis=0))
    return np.concatenate(parts)


class BlazeFace:
    """The detector, as far as margins and eyes need it."""

    name = "blazeface"

    def __init__(self, path: Path, min_score: float = 0.5) -> None:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._anchors, self._min_score = anchors(), min_score

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        """The faces of a frame; the mouth stands for both of its corners."""
        height, width = frame_rgb.shape[:2]
        scale = SIDE / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
        picture = np.zeros((1, SIDE, SIDE, 3), dtype=np.uint8)
        small = Image.fromarray(frame_rgb).resize(size, Image.Resampling.BILINEAR)
        picture[0, top : top + size[1], left : left + size[0]] = np.asarray(small)
        regressors, logits = self._session.run(None, {"pictures": picture})
        score_A = 1 / (1 + np.exp(-logits[0, :, 0].astype(np.float64)))
        kept = np.flatnonzero(score_A >= self._min_score)
        raw = regressors[0, kept].reshape(-1, 8, 2).astype(np.float64)
        raw[:, [0, *range(2, 8)]] += self._anchors[kept, None] * SIDE
        points = (raw - [left, top]) / scale
        centre, sides = points[:, 0], raw[:, 1] / scale
        boxes = np.concatenate([centre - sides / 2, centre + sides / 2], axis=1)
        found = [merge(boxes, points, score_A[kept], group) for group in groups(boxes, score_A[kept])]
        if not found:
            return Detections(np.empty((0, 4)))
        return Detections(*(np.stack(each) for each in zip(*found, strict=True)))


def groups(boxes_N4: Array, score_N: Array) -> list[NDArray[np.intp]]:
    """Candidates of the same face, the strongest face first."""
    left = np.argsort(-score_N)
    result = []
    while len(left):
        best = boxes_N4[left[0]]
        sides = np.minimum(best[2:], boxes_N4[left, 2:]) - np.maximum(best[:2], boxes_N4[left, :2])
        shared = np.clip(sides, 0, None).prod(axis=1)
        areas = (boxes_N4[left, 2:] - boxes_N4[left, :2]).prod(axis=1)
        same = shared / (areas[0] + areas - shared) > MOST_OVERLAP
        same[0] = True
        result.append(left[same])
        left = left[~same]
    return result


def merge(boxes_N4: Array, points_N82: Array, score_N: Array, group: NDArray[np.intp]) -> tuple[Array, float, Array]:
    """The mean of a group's boxes and points by score, and its best score."""
    weights = score_N[group] / score_N[group].sum()
    points = np.tensordot(weights, points_N82[group], axes=1)
    return weights @ boxes_N4[group], float(score_N[group].max()), points[[2, 3, 4, 5, 5]]


def turned_errors(detector: BlazeFace, faces: list[NDArray[np.uint8]]) -> None:
    """For each angle: faces found, and the median angle that the eyes tell."""
    for turn in TURNS_DEG:
        told = []
        for face_rgb in faces:
            large = Image.fromarray(face_rgb).resize((192, 192), Image.Resampling.BICUBIC)
            canvas = Image.new("RGB", (384, 384), (128, 128, 128))
            canvas.paste(large, (96, 96))
            found = detector.detect(np.asarray(canvas.rotate(-turn, Image.Resampling.BICUBIC, fillcolor=(128,) * 3)))
            if found.landmarks_N52 is not None and len(found):
                told.append(float(roll_deg(found.landmarks_N52)[0]))
        print(f"turned {turn:4} deg  found {len(told) / len(faces):6.1%}  eyes tell {np.median(told):6.1f} deg")


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("fer2013", type=Path, help="folder with train/<class>/*.jpg")
    parser.add_argument("file", type=Path, help="blazeface.onnx")
    parser.add_argument("--faces", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--errors", type=int, default=0, help="faces to turn")
    options = quick.parse(parser, faces=3, errors=1)
    paths = sorted(options.fer2013.expanduser().glob("train/*/*.*"))
    faces = [read_image(path) for path in random.Random(options.seed).sample(paths, min(options.faces, len(paths)))]
    detector = BlazeFace(options.file)
    print(measure(detector, faces, 4, 0.5), flush=True)
    turned_errors(detector, faces[: options.errors])


if __name__ == "__main__":
    main()
