"""``mien evaluate``: score one model, or several averaged, on a split; print the figures and write a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.cut_photos import CutPhotos, DetectorFile, DetectorName, open_photos
from mien.cli.data_options import Classes, Layout, open_data
from mien.cli.evaluate_many import print_many, write_into_card
from mien.cli.opened_models import MODEL_HELP, OpenedModel, open_model
from mien.cli.output import Format, console, needs, print_json, problem, progress, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mien.data.faceset import FaceSet
    from mien.evaluate.assessment import Assessment
    from mien.evaluate.groups import GroupReport
    from mien.evaluate.scoring import Predictor


class Truth(StrEnum):
    """What counts as the true emotion: the labels, or the majority of FER+'s votes."""

    labels = "labels"
    votes = "votes"


DATA_HELP = "Folder tree or fer2013.csv."


def evaluate(
    models: Annotated[list[str], typer.Argument(help=f"{MODEL_HELP} Several are averaged.", metavar="MODEL...")],
    data: Annotated[list[Path], typer.Option(help=f"{DATA_HELP} Several make one table.")],
    classes: Classes = None,
    split: Annotated[str, typer.Option(help="Split of the data set, or all.")] = "validation",
    layout: Layout = "auto",
    photos: Annotated[
        bool, typer.Option("--photos", help="The data are whole photos: find the largest face in each first.")
    ] = False,
    detector: DetectorName = "auto",
    detector_model: DetectorFile = None,
    map: Annotated[
        Path | None, typer.Option(help="File with lines such as 'joyful: happy': the data's class, the model's class.")
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="CSV with a column path and others: figures for each group, gaps tested.")
    ] = None,
    by_pixels: Annotated[
        bool, typer.Option("--by-pixels", help="Groups by size, brightness, contrast, sharpness.")
    ] = False,
    unit: Annotated[
        str | None, typer.Option(help="Column of --groups that says whose face it is, such as person.")
    ] = None,
    into_card: Annotated[
        Path | None,
        typer.Option(
            help="Write the model again with coverage, groups, corruptions, shift and a reference in its card."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write index.html and metrics.json to this folder.")] = None,
    tta: Annotated[str, typer.Option(help="Views to average: none, flip or tencrop.")] = "none",
    robustness: Annotated[bool, typer.Option("--robustness", help="Also measure corruptions (minutes).")] = False,
    robustness_faces: Annotated[
        int, typer.Option(help="Measure them on at most so many faces, drawn at random.", min=50)
    ] = 2000,
    votes: Annotated[
        Path | None, typer.Option(help="FER+ votes; a file beside the data is found without this.")
    ] = None,
    truth: Annotated[
        Truth, typer.Option(help="labels, or votes: FER+'s eight emotions where more than half of the taggers agree.")
    ] = Truth.labels,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
    confusion: Annotated[Path | None, typer.Option(help="Write the confusion matrix to this .png.")] = None,
    batch_size: Annotated[int, typer.Option(help="Faces a call.", min=1)] = 64,
) -> None:
    """Score a model, or several averaged, on labelled faces."""
    with needs("evaluate"):
        import sklearn  # noqa: F401  a missing extra should be named before any work begins
    if len(data) > 1 and any((groups, by_pixels, report, confusion)):
        raise typer.BadParameter("several data sets give one table and no page; name one data set", param_hint="--data")
    finding = _Finding(detector, detector_model) if photos else None
    settings = [
        _Setting(
            tuple(models),
            each,
            classes,
            split,
            tta,
            votes if at == 0 else None,
            truth,
            batch_size,
            layout,
            map,
            finding,
            at > 0,
        )
        for at, each in enumerate(data)  # a file of votes belongs to one data set, the first
    ]
    setting, scored = settings[0], settings[0].score()
    found = scored.found
    for line in scored.mismatches:
        problem(f"{models[0]}: {line}")
    if groups is not None or by_pixels:
        found = replace(found, groups=_compare_groups(scored, groups, by_pixels, unit))
    if robustness:
        from mien.evaluate.robustness import robustness as measure

        with progress("corrupting") as on_progress:
            faces = scored.faces
            swept = measure(
                scored.predictor, faces.faces_NHW, faces.labels_N, on_progress, faces_at_most=robustness_faces
            )
        found = replace(found, robustness=swept)
    others = [(str(each.data), each.score().found) for each in settings[1:]]
    if into_card is not None:
        named = [(str(setting.data), found), *others]
        write_into_card(into_card, models, scored.opened[0], scored.probs_NC, scored.faces, named)
    if others:
        print_many(" + ".join(models), [(str(setting.data), found), *others], format)
        return
    if report is not None:
        found = _with_non_faces(found, scored)
        say(f"report: {_write_report(report, setting, scored, found)}")
    if confusion is not None:
        from mien.report.confusion_figure import confusion_png

        confusion_png(found.metrics, confusion, found.split)
        say(f"confusion matrix: {confusion}")
    _print(found, models, format)


def _print(found: Assessment, models: list[str], format: Format) -> None:
    """The figures of one data set on standard output."""
    if format is Format.json:
        figures = {"model": " + ".join(models)} | found.to_dict()
        print_json({key: value for key, value in figures.items() if key != "curves"})
    else:
        from mien.report.terminal_tables import assessment_tables, more_lines

        console().print(*assessment_tables(found), sep="\n")
        for more in more_lines(found):
            console().print(more)


def _compare_groups(scored: _Scored, file: Path | None, by_pixels: bool, unit: str | None) -> GroupReport:
    """Figures of the groups of a file, of groups by pixels, or of both; all gaps are tested together."""
    from mien.contract.errors import DataError
    from mien.data.face_table import read_face_table
    from mien.evaluate.groups import compare_groups, text_columns
    from mien.evaluate.pixel_groups import pixel_columns

    faces = scored.faces
    columns = pixel_columns(faces, scored.tilt_N) if by_pixels else {}
    units_N = None
    if file is None and unit is not None:
        raise DataError("--unit names a column of the file of --groups; give that file too")
    if file is not None:
        table = read_face_table(file, faces.names_N, on_problem=problem)
        units_N = None if unit is None else table.units(unit)
        columns |= text_columns({name: each for name, each in table.columns.items() if name != unit}, problem)
    if not columns:
        raise DataError("no column of the file divides these faces into groups")
    card = scored.opened[0].card if len(scored.opened) == 1 else None
    threshold = card.accept_threshold if card else None
    return compare_groups(scored.probs_NC, faces.labels_N, columns, threshold=threshold, units_N=units_N)


@dataclass(frozen=True)
class _Scored:
    """The answers on one split, and the figures that follow from them."""

    opened: tuple[OpenedModel, ...]
    faces: FaceSet
    predictor: Predictor
    probs_NC: NDArray[np.floating[Any]]
    weights: tuple[float, ...]
    weights_note: str
    faces_per_s: float
    fingerprint: str
    found: Assessment
    mismatches: tuple[str, ...]
    tilt_N: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class _Finding:
    """How the faces of photos are found."""

    detector: str
    detector_model: Path | None


@dataclass(frozen=True)
class _Setting:
    """The options of the verb that decide what is measured."""

    models: tuple[str, ...]
    data: Path
    classes: str | None
    split: str
    tta: str
    votes: Path | None
    truth: Truth
    batch_size: int
    layout: str = "auto"
    renamed: Path | None = None
    finding: _Finding | None = None
    labels_will_do: bool = False

    def _read(self, side: int) -> CutPhotos:
        """The faces of the data; cut out first if the data are photos."""
        if self.finding is None:
            faces = open_data(self.data, side=side, layout=self.layout, classes=self.classes, votes=self.votes)
            return CutPhotos(faces, unseen=0)
        return open_photos(
            self.data,
            side=side,
            split=self.split,
            layout=self.layout,
            classes=self.classes,
            detector=self.finding.detector,
            detector_model=self.finding.detector_model,
        )

    def score(self) -> _Scored:
        """Open models and data, and assess the answers."""
        from mien.contract.errors import DataError, ModelError
        from mien.data.votes import by_votes
        from mien.evaluate.assessment import assess, card_mismatches
        from mien.evaluate.class_match import match_classes, read_renamed
        from mien.evaluate.photo_figures import photo_figures
        from mien.evaluate.scoring import in_data_order
        from mien.evaluate.test_time_augmentation import Views, with_tta

        if self.tta not in list(Views):
            raise DataError(f"no test-time augmentation {self.tta!r}; there are: {', '.join(Views)}")
        opened = tuple(open_model(model) for model in self.models)
        sides = sorted({each.side for each in opened})
        if len(sides) > 1:
            raise ModelError(f"models that are averaged must take crops of one size; these take {sides} px")
        everything, unseen, tilt_N = self._read(sides[0])
        whole_fingerprint = everything.fingerprint
        if self.truth is Truth.votes and everything.votes_NC is None and self.labels_will_do:
            problem(f"{self.data}: has no votes, so its labels are taken as the truth")
        elif self.truth is Truth.votes:
            everything = by_votes(everything)
        read = everything if self.split == "all" or self.finding is not None else everything.split(self.split)
        match = match_classes(
            read.labels, opened[0].labels, None if self.renamed is None else read_renamed(self.renamed)
        )
        faces = read if match.same and self.renamed is None else match.apply(read)
        matched = (in_data_order(each.predictor, each.labels, faces.labels) for each in opened)
        predictors = [with_tta(each, Views(self.tta)) for each in matched]
        answered = _predict(predictors, faces, self.batch_size, "evaluating")
        mixed = _Mixture(predictors[0], answered.probs_MNC[0])
        if len(opened) > 1:
            mixed = _average(predictors, answered.probs_MNC, everything, faces, self.batch_size)
        card = opened[0].card if len(opened) == 1 else None
        found = assess(
            mixed.probs_NC,
            faces,
            temperature=card.temperature if card and not (card.vector or card.curve) else None,
            threshold=card.accept_threshold if card else None,
        )
        if not match.same:
            found = replace(found, other_classes=match.figures(mixed.probs_NC, faces, read))
        if self.finding is not None:
            naming = card.naming if card else None
            figures = photo_figures(mixed.probs_NC, faces.labels_N, faces.labels, naming, unseen)
            found = replace(found, photos=figures)
        mismatches = card_mismatches(card, found, whole_fingerprint) if card and self.tta == "none" else []
        return _Scored(
            opened,
            faces,
            mixed.predictor,
            mixed.probs_NC,
            mixed.weights,
            mixed.note,
            answered.faces_per_s,
            everything.fingerprint if self.truth is Truth.votes else whole_fingerprint,
            found,
            tuple(mismatches),
            _in_order(tilt_N, everything, faces),
        )


def _with_non_faces(found: Assessment, scored: _Scored) -> Assessment:
    """Add the rejection of crops without a face, for one model with a threshold."""
    from mien.contract.errors import install_command
    from mien.evaluate.out_of_distribution import non_faces, rejection, sample_pictures

    card = scored.opened[0].card if len(scored.opened) == 1 else None
    if card is None:
        return found
    pictures = sample_pictures()
    if not pictures:
        problem(
            "scikit-image is not installed, so crops of pictures and of textures are not measured, and there is no "
            f"figure for all kinds; it comes with: {install_command('evaluate')}"
        )
    crops = non_faces(card.image.side, pictures)
    rejected = rejection(scored.predictor, crops, card.accept_threshold, complete=bool(pictures))
    return replace(found, non_faces=rejected)


def _in_order(tilt_N: NDArray[np.float64] | None, everything: FaceSet, faces: FaceSet) -> NDArray[np.float64] | None:
    """The tilt of the faces that are judged, which may be fewer than were read."""
    import numpy as np

    if tilt_N is None:
        return None
    by_name = dict(zip(everything.names_N.tolist(), tilt_N.tolist(), strict=True))
    return np.array([by_name[name] for name in faces.names_N.tolist()])


def _write_report(folder: Path, setting: _Setting, scored: _Scored, found: Assessment) -> Path:
    from mien import __version__
    from mien.evaluate.training_history import read_run_log
    from mien.report.evaluation_page import Member, Subject, write_evaluation_report
    from mien.report.mistakes import worst_mistakes

    opened = scored.opened
    cards = tuple(each.card for each in opened if each.card is not None)
    named = zip(setting.models, opened, scored.weights, strict=True)
    subject = Subject(
        name=cards[0].name if len(opened) == 1 and cards else " + ".join(setting.models),
        members=tuple(Member(model, each.kind, each.size_bytes, weight) for model, each, weight in named),
        cards=cards,
        tta=setting.tta,
        faces_per_s=scored.faces_per_s,
        data=str(setting.data),
        fingerprint=scored.fingerprint,
        card_mismatches=scored.mismatches,
        weights_note=scored.weights_note,
        made_with=f"Made with mien {__version__} on {time.strftime('%Y-%m-%d')}",
    )
    logs = [read_run_log(each.run) for each in opened if each.run is not None]
    return write_evaluation_report(folder, subject, found, worst_mistakes(scored.probs_NC, scored.faces), logs)


@dataclass(frozen=True)
class _Answers:
    """Each model's probabilities, columns in the data's order, and the faces a second of all models together."""

    probs_MNC: list[NDArray[np.floating[Any]]]
    faces_per_s: float


def _predict(predictors: Sequence[Predictor], faces: FaceSet, batch_size: int, what: str) -> _Answers:
    from mien.evaluate.scoring import predict_all

    started_s = time.perf_counter()
    probs_MNC = []
    for predictor in predictors:
        with progress(what) as on_progress:
            probs_MNC.append(predict_all(predictor, faces.faces_NHW, batch_size, on_progress))
    return _Answers(probs_MNC, len(faces) / (time.perf_counter() - started_s))


@dataclass(frozen=True)
class _Mixture:
    """One predictor made of several, its probabilities on the split, the weights and how they were found."""

    predictor: Predictor
    probs_NC: NDArray[np.floating[Any]]
    weights: tuple[float, ...] = (1.0,)
    note: str = ""


def _average(
    predictors: list[Predictor],
    probs_MNC: list[NDArray[np.floating[Any]]],
    everything: FaceSet,
    faces: FaceSet,
    batch_size: int,
) -> _Mixture:
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
    return _Mixture(averaged_predictor(predictors, weights_M), probs_NC, tuple(weights_M.tolist()), note)
