"""Accuracy and speed of a network that loses more and more channels: the pruning curve.

    python benchmarks/prune.py RUN --data fer2013/ --ratios 0.25,0.5,0.75 --epochs 3 --runs runs --plot pruning.png

RUN is a run folder, or an .onnx that mien exported in float32. Each ratio is pruned, trained on for the epochs given
(each of --fraction of the training faces), and exported as float32; then all files run in turns on the same 256 crops
in batches of 64. Prints a row each: widths, parameters, multiplications of a face, MB, accuracy on validation
right after pruning and after training on, faces/s (median of the repeats, with their spread) and the ratio to the
whole network in the same run. Nothing else should be running.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import quick

from mien.data.loading import load_faces
from mien.evaluate.scoring import predict_all
from mien.export.checkpoint import Checkpoint
from mien.export.onnx import export_checkpoint
from mien.export.pruning import prune_run
from mien.recognition.classifier import Classifier
from mien.train.devices import Machine

COLUMNS = "ratio,widths,parameters,multiplications,MB,accuracy pruned,accuracy trained on,faces/s,least,most,times"


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--ratios", default="0.25,0.5,0.75")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--fraction", type=float, default=1.0, help="of the training faces, in every epoch the same")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--plot", type=Path)
    given = quick.parse(parser, ratios="0.5", epochs=1, repeats=1)
    whole = Checkpoint.open(given.run)
    whole = replace(whole, recipe={**whole.recipe, "data": {**whole.recipe["data"], "fraction": given.fraction}})
    faces = load_faces(given.data.expanduser(), side=whole.face_side)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "0.onnx"
        card, _ = export_checkpoint(whole, faces, path)
        accuracy = card.metrics["validation"]["accuracy"]
        widths = whole.recipe["network"]["args"].get("widths", [48, 96, 192, 384])
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
        plot(rows, speeds, given.epochs * given.fraction, given.plot)


def plot(rows: list[list], speeds: list[list[float]], epochs: float, path: Path) -> None:
    """Accuracy over speed, bubbles as large as the files; below it what pruning alone leaves.

    Args:
        rows: as printed.
        speeds: faces/s of each row, by repeat.
        epochs: of training on, in passes over all training faces.
        path: PNG to write.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    ink, faint, colour = "#1f2933", "#b8c2cc", "#2f6fb3"
    figure = Figure(figsize=(8, 5.6), dpi=150, layout="constrained")
    above, below = figure.subplots(2, height_ratios=[3, 1], sharex=True)
    middle = [statistics.median(speed) for speed in speeds]
    trained, bare = ([100 * row[column] for row in rows] for column in (6, 5))
    above.plot(middle, trained, color=colour, linewidth=1.5, zorder=2)
    for row, speed, per_s, accuracy in zip(rows, speeds, middle, trained, strict=True):
        share, widths, parameters, _, megabytes, *_ = row
        area = 30 * megabytes + 14
        above.scatter(per_s, accuracy, s=area, color=colour, alpha=0.35, linewidth=0, zorder=3)
        above.plot([min(speed), max(speed)], [accuracy, accuracy], color=colour, linewidth=1, zorder=3)
        above.scatter(per_s, accuracy, s=12, color=colour, zorder=4)
        times = statistics.median(own / first for own, first in zip(speed, speeds[0], strict=True))
        facts = [f"{times:.1f} times as fast", f"{parameters / 1e6:.1f} M, {megabytes:.1f} MB"]
        lines = [f"{share:.0%} pruned", *facts] if share else ["whole", facts[1]]
        away = {"textcoords": "offset points", "color": ink, "fontsize": 9, "ha": "center", "va": "top"}
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        down = (area / 3.14) ** 0.5 + 6
        for number, line in enumerate([f"{accuracy:.1f}%", *lines]):
            weight = "normal" if number else "bold"
            place = (0, -down - 13 * number)
            above.annotate(line, (per_s, accuracy), place, fontweight=weight, bbox=box, **away)
    below.plot(middle, bare, "--", color=faint, zorder=2)
    below.scatter(middle, bare, s=22, facecolor="white", edgecolor=ink, zorder=3)
    for per_s, accuracy in zip(middle[1:], bare[1:], strict=True):
        style = {"textcoords": "offset points", "color": ink, "fontsize": 9, "ha": "center"}
        below.annotate(f"{accuracy:.1f}%", (per_s, accuracy), (0, 7), **style)
    above.set_title(
        f"After {epochs:.2g} passes over the training faces; area: size of the file", loc="left", fontsize=9, color=ink
    )
    below.set_title("Before them", loc="left", fontsize=9, color=ink)
    figure.supylabel("accuracy on FER2013 validation (%)", fontsize=10, color=ink)
    below.set_xlabel("faces a second, float32, 64 at once (log)", color=ink)
    low, high = min(trained), max(trained)
    above.set_ylim(low - 0.62 * max(high - low, 1), high + 0.15 * max(high - low, 1))  # room for the words
    below.set_ylim(0, max(bare) + 18)
    below.set_xscale("log")
    below.margins(x=0.12)
    below.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    below.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    below.xaxis.set_minor_formatter(NullFormatter())
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(faint)
        axes.tick_params(which="both", color=faint, labelcolor=ink)
        axes.grid(color=faint, alpha=0.35, zorder=0)
    beside = path.with_name(f".{path.name}")
    figure.savefig(beside, format="png")
    os.replace(beside, path)


if __name__ == "__main__":
    main()
