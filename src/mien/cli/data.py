"""``mien data``: draw a toy set, cut faces out of photos, describe a data set, find labels that look wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.cut_photos import DetectorFile, DetectorName, cut_faces
from mien.cli.data_options import Cache, Classes, Layout, ProblemLog, Root, Side, Strict, Votes, class_names, open_data
from mien.cli.output import Format, console, needs, print_json, problem, progress, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mien.data.audit import Verdict
    from mien.data.dataset_report import DatasetReport, Repeats, SplitReport
    from mien.data.faceset import FaceSet
    from mien.train.config import Recipe

GROUPS_FILE = "groups.csv"

app = typer.Typer(no_args_is_help=True, help="Draw, cut, describe and audit data sets.")


@app.command()
def toy(
    out: Annotated[Path, typer.Argument(help="An empty or new folder.")],
    per_class: Annotated[int, typer.Option(help="Faces of each of the seven expressions.", min=5)] = 200,
    seed: Annotated[int, typer.Option(help="The same seed draws the same faces.", min=0)] = 0,
) -> None:
    """Draw labelled cartoon faces, enough to train on in a minute."""
    from mien.data.toy import draw_toy

    draw_toy(out, per_class=per_class, seed=seed)
    say(f"{out}: {7 * per_class:,} faces in train/ and validation/")
    say(f"next: mien train base --data {out} --set epochs=5")


@app.command()
def crop(
    root: Annotated[Path, typer.Argument(help="Folder tree of photos.")],
    out: Annotated[
        Path, typer.Argument(help="An empty or new folder; it gets the same tree, one face for each photo.")
    ],
    side: Annotated[int, typer.Option(help="Side of the faces, in pixels.", min=8)] = 112,
    detector: DetectorName = "auto",
    detector_model: DetectorFile = None,
    layout: Layout = "auto",
    classes: Classes = None,
) -> None:
    """Cut the largest face out of each photo, eyes level, as grey PNGs that the other verbs read."""
    from mien.contract.atomic_files import write_png, write_whole
    from mien.contract.errors import DataError
    from mien.data.layouts import LOOKED_FOR, find_source
    from mien.data.persons import write_crops_of_persons
    from mien.recognition.detectors import make_detector

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: exists and is not an empty folder; faces are only written into a new one")
    log = ProblemLog()
    source = find_source(root.expanduser(), layout, classes=class_names(classes), problem=log, note=log)
    if not source.images:
        raise DataError(f"{root}: no photos; a .csv holds faces already")
    published = source.layout not in LOOKED_FOR  # whose labels are not in the tree
    written: dict[str, str] = {}
    rows = [("path", "size_px", "tilt_deg")]
    for image, cut in cut_faces(source, source.images, make_detector(detector, detector_model), side, log):
        if cut is not None:
            place = f"{source.labels[image.label]}/{image.file.replace('/', '-')}" if published else image.file
            written[image.file] = f"{place}.png"
            write_png(out / written[image.file], cut.face_SS)
            tilt = "" if cut.tilt_deg is None else f"{cut.tilt_deg:.1f}"
            rows.append((written[image.file], str(cut.size_px), tilt))
    log.close()
    if source.layout == "persons":
        write_crops_of_persons(source.path, out, written)
    if not written:
        raise DataError(f"{root}: no face found in {len(source.images):,} photos")
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_whole(out / GROUPS_FILE, text.getvalue().encode("utf-8", "surrogateescape"))
    say(f"{out}: {len(written):,} faces of {len(source.images):,} photos")
    say(f"size and tilt of each: {out / GROUPS_FILE}, for mien evaluate --groups")
    say(f"next: mien data describe {out}")


@app.command()
def describe(
    root: Root,
    side: Side = 48,
    layout: Layout = "auto",
    classes: Classes = None,
    votes: Votes = "auto",
    cache: Cache = None,
    strict: Strict = False,
    report: Annotated[Path | None, typer.Option(help="Write a page with pictures into this folder.")] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """Count splits and classes, balance, grey levels and repeated pictures; compare labels with FER+'s votes."""
    from dataclasses import replace

    from mien.data.describe import NEAR_LIMIT
    from mien.data.describe import describe as describe_faces
    from mien.data.duplicates import find_duplicates

    if report is not None:
        with needs("evaluate"):
            import matplotlib  # noqa: F401  said before any work is done
    log = ProblemLog()
    faces = open_data(root, side=side, layout=layout, classes=classes, votes=votes, cache=cache, strict=strict, log=log)
    log.close()
    duplicates = find_duplicates(faces) if len(faces) <= NEAR_LIMIT else None
    facts = replace(describe_faces(faces, duplicates), problems=tuple(log.lines))
    if report is not None:
        from mien.report.data_page import write_dataset_report

        page = write_dataset_report(faces, facts, duplicates, report, title=root.expanduser().resolve().name)
        say(f"report: {page}")
    if format is Format.json:
        print_json(facts.to_dict())
    else:
        _print(facts)


