"""Models on labelled field photos: accuracy, balance, calibration, by persons that nothing was chosen on.

    python benchmarks/field.py PHOTOS [--models base-int8 nano] [--yunet FILE] [--split validation] [--limit N]
    python benchmarks/field.py PHOTOS --json field.json

PHOTOS is a folder with ``faces.csv`` (path, emotion, person); its splits are those of mien.data.persons. Each photo
goes through the whole pipeline: detector, alignment, crop, classifier; its largest face counts. Accuracy comes twice:
among the photos in which a face was found, and among all of them, where an unseen face is a mistake. Emotions that a
model lacks count against it. Each model names emotions by the most probable one, as its card says by default, and as if
all were equally frequent.

Not here: accuracy on cut faces (``mien evaluate``), speed (family.py).
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import quick
from numpy.typing import NDArray

from mien.contract.errors import ImageError
from mien.contract.images import read_image
from mien.contract.pixels import crop_faces
from mien.contract.shipped_models import resolve_model
from mien.data.persons import fold_of, read_persons
from mien.evaluate.photo_figures import photo_figures
from mien.recognition.alignment import crop_aligned
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import Detections, make_detector
from mien.recognition.detectors.margins import MARGINS
from mien.recognition.recognizer import largest_first


def crops_of(
    photos: Path, split: str, detector: str, detector_model: Path | None, limit: int | None, align: bool, side: int
) -> tuple[NDArray[np.uint8], list[str], int]:
    """Largest face of each photo of the split, its emotions, and in how many photos there was none."""
    finder = make_detector(detector, detector_model)
    listed, _ = read_persons(photos, lambda line: print(line, file=sys.stderr))
    rows = [row for row in listed if fold_of(row.person) == split]
    if limit is not None:  # spread over the list, which is sorted by emotion
        rows = [rows[index] for index in np.linspace(0, len(rows) - 1, min(limit, len(rows))).astype(int)]
    crops, emotions, unseen = [], [], 0
    for row in rows:
        try:
            frame_rgb = read_image(photos / row.path)
        except ImageError as error:
            print(error, file=sys.stderr)
            continue
        found = largest_first(finder.detect(frame_rgb))
        if not len(found):
            unseen += 1
            continue
        first = Detections(
            found.boxes_N4[:1],
            None if found.scores_N is None else found.scores_N[:1],
            None if found.landmarks_N52 is None else found.landmarks_N52[:1],
        )
        margin = MARGINS[finder.name]
        cut = crop_aligned if align else lambda frame, faces, size, m: crop_faces(frame, faces.boxes_N4, size, m)
        crops.append(cut(frame_rgb, first, side, margin)[0])
        emotions.append(row.emotion)
    return np.array(crops), emotions, unseen


def judged(model: Classifier, crops_NSS: NDArray[np.uint8], emotions: list[str], unseen: int) -> dict[str, Any]:
    """Figures of one model by each naming."""
    lacking = sorted(set(emotions) - set(model.card.labels))
    labels = (*model.card.labels, *lacking)
    probs_NC = np.pad(model(crops_NSS), ((0, 0), (0, len(lacking))))
    labels_N = np.array([labels.index(emotion) for emotion in emotions])
    found = photo_figures(probs_NC, labels_N, labels, model.card.naming, unseen)
    return {"model": model.card.name, "faces": len(emotions)} | asdict(found)


def print_table(rows: list[dict[str, Any]]) -> None:
    """The figures as a Markdown table."""
    print(
        "| model, named by | accuracy | of all photos | balanced | neutral | ECE (if perfect; debiased) | surest 80 % |"
    )
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        for priors in ("field", "balanced", "uniform"):
            if priors in row["named"]:
                found = row["named"][priors]
                share, neutral = found["accuracy"], found["recall"].get("neutral", {"value": float("nan")})
                print(
                    f"| {row['model']}, {priors} | {share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%}) "
                    f"| {row['of_all_photos'][priors]['value']:.1%} | {found['balanced']:.1%} | {neutral['value']:.1%} "
                    f"| {found['ece']:.1%} ({found['ece_if_calibrated'][0]:.1%} to "
                    f"{found['ece_if_calibrated'][1]:.1%}; {found['ece_debiased']:.1%}) | {found['surest_error']:.2f} |"
                )
    print(f"\n{rows[0]['faces']:,} faces; none found in {rows[0]['unseen']:,} photos")


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--models", nargs="+", default=["base", "base-int8", "nano", "fer2013"])
    parser.add_argument("--split", default="validation", choices=("validation", "calibration", "train"))
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--yunet", type=Path, help="YuNet's file, where it was not pulled")
    parser.add_argument("--limit", type=int, help="so many photos alone")
    parser.add_argument("--upright", action="store_true", help="do not align the eyes")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    options = quick.parse(parser, limit=4)
    models = [Classifier(resolve_model(name)) for name in options.models]
    side = models[0].card.image.side
    detector = "yunet" if options.yunet else options.detector
    crops_NSS, emotions, unseen = crops_of(
        options.photos, options.split, detector, options.yunet, options.limit, not options.upright, side
    )
    rows = [judged(model, crops_NSS, emotions, unseen) for model in models]
    print_table(rows)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
