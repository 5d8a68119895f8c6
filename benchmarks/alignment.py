"""Does aligning the eyes help? Validation faces turned by known angles, found by YuNet, cut as found and aligned.

    python benchmarks/alignment.py --yunet face_detection_yunet_2023mar.onnx --fer2013 ~/.cache/mien/fer2013

Each face is enlarged to 144 px, turned about its centre on a 320 px canvas whose border repeats the face's blurred
surroundings, and searched. A row is about the faces found at its angle, fewer where they are turned far, so compare
along rows. The difference is paired by face; its 95 % interval is a percentile bootstrap over faces.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import quick
from numpy.typing import NDArray

from mien.contract.pixels import crop_faces
from mien.contract.shipped_models import resolve_model
from mien.data.loading import load_faces
from mien.recognition.alignment import crop_aligned, roll_deg
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import Detections, Detector
from mien.recognition.detectors.margins import MARGINS
from mien.recognition.detectors.yunet import YuNetDetector

FACE_PX, CANVAS_PX = 144, 320
BOOTSTRAPS = 2000


def turned(face_SS: NDArray[np.uint8], angle_deg: float) -> NDArray[np.uint8]:
    """The face, ``angle_deg`` clockwise, in the middle of an RGB canvas."""
    large = cv2.resize(face_SS, (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC)
    pad = (CANVAS_PX - FACE_PX) // 2
    around = cv2.copyMakeBorder(large, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    blurred = cv2.GaussianBlur(around, (0, 0), 12)
    blurred[pad:-pad, pad:-pad] = large
    middle = (CANVAS_PX - 1) / 2
    turn_23 = cv2.getRotationMatrix2D((middle, middle), -angle_deg, 1.0)  # OpenCV counts the other way round
    grey = cv2.warpAffine(blurred, turn_23, (CANVAS_PX, CANVAS_PX), borderMode=cv2.BORDER_REPLICATE)
    return np.repeat(grey[:, :, None], 3, axis=2)


def central(found: Detections) -> Detections | None:
    """The face in the middle, or None."""
    if not len(found):
        return None
    centres_N2 = (found.boxes_N4[:, :2] + found.boxes_N4[:, 2:]) / 2
    away_N = np.abs(centres_N2 - CANVAS_PX / 2).max(axis=1)
    best = int(away_N.argmin())
    if away_N[best] > FACE_PX / 3:
        return None
    assert found.landmarks_N52 is not None
    return Detections(found.boxes_N4[[best]], None, found.landmarks_N52[[best]])


def interval_95(difference_N: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float]:
    drawn_BN = rng.integers(len(difference_N), size=(BOOTSTRAPS, len(difference_N)))
    low, high = np.percentile(difference_N[drawn_BN].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def cut(
    detector: Detector, faces: NDArray[np.uint8], angle: float, side: int
) -> tuple[NDArray[np.bool_], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]:
    """Which faces are found at an angle; their crops as found and aligned; the angles that their eyes are seen at."""
    found_N = np.zeros(len(faces), dtype=bool)
    plain, level, rolls = [], [], []
    for index, face in enumerate(faces):
        frame_rgb = turned(face, angle)
        found = central(detector.detect(frame_rgb))
        if found is None:
            continue
        assert found.landmarks_N52 is not None
        found_N[index] = True
        rolls.append(roll_deg(found.landmarks_N52)[0])
        plain.append(crop_faces(frame_rgb, found.boxes_N4, side, MARGINS["yunet"])[0])
        level.append(crop_aligned(frame_rgb, found, side, MARGINS["yunet"])[0])
    return found_N, np.stack(plain), np.stack(level), np.array(rolls)


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--yunet", type=Path, required=True)
    parser.add_argument("--fer2013", type=Path, default=Path("~/.cache/mien/fer2013"))
    parser.add_argument("--model", default="base")
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--angles", type=float, nargs="+", default=[-30, -20, -10, 0, 10, 20, 30])
    parser.add_argument("--seed", type=int, default=0)
    options = quick.parse(parser, faces=3, angles=[0, 20])

    rng = np.random.default_rng(options.seed)
    validation = load_faces(options.fer2013.expanduser(), side=48).split("validation")
    chosen_N = rng.permutation(len(validation))[: options.faces]
    faces, labels_N = validation.faces_NHW[chosen_N], validation.labels_N[chosen_N]
    classifier = Classifier(resolve_model(options.model))
    order_C = [classifier.card.labels.index(label) for label in validation.labels]
    detector = YuNetDetector(options.yunet)
    print(f"{classifier.card.name}, {len(faces)} validation faces")
    print("turned   found   eyes seen at   as found    aligned   difference (95 % interval)")
    per_face_N, rows_N = np.zeros((2, len(faces)))
    for angle in options.angles:
        found_N, plain_NSS, level_NSS, rolls_N = cut(detector, faces, angle, classifier.card.image.side)
        right_N, level_right_N = (
            (classifier(each)[:, order_C].argmax(axis=1) == labels_N[found_N]).astype(float)
            for each in (plain_NSS, level_NSS)
        )
        difference_N = level_right_N - right_N
        per_face_N[found_N] += difference_N
        rows_N += found_N
        low, high = interval_95(difference_N, rng)
        print(
            f"{angle:+4.0f} deg  {found_N.mean():6.1%}  {np.median(rolls_N):+6.1f} deg    {right_N.mean():7.1%}    "
            f"{level_right_N.mean():7.1%}    {100 * difference_N.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
            flush=True,
        )
    seen_N = rows_N > 0  # a face counts once, with its mean over the angles at which it was found
    mean_N = per_face_N[seen_N] / rows_N[seen_N]
    low, high = interval_95(mean_N, rng)
    print(f"all angles: {100 * mean_N.mean():+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})")


if __name__ == "__main__":
    main()
