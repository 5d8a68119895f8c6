"""``mien prune``: a run becomes a run of a smaller network, trained on for a few epochs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.data_options import Classes, open_data
from mien.cli.output import needs, say


def prune(
    source: Annotated[Path, typer.Argument(help="A run folder, a .ckpt or .pth in one, or a .pth that mien exported.")],
    data: Annotated[Path, typer.Option(help="The data set that it was trained on.")],
    classes: Classes = None,
    ratio: Annotated[float, typer.Option(help="Share of the channels to take away from every layer.")] = 0.5,
    epochs: Annotated[int, typer.Option(help="Epochs of training after the cut.", min=1)] = 5,
    runs: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or mps.")] = "auto",
    name: Annotated[str | None, typer.Option(help="Name of the run folder; the time if left out.")] = None,
) -> None:
    """Take the weakest channels out of a trained network, and train on what is left."""
    with needs("prune"):
        from mien.export.checkpoint import Checkpoint
        from mien.export.pruning import prune_run
        from mien.train.devices import Machine

    checkpoint = Checkpoint.open(source)
    faces = open_data(data, side=checkpoint.face_side, classes=classes)
    machine = Machine(accelerator, progress=sys.stderr.isatty() and sys.stdout.isatty())
    run, pruned, between = prune_run(
        checkpoint, faces, ratio=ratio, epochs=epochs, runs=runs, machine=machine, name=name
    )
    (weights, fewer), (work, less) = pruned.parameters, pruned.multiplications
    widths = ", ".join(map(str, pruned.recipe.network.args["widths"]))
    say(f"{run.folder}: widths {widths}")
    say(f"{fewer:,} of {weights:,} parameters, {less / 1e6:,.1f} of {work / 1e6:,.1f} million multiplications a face")
    best = run.facts["best"]["validation_accuracy"]
    say(f"validation accuracy {between:.4f} once pruned, {best:.4f} after {epochs} epochs")
    say(f"next: mien export {run.folder} --data {data} --out model.onnx")
