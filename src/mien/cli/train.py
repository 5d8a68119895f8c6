"""``mien train``: a recipe and a data set become a run folder; Ctrl-C leaves one that can be resumed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.data_options import Classes, open_data
from mien.cli.output import needs, say


def train(
    recipe: Annotated[str, typer.Argument(help="A built-in recipe's name, or a .yaml file.")] = "base",
    data: Annotated[Path, typer.Option(help="Folder tree or fer2013.csv; it needs a train and a validation split.")] = (
        Path("fer2013")
    ),
    classes: Classes = None,
    validation: Annotated[str, typer.Option(help="Split that chooses the epoch.")] = "validation",
    set: Annotated[
        list[str] | None, typer.Option(help="Change a field: --set epochs=3 --set optimizer.lr=0.01")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
    resume: Annotated[Path | None, typer.Option(help="Go on with this run folder, by its own recipe.")] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or mps.")] = "auto",
    devices: Annotated[int, typer.Option(help="Processes on each node, one a device.", min=1)] = 1,
    nodes: Annotated[int, typer.Option(help="Machines; start the same command on each.", min=1)] = 1,
    name: Annotated[str | None, typer.Option(help="Name of the run folder; the time if left out.")] = None,
    votes: Annotated[Path | None, typer.Option(help="FER+ votes; those beside the data are found.")] = None,
    field: Annotated[
        Path | None, typer.Option(help="Crops of field photos with persons, for a recipe with a section field.")
    ] = None,
    strict: Annotated[bool, typer.Option(help="Stop at the first unreadable file or row.")] = False,
) -> None:
    """Train a recipe."""
    if resume is not None and set:
        raise typer.BadParameter("a resumed run keeps its own recipe; start a new one to change it", param_hint="--set")
    with needs("train"):
        from mien.train import fit as training
        from mien.train.devices import Machine
        from mien.train.run import Run
    from mien.data.splits import validate_on
    from mien.train.recipe import load_recipe

    resolved = Run.read(resume).recipe if resume is not None else load_recipe(recipe, set or ())
    faces = open_data(data, side=resolved.data.side, classes=classes, votes=votes, strict=strict)
    faces = validate_on(faces, validation)
    say(f"{data}: " + ", ".join(f"{sum(counts.values()):,} {split}" for split, counts in faces.counts().items()))
    of_field = (
        None if field is None else open_data(field, side=resolved.data.side, classes=None, votes=None, strict=strict)
    )
    machine = Machine(accelerator, devices, nodes, progress=sys.stderr.isatty() and sys.stdout.isatty())
    if resume is not None:
        run = training.resume(resume, faces, machine=machine, on_notice=say, field=of_field)
    else:
        run = training.fit(resolved, faces, runs=runs, machine=machine, name=name, on_notice=say, field=of_field)
    if resolved.artefacts:
        from mien.export.artefacts import write_artefacts

        say(f"{run.folder}: {', '.join(write_artefacts(run))}")
    best = run.facts["best"]
    say(f"best epoch {best['epoch']}: validation accuracy {best['validation_accuracy']:.4f}")
    say(f"next: mien export {run.folder} --data {data} --out model.onnx")
