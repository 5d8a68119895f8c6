"""Identity switches, MOTA and IDF1 of the tracker on clips of people on known paths.

    python benchmarks/tracking.py                                             # true boxes with faults added; a minute
    python benchmarks/tracking.py --yunet FILE --fer2013 ~/.cache/mien/fer2013   # drawn from real faces, YuNet detects

Beside the tracker stands the plainest one there is: the box that overlaps most with the last one, frame by frame
(Bochinski et al. 2017). Scenes, faults and figures are those of tests/video/track_clips.py. Spread is the standard
deviation over groups of clips.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import quick
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "video"))
from track_clips import SCENES, Clip, crossing, crowd, door, idf1, imperfect, iou, mota, pillar, render, score

from mien.recognition.detectors import Detections
from mien.recognition.detectors.yunet import YuNetDetector
from mien.video.tracker import Tracker

GROUPS = 5


class OverlapTracker:
    """Greedy by IoU >= 0.3 with the last frame's boxes; no motion, no gaps."""

    def __init__(self) -> None:
        self.last: list[tuple[NDArray[np.float64], int]] = []
        self.count = 0

    def update(self, detections: Detections, t_s: float) -> list[int]:
        boxes = list(detections.boxes_N4)
        candidates = [
            (iou(box_4, old_4), index, track_id) for index, box_4 in enumerate(boxes) for old_4, track_id in self.last
        ]
        chosen: dict[int, int] = {}
        for overlap, index, track_id in sorted(candidates, reverse=True, key=lambda each: each[0]):
            if overlap >= 0.3 and index not in chosen and track_id not in chosen.values():
                chosen[index] = track_id
        for index in range(len(boxes)):
            if index not in chosen:
                self.count += 1
                chosen[index] = self.count
        ids = [chosen[index] for index in range(len(boxes))]
        self.last = list(zip(boxes, ids, strict=True))
        return ids


def run(make: Callable[[], Tracker | OverlapTracker], clip: Clip, found_F: list[Detections]) -> Counter[str]:
    """Track one clip and count."""
    tracker = make()
    answers = [(found.boxes_N4, tracker.update(found, t_s)) for found, t_s in zip(found_F, clip.times_F, strict=True)]
    return score(clip, answers)


def line(name: str, what: str, totals: list[Counter[str]]) -> str:
    """One row: the figures over all clips, and how they spread over groups of clips."""
    whole = sum(totals, Counter())
    groups = [sum(totals[start::GROUPS], Counter()) for start in range(min(GROUPS, len(totals)))]
    spread_mota, spread_idf1 = (np.std([figure(group) for group in groups]) for figure in (mota, idf1))
    return (
        f"{name:16} {what:8} {len(totals):5} {whole['faces']:8,} {whole['switches']:9} {mota(whole):9.3f} "
        f"± {spread_mota:.3f} {idf1(whole):8.3f} ± {spread_idf1:.3f}"
    )


HEADER = f"{'scene':16} {'tracker':8} {'clips':>5} {'faces':>8} {'switches':>9} {'MOTA':>9}         {'IDF1':>8}"


def with_faults(clips: int, seed: int) -> None:
    """True boxes, noised; several strengths of faults and frame rates."""
    cases = [
        *((name, scene, {}) for name, scene in SCENES.items()),
        ("crowd 30% missed", crowd, {"missed": 0.3}),
        ("crowd at 10/s", partial(crowd, fps=10.0), {}),
        ("crowd at 5/s", partial(crowd, fps=5.0), {}),
        ("crossing at 10/s", partial(crossing, fps=10.0), {}),
        ("pillar at 10/s", partial(pillar, fps=10.0), {}),
        ("door at 10/s", partial(door, fps=10.0), {}),
    ]
    print(HEADER)
    for name, scene, faults in cases:
        totals: dict[str, list[Counter[str]]] = {"overlap": [], "mien": []}
        for index in range(clips):
            rng = np.random.default_rng([seed, index])
            clip = scene(rng)
            found_F = imperfect(clip, rng, **faults)
            totals["overlap"].append(run(OverlapTracker, clip, found_F))
            totals["mien"].append(run(Tracker, clip, found_F))
        for what, counts in totals.items():
            print(line(name, what, counts), flush=True)


