"""``mien evaluate``: a model and a split become figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.output import Format, console, needs, print_json, problem, progress, say

if TYPE_CHECKING:
    from mien.evaluate.predict import Predictor


def evaluate(
    model: Annotated[str, typer.Argument(help="A shipped model's name, an .onnx file, or a run folder.")],
    data: Annotated[Path, typer.Option(help="Folder tree or fer2013.csv.")],
    split: Annotated[str, typer.Option(help="Which split of it.")] = "validation",
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
    confusion: Annotated[Path | None, typer.Option(help="Write the confusion matrix to this .png.")] = None,
    batch_size: Annotated[int, typer.Option(help="Faces a call.", min=1)] = 64,
) -> None:
    """Score a model on labelled faces."""
    with needs("evaluate"):
        import sklearn  # noqa: F401  said before any work is done

        from mien.evaluate.predict import score
    from mien.data.sources import load_faces

    predictor, labels, side = _open(model)
    faces = load_faces(data, side=side, on_problem=problem).split(split)
    with progress("evaluating") as on_progress:
        metrics = {"model": model} | score(predictor, faces, labels, batch_size, on_progress)
    if confusion is not None:
        from mien.evaluate.plots import confusion_png

        confusion_png(metrics, confusion)
        say(f"confusion matrix: {confusion}")
    if format is Format.json:
        print_json(metrics)
    else:
        from mien.evaluate.table import metrics_tables

        console().print(*metrics_tables(metrics), sep="\n")


def _open(model: str) -> tuple[Predictor, tuple[str, ...], int]:
    """The model as a callable, its labels, and the side of the crops it wants."""
    if Path(model).is_dir():
        with needs("train"):
            from mien.export.onnx import torch_predictor
            from mien.train.run import Run
        run = Run.read(Path(model))
        return torch_predictor(run), run.labels, run.recipe.data.side
    from mien.recognize.classify import Classifier, resolve_model

    classifier = Classifier(resolve_model(model))
    return classifier, classifier.card.labels, classifier.card.image.side
