"""Accuracy and speed of a network that loses more and more channels: the pruning curve.

    python benchmarks/prune.py RUN --data fer2013/ --ratios 0.25,0.5,0.75 --epochs 3 --runs runs --plot pruning.png

Each ratio is pruned, trained on for the epochs given, and exported as float32; then all files run in turns on the same
256 crops in batches of 64. Prints a row each: widths, parameters, multiplications of a face, MB, accuracy on validation
right after pruning and after training on, faces/s (median of the repeats, with their spread) and the ratio to the
whole network in the same run. Nothing else should be running.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from mien.data.sources import load_faces
from mien.evaluate.predict import predict_all
from mien.export.checkpoint import Checkpoint
from mien.export.onnx import export_checkpoint
from mien.export.prune import prune_run
from mien.recognize.classify import Classifier
from mien.train.machine import Machine

COLUMNS = "ratio,widths,parameters,multiplications,MB,accuracy pruned,accuracy trained on,faces/s,least,most,times"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--ratios", default="0.25,0.5,0.75")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    whole = Checkpoint.open(given.run)
    faces = load_faces(given.data, side=whole.recipe.data.side)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "0.onnx"
        card, _ = export_checkpoint(whole, faces, path)
        accuracy = card.metrics["validation"]["accuracy"]
        widths = whole.recipe.network.args.get("widths", [48, 96, 192, 384])
        rows = [[0.0, widths, card.provenance["parameters"], None, path.stat().st_size / 1e6, accuracy, accuracy]]
        files = [Classifier(path)]
        for ratio in map(float, given.ratios.split(",")):
            run, pruned, between = prune_run(
                whole, faces, ratio=ratio, epochs=given.epochs, runs=given.runs, machine=Machine("cpu")
            )
            path = Path(folder) / f"{ratio}.onnx"
            card, _ = export_checkpoint(Checkpoint.of(run), faces, path)
            rows[0][3] = pruned.multiplications[0]
            size = [pruned.recipe.network.args["widths"], pruned.parameters[1], pruned.multiplications[1]]
            rows.append([ratio, *size, path.stat().st_size / 1e6, between, card.metrics["validation"]["accuracy"]])
            files.append(Classifier(path))
    crops = faces.split("validation").faces_NHW[:256]
    speeds: list[list[float]] = [[] for _ in files]
    for repeat in range(given.repeats + 1):
        for speed, file in zip(speeds, files, strict=True):
            started_s = time.perf_counter()
            predict_all(file, crops)
            if repeat:  # the first warms up
                speed.append(len(crops) / (time.perf_counter() - started_s))
    print(COLUMNS.replace(",", "\t"))
    for row, speed in zip(rows, speeds, strict=True):
        times = statistics.median(own / first for own, first in zip(speed, speeds[0], strict=True))
        ratio, widths, parameters, work, size_mb, before, after = row
        shape = "-".join(map(str, widths))
        print(
            f"{ratio:.2f}\t{shape}\t{parameters:,}\t{work / 1e6:.1f} M\t{size_mb:.2f}\t{before:.4f}"
            f"\t{after:.4f}\t{statistics.median(speed):,.0f}\t{min(speed):,.0f}\t{max(speed):,.0f}\t{times:.2f}"
        )
    if given.plot is not None:
        plot(rows, [statistics.median(speed) for speed in speeds], given.epochs, given.plot)


def plot(rows: list[list], faces_per_s: list[float], epochs: int, path: Path) -> None:
    """Accuracy over speed, right after pruning and after training on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), dpi=150, layout="constrained")
    axes = figure.subplots()
    axes.plot(faces_per_s, [100 * row[5] for row in rows], "o--", color="0.65", label="right after pruning")
    trained = f"after {epochs} epoch{'s' if epochs > 1 else ''} more"
    axes.plot(faces_per_s, [100 * row[6] for row in rows], "o-", color="#1f6f8b", label=trained)
    for row, speed in zip(rows, faces_per_s, strict=True):
        name = f"{row[0]:.0%} pruned" if row[0] else "whole"
        axes.annotate(name, (speed, 100 * row[6]), (0, 7), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("faces/s, float32, batch 64")
    axes.set_ylabel("accuracy on validation, %")
    axes.margins(0.12, 0.15)
    axes.grid(alpha=0.25, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left")
    figure.savefig(path)


if __name__ == "__main__":
    main()
