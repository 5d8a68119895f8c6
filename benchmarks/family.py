"""The family beside each other, and beside the package ``fer``: size, accuracy, speed, cold start, as a Markdown table.

    python benchmarks/family.py PHOTO
    python benchmarks/family.py PHOTO --models base ensemble.onnx --data FER2013 --peer /tmp/peer/bin/python

Parameters, accuracy, macro F1 and calibration error of our models are those in their cards, on the validation split;
the error is cross-fitted, but of int8 files, which take their parent's calibration, plain. Timed are calls of one face
and of 64, as medians over the turns. With --peer the package ``fer`` takes its turns among them: the Python of an
environment where it is installed runs benchmarks/peer_fer.py. Its accuracy is measured here, on the validation split of
--data.

A cold start is ``mien.recognize(PHOTO)`` in a fresh process, from the start of Python to its end, faces found with the
default detector, against ``FER().detect_emotions``; the first process of each is not counted.

Not here: other engines (runtime.py), where the time of a cold start goes (cold_start.py).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import quick
from cold_start import IN_PYTHON, Cost, run

from mien.contract.shipped_models import resolve_model, shipped_models
from mien.data.cache import open_faces
from mien.evaluate.intervals import intervals_95
from mien.evaluate.metrics import evaluate
from mien.recognition.benchmark import machine, take_turns
from mien.recognition.classifier import Classifier

BATCH_SIZES = (1, 64)
PEER = Path(__file__).with_name("peer_fer.py")
Turn = Callable[[int, float], list[float]]
"""Batch size and seconds -> the seconds of each call."""


@dataclass(frozen=True)
class Member:
    """One row.

    Attributes:
        figures: ``evaluate``'s, with ``ece_cross_fitted`` where there is one.
        turn: times it.
    """

    name: str
    parameters: int | None
    megabytes: float
    figures: Mapping[str, Any]
    turn: Turn


def ours(model: str) -> Member:
    """A shipped name or a model file."""
    classifier = Classifier(resolve_model(model))
    card = classifier.card

    def turn(batch_size: int, seconds: float) -> list[float]:
        crops_NSS = np.random.default_rng(0).integers(0, 256, (batch_size, card.image.side, card.image.side), np.uint8)
        return take_turns({0: lambda: classifier(crops_NSS)}, repeats=1, seconds=seconds)[0][0]

    size = classifier.path.stat().st_size / 1e6
    return Member(card.name, card.provenance.get("parameters"), size, card.metrics["validation"], turn)


def peer(python: str, data: Path) -> Member:
    """``fer`` in its own Python."""
    faces = open_faces(data).split("validation")
    with tempfile.NamedTemporaryFile(suffix=".npz") as held:
        np.savez(held, faces=faces.faces_NHW)
        held.flush()
        command = [python, str(PEER), "serve", held.name]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert child.stdin is not None and child.stdout is not None
        told, answers = child.stdin, child.stdout
        facts = json.loads(answers.readline() or sys.exit(f"{' '.join(command)}: ended without an answer"))
    if tuple(facts["labels"]) != faces.labels:
        sys.exit(f"{data}: has the labels {faces.labels}, {facts['name']} knows {facts['labels']}")
    probs_NC = np.array(facts["probs"])
    figures = evaluate(probs_NC, faces.labels_N, faces.labels).to_dict()
    figures |= intervals_95(probs_NC, faces.labels_N, faces.labels).to_dict()

    def turn(batch_size: int, seconds: float) -> list[float]:
        print(batch_size, seconds, file=told, flush=True)
        return list(json.loads(answers.readline()))

    return Member(facts["name"], facts["parameters"], facts["megabytes"], figures, turn)


def spread(values: list[float], digits: int = 0) -> str:
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}-{high})"


def row(member: Member, rates: Mapping[int, list[float]], costs: list[Cost]) -> list[str]:
    figures = member.figures
    low, high = (100 * end for end in figures["accuracy_95"])
    ece = figures.get("ece_cross_fitted", figures["ece"])
    return [
        f"`{member.name}`",
        "" if member.parameters is None else f"{member.parameters:,}",
        f"{member.megabytes:.1f}",
        f"{100 * figures['accuracy']:.1f} % ({low:.1f}-{high:.1f})",
        f"{100 * figures['macro_f1']:.1f} %",
        f"{100 * ece:.1f} %",
        *(spread(rates[size]) for size in BATCH_SIZES),
        spread([cost.wall_s for cost in costs], 2) if costs else "",
        f"{statistics.median(cost.peak_mb for cost in costs):.0f}" if costs else "",
    ]


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("photo")
    parser.add_argument("--models", nargs="+", default=shipped_models(), help="names or files (default: the shipped)")
    parser.add_argument("--peer", help="Python of an environment with fer in it")
    parser.add_argument("--data", type=Path, help="FER2013, for the accuracy of --peer")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn")
    parser.add_argument("--starts", type=int, default=10, help="fresh processes of each; 0 for none")
    options = quick.parse(parser, repeats=1, seconds=0.01, starts=0)
    if (options.peer is None) != (options.data is None):
        parser.error("--peer and --data go together")

    starts = [[sys.executable, "-c", IN_PYTHON, options.photo, model, "auto"] for model in options.models]
    if options.peer is not None:
        starts.append([options.peer, str(PEER), "photo", options.photo])
    costs: list[list[Cost]] = [[] for _ in starts]
    for number in range(options.starts + 1 if options.starts else 0):  # first of all, while this process is small
        for command, its_costs in zip(starts, costs, strict=True):
            cost = run(command, None)
            if number:
                its_costs.append(cost)

    members = [ours(model) for model in options.models]
    if options.peer is not None:
        members.append(peer(options.peer, options.data))
    rates: list[dict[int, list[float]]] = [{size: [] for size in BATCH_SIZES} for _ in members]
    for _ in range(options.repeats):
        for size in BATCH_SIZES:
            for member, its_rates in zip(members, rates, strict=True):
                taken = member.turn(size, options.seconds)
                its_rates[size].append(size * len(taken) / sum(taken))

    head = "model", "parameters", "MB", "accuracy", "macro F1", "ECE", "one a call", "by 64", "cold start, s", "peak MB"
    print("faces/s and seconds: median (smallest-largest)\n")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for each in zip(members, rates, costs, strict=True):
        print(f"| {' | '.join(row(*each))} |")
    print()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))


if __name__ == "__main__":
    main()
