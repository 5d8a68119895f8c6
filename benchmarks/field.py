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
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import quick
from numpy.typing import NDArray

from mien.cli.cut_photos import cut_faces
from mien.contract.shipped_models import resolve_model
from mien.data.layouts import find_source
from mien.data.source import Image, Source
from mien.evaluate.photo_figures import photo_figures
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import Detections, Detector, make_detector


class Upright:
    """A detector without its landmarks, so that faces are cut as they stand."""

    def __init__(self, detector: Detector) -> None:
        self.name, self._detector = detector.name, detector

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        return replace(self._detector.detect(frame_rgb), landmarks_N52=None)


def chosen_photos(folder: Path, split: str, limit: int | None) -> tuple[Source, list[Image]]:
    """The photos of one split; with a limit so many of them, spread over the list, which is sorted by emotion."""
    source = find_source(folder, "persons", problem=tell, note=tell)
    images = [image for image in source.images if image.split == split]
    if limit is not None:
        images = [images[index] for index in np.linspace(0, len(images) - 1, min(limit, len(images))).astype(int)]
    return source, images


def tell(line: str) -> None:
    """A problem with a photo or with the list, for the user."""
    print(line, file=sys.stderr)


def crops_of(
    photos: Path, split: str, detector: str, detector_model: Path | None, limit: int | None, align: bool, side: int
) -> tuple[NDArray[np.uint8], list[str], int]:
    """Largest face of each photo of the split, its emotions, and in how many photos there was none."""
    source, images = chosen_photos(photos, split, limit)
    finder = make_detector(detector, detector_model)
    cut = list(cut_faces(source, images, finder if align else Upright(finder), side, tell))
    found = [(image, each) for image, each in cut if each is not None]
    emotions = [source.labels[image.label] for image, _ in found]
    return np.array([each.face_SS for _, each in found]), emotions, len(cut) - len(found)


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
