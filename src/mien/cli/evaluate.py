"""``mien evaluate``: one model or several averaged, and a split, become figures and a report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.output import Format, console, needs, print_json, problem, progress, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mien.contract.card import ModelCard
    from mien.data.faceset import FaceSet
    from mien.evaluate.scoring import Predictor


class Truth(StrEnum):
    """What answers are judged by."""

    labels = "labels"
    votes = "votes"


DATA_HELP = "Folder tree or fer2013.csv."
MODEL_HELP = "A shipped model's name, an .onnx file, a TorchScript .pt file with a card, or a run folder."


def evaluate(
    models: Annotated[list[str], typer.Argument(help=f"{MODEL_HELP} Several are averaged.", metavar="MODEL...")],
    data: Annotated[Path, typer.Option(help=DATA_HELP)],
    split: Annotated[str, typer.Option(help="Which split of it.")] = "validation",
    report: Annotated[Path | None, typer.Option(help="Write index.html and metrics.json to this folder.")] = None,
    tta: Annotated[str, typer.Option(help="Views averaged: none, flip or tencrop.")] = "none",
    robustness: Annotated[bool, typer.Option("--robustness", help="Also sweep corruptions (minutes).")] = False,
    votes: Annotated[Path | None, typer.Option(help="FER+ votes; found by themselves beside the data.")] = None,
    truth: Annotated[
        Truth, typer.Option(help="labels, or votes: FER+'s eight emotions where more than half of the taggers agree.")
    ] = Truth.labels,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
    confusion: Annotated[Path | None, typer.Option(help="Write the confusion matrix to this .png.")] = None,
    batch_size: Annotated[int, typer.Option(help="Faces a call.", min=1)] = 64,
) -> None:
    """Score a model, or several averaged, on labelled faces."""
    with needs("evaluate"):
        import sklearn  # noqa: F401  said before any work is done

        from mien.evaluate.assessment import assess, card_mismatches
        from mien.evaluate.scoring import in_data_order
        from mien.evaluate.test_time_augmentation import Views, with_tta
    from mien.contract.errors import DataError, ModelError
    from mien.data.loading import load_faces
    from mien.data.votes import by_votes

    if tta not in list(Views):
        raise DataError(f"no test-time augmentation {tta!r}; there are: {', '.join(Views)}")
    opened = [open_model(model) for model in models]
    sides = sorted({each.side for each in opened})
    if len(sides) > 1:
        raise ModelError(f"models that are averaged must want crops of one size, these want {sides} px")
    everything = load_faces(data, side=sides[0], votes=votes or "auto", on_problem=problem)
    whole_fingerprint = everything.fingerprint
    if truth is Truth.votes:
        everything = by_votes(everything)
    faces = everything.split(split)
    predictors = [with_tta(in_data_order(each.predictor, each.labels, faces.labels), Views(tta)) for each in opened]
    answered = _predict(predictors, faces, batch_size, "evaluating")
    predictor, probs_NC, weights = predictors[0], answered.probs_MNC[0], [1.0]
    note = ""
    if len(opened) > 1:
        predictor, probs_NC, weights, note = _average(predictors, answered.probs_MNC, everything, faces, batch_size)
    card = opened[0].card if len(opened) == 1 else None
    found = {"model": " + ".join(models)} | assess(
        probs_NC,
        faces,
        temperature=card.temperature if card and not (card.vector or card.curve) else None,
        threshold=card.accept_threshold if card else None,
    )
    fingerprint = everything.fingerprint if truth is Truth.votes else whole_fingerprint
    mismatches = card_mismatches(card, found, whole_fingerprint) if card and tta == "none" else []
    for line in mismatches:
        problem(f"{models[0]}: {line}")
    if robustness:
        from mien.evaluate.robustness import robustness as sweep

        with progress("corrupting") as on_progress:
            found["robustness"] = sweep(predictor, faces.faces_NHW, faces.labels_N, on_progress)
    if report is not None:
        from mien import __version__
        from mien.evaluate.out_of_distribution import non_faces, rejection, sample_pictures
        from mien.evaluate.training_history import read_run_log
        from mien.report.evaluation_page import Member, Subject, write_report
        from mien.report.mistakes import worst_mistakes

        if card is not None:
            found["non_faces"] = rejection(predictor, non_faces(sides[0], sample_pictures()), card.accept_threshold)
        named = zip(models, opened, weights, strict=True)
        subject = Subject(
            name=card.name if card else found["model"],
            members=tuple(Member(model, each.kind, each.size_bytes, weight) for model, each, weight in named),
            cards=tuple(each.card for each in opened if each.card is not None),
            tta=tta,
            faces_per_s=answered.faces_per_s,
            data=str(data),
            fingerprint=fingerprint,
            card_mismatches=tuple(mismatches),
            weights_note=note,
            made_with=f"Made with mien {__version__} on {time.strftime('%Y-%m-%d')}",
        )
        logs = [read_run_log(each.run) for each in opened if each.run is not None]
        say(f"report: {write_report(report, subject, found, worst_mistakes(probs_NC, faces), logs)}")
    if confusion is not None:
        from mien.report.confusion_figure import confusion_png

        confusion_png(found, confusion)
        say(f"confusion matrix: {confusion}")
    if format is Format.json:
        print_json({key: value for key, value in found.items() if key != "curves"})
    else:
        from mien.report.terminal_tables import metrics_tables

        console().print(*metrics_tables(found), sep="\n")


@dataclass(frozen=True)
class Answers:
    """Each model's probabilities, columns in the data's order, and the faces a second of all together."""

    probs_MNC: list[NDArray[np.floating[Any]]]
    faces_per_s: float


def _predict(predictors: list[Predictor], faces: FaceSet, batch_size: int, what: str) -> Answers:
    from mien.evaluate.scoring import predict_all

    started_s = time.perf_counter()
    probs_MNC = []
    for predictor in predictors:
        with progress(what) as on_progress:
            probs_MNC.append(predict_all(predictor, faces.faces_NHW, batch_size, on_progress))
    return Answers(probs_MNC, len(faces) / (time.perf_counter() - started_s))


def _average(
    predictors: list[Predictor],
    probs_MNC: list[NDArray[np.floating[Any]]],
    everything: FaceSet,
    faces: FaceSet,
    batch_size: int,
) -> tuple[Predictor, NDArray[np.floating[Any]], list[float], str]:
    """The weighted ensemble, its probabilities on ``faces``, the weights, and how they were found."""
    from mien.evaluate.ensemble_weights import average, averaged_predictor, cross_fit_average, fit_weights

    if faces.split_names == ("validation",):
        weights_M = fit_weights(probs_MNC, faces.labels_N)
        probs_NC: NDArray[np.floating[Any]] = cross_fit_average(probs_MNC, faces.labels_N)
        note = "fitted on validation, the split evaluated here: each face is averaged by weights fitted without it"
    else:
        validation = everything.split("validation")
        fitted_on = _predict(predictors, validation, batch_size, "fitting weights").probs_MNC
        weights_M = fit_weights(fitted_on, validation.labels_N)
        probs_NC = average(probs_MNC, weights_M)
        note = "fitted on validation"
    return averaged_predictor(predictors, weights_M), probs_NC, weights_M.tolist(), note


@dataclass(frozen=True)
class Opened:
    """A model as a callable, and what is known of it."""

    predictor: Predictor
    labels: tuple[str, ...]
    side: int
    kind: str
    card: ModelCard | None = None
    size_bytes: int | None = None
    run: Path | None = None


def open_model(model: str) -> Opened:
    """Open whatever the user named; errors say what was expected."""
    path = Path(model)
    if path.is_dir() or path.name == "best.pth":
        with needs("train"):
            from mien.export.serving import torch_predictor
            from mien.train.run import Run
        run = Run.read(path if path.is_dir() else path.parent)
        size = (run.folder / "best.pth").stat().st_size if (run.folder / "best.pth").is_file() else None
        predictor = torch_predictor(run)
        return Opened(predictor, run.labels, run.recipe.data.side, "run folder", None, size, run.folder)
    if path.suffix == ".pt" and path.is_file():
        with needs("train"):
            from mien.export.torchfiles import open_torchscript
        traced, card = open_torchscript(path)
        return Opened(traced, card.labels, card.image.side, "TorchScript file", card, path.stat().st_size)
    from mien.recognition.classifier import Classifier, resolve_model

    file = resolve_model(model)
    classifier = Classifier(file)
    card = classifier.card
    return Opened(classifier, card.labels, card.image.side, "ONNX file", card, file.stat().st_size)