def speed() -> None:
    """Milliseconds an update, for a few faces and for a hall of them."""
    rng = np.random.default_rng(0)
    for people in (2, 10, 100):
        corners_P2 = rng.uniform(0, 4000, (people, 2))
        milliseconds = []
        tracker = Tracker()
        for frame in range(100):
            corners = corners_P2 + rng.normal(0, 2, corners_P2.shape) + frame
            found = Detections(np.concatenate([corners, corners + 80], axis=1))
            start = time.perf_counter()
            tracker.update(found, frame / 30)
            milliseconds.append((time.perf_counter() - start) * 1e3)
        low, middle, high = np.percentile(milliseconds, [5, 50, 95])
        print(f"{people:4} faces: {middle:.2f} ms an update (5 to 95 %: {low:.2f} to {high:.2f})")


def with_yunet(yunet: Path, fer2013: Path, clips: int, seed: int, every: int) -> None:
    """Clips drawn from real faces on a photograph, found by YuNet."""
    import cv2
    from skimage import data

    from mien.contract.images import read_image

    detector = YuNetDetector(yunet, min_score=0.5)
    paths = sorted(fer2013.expanduser().glob("train/*/*.*"))
    background = cv2.resize(np.asarray(data.coffee()), (640, 480)) // 2 + 60
    print(HEADER)
    for name, scene in SCENES.items():
        totals: dict[str, list[Counter[str]]] = {}
        for index in range(clips):
            rng = np.random.default_rng([seed, index])
            clip = scene(rng)
            faces = usable_faces(detector, paths, len(clip.people), rng, read_image)
            clip = Clip(clip.name, clip.times_F[::every], clip.people, clip.walls)
            found_F = [detector.detect(frame) for frame in render(clip, faces, background.astype(np.uint8))]
            for least in (0.5, 0.7):
                kept = [at_least(found, least) for found in found_F]
                totals.setdefault(f"overlap{least}", []).append(run(OverlapTracker, clip, kept))
                totals.setdefault(f"mien{least}", []).append(run(Tracker, clip, kept))
        for what, counts in totals.items():
            print(line(name, what, counts), flush=True)


def at_least(found: Detections, score_: float) -> Detections:
    assert found.scores_N is not None and found.landmarks_N52 is not None
    kept = found.scores_N >= score_
    return Detections(found.boxes_N4[kept], found.scores_N[kept], found.landmarks_N52[kept])


def usable_faces(detector, paths, count, rng, read_image):  # type: ignore[no-untyped-def]
    """Crops in which YuNet finds the face, so that the tracker is measured and not the detector."""
    import cv2

    faces = []
    while len(faces) < count:
        face = read_image(paths[rng.integers(len(paths))])
        large = cv2.copyMakeBorder(cv2.resize(face, (96, 96)), 48, 48, 48, 48, cv2.BORDER_CONSTANT, value=(128,) * 3)
        found = detector.detect(large)
        if len(found) == 1 and found.scores_N[0] > 0.85:
            faces.append(face)
    return faces


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--yunet", type=Path, help="YuNet's file: draw the clips and let it find the faces")
    parser.add_argument("--fer2013", type=Path, default=Path("~/.cache/mien/fer2013"))
    parser.add_argument("--every", type=int, default=1, help="search every k-th frame only")
    options = quick.parse(parser, clips=1)
    if options.yunet:
        with_yunet(options.yunet, options.fer2013, options.clips, options.seed, options.every)
    else:
        with_faults(options.clips, options.seed)
        speed()


if __name__ == "__main__":
    main()
