"""What averaging models would gain in the field: how often they agree, and accuracy by the number of members.

    python experiments/ensemble.py FER2013 --field CROPS --models base nano fer2013 lite0.onnx [--votes FILE]

Models answer cut faces; a model of FER2013's seven labels gives contempt nothing. Averages weigh all members alike. The
best set of each size is chosen on one half of the calibration persons and judged on the other half, both ways round;
beside it stands the best set when chosen and judged on the same faces, which flatters. Nobody looks at the persons kept
for selection.

Shape legend: N faces, C = 8 emotions.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from ablation import FieldFaces, calibration_faces
from numpy.typing import NDArray

from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.contract.shipped_models import resolve_model
from mien.data.loading import load_faces
from mien.data.votes import by_votes
from mien.evaluate.comparison import mcnemar_p
from mien.evaluate.scoring import predict_all
from mien.recognition.classifier import Classifier

Answers = Mapping[str, NDArray[np.float64]]
"""Probabilities (N, C) by model, columns in the order of FER+."""


def answers(path: Path, faces_NHW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A model's probabilities of FER+'s eight emotions; nought for those that it lacks."""
    model = Classifier(path, provider="cpu", threads=1)
    probs_NC = np.zeros((len(faces_NHW), len(FERPLUS_EMOTIONS)))
    given_NC = predict_all(model, faces_NHW)
    for column, label in enumerate(model.card.labels):
        probs_NC[:, FERPLUS_EMOTIONS.index(label)] = given_NC[:, column]
    return probs_NC


def right(probs: Answers, members: Sequence[str], labels_N: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which faces the mean of some models gets right."""
    return np.asarray(np.mean([probs[name] for name in members], axis=0).argmax(axis=1) == labels_N)


@dataclass(frozen=True)
class Step:
    """The best sets of one size.

    Attributes:
        chosen: on each half of the persons; judged on the other half.
        field_right_N: of these, whether each face is right.
        flattering: the best set on all faces, and ``flattering_accuracy``, which it was chosen by.
    """

    chosen: tuple[tuple[str, ...], tuple[str, ...]]
    field_right_N: NDArray[np.bool_]
    flattering: tuple[str, ...]
    flattering_accuracy: float


def curve(probs: Answers, labels_N: NDArray[np.int64], half_N: NDArray[np.int64]) -> list[Step]:
    """The best mean of 1, 2, 3, … members on field faces."""
    steps = []
    for size in range(1, len(probs) + 1):
        hits = {members: right(probs, members, labels_N) for members in combinations(probs, size)}
        judged_N = np.empty(len(labels_N), dtype=bool)
        chosen = []
        for half in (0, 1):
            best = max(hits, key=lambda members: hits[members][half_N == half].mean())
            judged_N[half_N != half] = hits[best][half_N != half]
            chosen.append(best)
        top = max(hits, key=lambda members: hits[members].mean())
        steps.append(Step((chosen[0], chosen[1]), judged_N, top, float(hits[top].mean())))
    return steps


def p_value(one_N: NDArray[np.bool_], other_N: NDArray[np.bool_]) -> float:
    """McNemar's exact test."""
    gained, lost = int((one_N & ~other_N).sum()), int((other_N & ~one_N).sum())
    return mcnemar_p(gained, lost)


def print_agreement(probs: Answers, labels_N: NDArray[np.int64]) -> None:
    """How often each pair names the same emotion, and how many of one's mistakes the other gets right."""
    print("\n| names the same emotion; of the row's mistakes the column is right on |", " | ".join(probs), "|")
    print("|---|" + "---|" * len(probs))
    for row in probs:
        named_N = probs[row].argmax(axis=1)
        wrong_N = named_N != labels_N
        cells = []
        for column in probs:
            other_N = probs[column].argmax(axis=1)
            cells.append(f"{(named_N == other_N).mean():.1%}; {(other_N == labels_N)[wrong_N].mean():.0%}")
        print(f"| {row} |", " | ".join(cells), "|")


def print_curve(in_field: Answers, field: FieldFaces, on_votes: Answers, votes_N: NDArray[np.int64]) -> None:
    """Members, accuracy in the field chosen apart, p against one member, the flattering figure, FER+ majority."""
    print(
        "\n| members | field, chosen on other persons | p against one | field, flattering | its FER+ majority | which |"
    )
    print("|---|---|---|---|---|---|")
    steps = curve(in_field, field.labels_N, field.half_N)
    for size, step in enumerate(steps, start=1):
        majority = right(on_votes, step.flattering, votes_N).mean()
        p = p_value(step.field_right_N, steps[0].field_right_N)
        print(
            f"| {size} | {step.field_right_N.mean():.1%} | {p:.2g} | {step.flattering_accuracy:.1%} | {majority:.1%} "
            f"| {' + '.join(step.flattering)} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="FER2013, as mien train takes it")
    parser.add_argument("--votes", type=Path, help="FER+'s votes, where they are not beside the data")
    parser.add_argument("--field", type=Path, required=True, help="crops of field photos, by mien data crop")
    parser.add_argument("--models", nargs="+", required=True, help="shipped names and .onnx files")
    options = parser.parse_args()
    paths = {Path(name).stem: resolve_model(name) for name in options.models}
    field = calibration_faces(options.field)
    majority = by_votes(load_faces(options.data, votes=options.votes).split("validation"))
    in_field = {name: answers(path, field.faces_NHW) for name, path in paths.items()}
    on_votes = {name: answers(path, majority.faces_NHW) for name, path in paths.items()}
    print("| member | field | FER+ majority |\n|---|---|---|")
    for name in paths:
        of_field, of_votes = (
            right(probs, (name,), labels_N).mean()
            for probs, labels_N in ((in_field, field.labels_N), (on_votes, majority.labels_N))
        )
        print(f"| {name} | {of_field:.1%} | {of_votes:.1%} |")
    print_agreement(in_field, field.labels_N)
    print_curve(in_field, field, on_votes, majority.labels_N)
    print(f"\n{len(field.labels_N):,} faces of calibration persons, {len(majority):,} of FER+'s validation")


if __name__ == "__main__":
    main()