@app.command()
def audit(
    root: Root,
    model: Annotated[
        str, typer.Option(help="A shipped model's name, or an .onnx file that mien exported.")
    ] = "fer2013",
    split: Annotated[str, typer.Option(help="Faces that the model has not trained on, or all.")] = "validation",
    out_of_fold: Annotated[
        int | None, typer.Option(help="Instead of --model: train so many small networks, each without one part.", min=2)
    ] = None,
    recipe: Annotated[str, typer.Option(help="Of these networks.")] = "audit",
    set: Annotated[list[str] | None, typer.Option(help="Change a field of it: --set epochs=3")] = None,
    persons: Annotated[
        Path | None, typer.Option(help="CSV with columns path and person: a person's faces stay in one part.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the list, the gallery and the figures.")] = Path("audit"),
    layout: Layout = "auto",
    classes: Classes = None,
    votes: Votes = "auto",
    cache: Cache = None,
    strict: Strict = False,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """Rank labels by how likely they are wrong, and ask FER+'s votes whether the ranking is right."""
    with needs("audit"):
        import cleanlab  # type: ignore[import-untyped]  # noqa: F401  said before any work is done
    from mien.data.audit import find_label_errors, judge
    from mien.report.audit_page import write_audit

    if out_of_fold is not None:
        with needs("train"):
            from mien.train.recipe import load_recipe
    log = ProblemLog()
    read = partial(open_data, root, layout=layout, classes=classes, votes=votes, cache=cache, strict=strict, log=log)
    if out_of_fold is not None:
        faces, probs_NC = _out_of_fold(read, split, out_of_fold, load_recipe(recipe, set or ()), persons)
        judged_by = f"{out_of_fold} networks of recipe {recipe}, each without the faces that it judges"
    else:
        faces, probs_NC = _by_model(read, split, model)
        judged_by = model
    log.close()
    found = find_label_errors(probs_NC, faces.labels_N)
    verdict = judge(found, faces) if faces.votes_NC is not None else None
    title = f"{root.expanduser().resolve().name}, {split}: labels that look wrong"
    page = write_audit(found, faces, out, title, verdict)
    say(f"gallery: {page}")
    if format is Format.json:
        issues = int(found.issue_N.sum())
        ferplus = None if verdict is None else verdict.to_dict()
        print_json({"model": judged_by, "split": split, "n": len(faces), "issues": issues, "ferplus": ferplus})
        return
    console().print(f"{found.issue_N.sum():,} of {len(faces):,} {split} labels look wrong")
    if verdict is None:
        say("no FER+ votes beside the data (--votes ferplus.csv), so nothing says whether the ranking is right")
    else:
        _print_verdict(verdict)


def _by_model(read: Callable[..., FaceSet], split: str, model: str) -> tuple[FaceSet, NDArray[np.floating[Any]]]:
    """The faces, and the probabilities of one model that was not trained on them."""
    from mien.contract.errors import ModelError
    from mien.contract.shipped_models import resolve_model
    from mien.evaluate.scoring import predict_all
    from mien.recognition.classifier import Classifier

    classifier = Classifier(resolve_model(model))
    labels = classifier.card.labels
    faces = read(side=classifier.card.image.side)
    if sorted(labels) != sorted(faces.labels):
        raise ModelError(
            f"the model's classes ({', '.join(labels)}) are not those of the data ({', '.join(faces.labels)})"
        )
    if split in ("train", "all"):
        problem(
            "a model has seen its training labels and believes them; audit a split that it has not seen, or train "
            "small networks for it: --out-of-fold 3"
        )
    faces = faces if split == "all" else faces.split(split)
    with progress("classifying") as on_progress:
        probs_NC = predict_all(classifier, faces.faces_NHW, on_progress=on_progress)
    return faces, probs_NC[:, [labels.index(name) for name in faces.labels]]


def _out_of_fold(
    read: Callable[..., FaceSet], split: str, folds: int, recipe: Recipe, persons: Path | None
) -> tuple[FaceSet, NDArray[np.floating[Any]]]:
    """The faces, and for each the probabilities of a network that was trained without it."""
    import tempfile

    with needs("train"):
        from mien.export.serving import torch_predictor
        from mien.train.out_of_fold import out_of_fold
    from mien.data.duplicates import connected_components, near_groups
    from mien.data.face_table import read_face_table

    faces = read(side=recipe.data.side)
    faces = faces if split == "all" else faces.split(split)
    group_N = near_groups(faces)
    if persons is not None:
        import numpy

        person_N = read_face_table(persons, faces.names_N, on_problem=problem).units("person")
        first_N = numpy.unique(person_N, return_index=True)[1][numpy.unique(person_N, return_inverse=True)[1]]
        group_N = connected_components(len(faces), numpy.stack([first_N, numpy.arange(len(faces))], axis=1), group_N)
    with tempfile.TemporaryDirectory() as folder:
        probs_NC = out_of_fold(
            recipe,
            faces,
            group_N,
            folds=folds,
            runs=Path(folder),
            open_run=torch_predictor,
            on_fold=lambda fold, right: say(f"part {fold + 1} of {folds}: {right:.1%} of its labels named"),
        )
    return faces, probs_NC


def _print(facts: DatasetReport) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title=f"{facts.n:,} faces of {facts.side} px", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", style="bold")
    for name in facts.splits:
        table.add_column(name, justify="right")
    table.add_column("weight", justify="right", style="dim")
    splits = list(facts.splits.values())
    for label in facts.labels:
        cells = (f"{split.counts[label]:,}  {split.shares[label]:5.1%}" for split in splits)
        table.add_row(label, *cells, f"{facts.class_weights.balanced[label]:.2f}")
    table.add_section()

    def row(title: str, cell: Callable[[SplitReport], str]) -> None:
        table.add_row(title, *map(cell, splits), "")

    row("faces", lambda split: f"{split.n:,}")
    row("largest / smallest class", lambda split: f"{split.imbalance:.1f}" if split.imbalance else "–")
    row("grey level", lambda split: f"{split.intensity.mean:.0f} ± {split.intensity.std:.0f}")
    row("contrast", lambda split: f"{split.contrast.mean:.0f} ± {split.contrast.std:.0f}")
    row("size on disk (px)", lambda split: _sizes(split.sizes))
    row("blank", lambda split: f"{split.blank:,}")
    row("repeated images", lambda split: _repeats(split.duplicates))
    console().print(table)
    if len(splits) > 1:
        console().print(f"  in more than one split: {_repeats(facts.duplicates_across_splits)}")
    near = facts.near_duplicates
    if near:
        console().print(f"  near duplicates: {near.groups:,} pictures on {near.faces:,} faces")
    for line in facts.findings:
        console().print(f"• {line}", highlight=False)
    console().print(f"  fingerprint {facts.fingerprint}", highlight=False)


def _sizes(sizes: Mapping[str, int] | None) -> str:
    if not sizes:
        return "–"
    first = next(iter(sizes))
    return first if len(sizes) == 1 else f"{first} and {len(sizes) - 1:,} more"


def _repeats(duplicates: Repeats) -> str:
    conflicts = f", {duplicates.conflicts:,} with labels that disagree" if duplicates.conflicts else ""
    return f"{duplicates.images:,}{conflicts}"


def _print_verdict(verdict: Verdict) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("FER+ disagrees with the label", "this ranking", "shuffled"):
        table.add_column(column, justify="right")
    for k, precision in verdict.precision.items():
        if precision is not None:
            table.add_row(f"of the first {k:,}", f"{precision:.1%}", f"{verdict.random[k]:.1%}")
    table.add_row(f"of all {verdict.judged:,}", f"{verdict.base_rate:.1%}", "")
    console().print(table)
