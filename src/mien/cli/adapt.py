"""``mien adapt``: fit a model to one's own camera from some labelled faces, or say that it would not help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.output import Format, console, needs, print_json, problem, progress, say

if TYPE_CHECKING:
    from mien.adapt.adapting import Adapted
    from mien.adapt.features import SourceModel


class Method(StrEnum):
    """Ways to adapt."""

    auto = "auto"
    none = "none"
    temperature = "temperature"
    shares = "shares"
    vector = "vector"
    head = "head"


def adapt(
    model: Annotated[str, typer.Argument(help="A shipped model's name, or an .onnx file that mien exported.")],
    data: Annotated[
        Path, typer.Option(help="Faces in class folders or any layout that mien reads; 20 to a few 1,000.")
    ],
    out: Annotated[Path | None, typer.Option(help="Write the adapted model to this .onnx file.")] = None,
    method: Annotated[
        Method, typer.Option(help="auto takes what cross-validation finds best; none only fits sets and thresholds.")
    ] = Method.auto,
    split: Annotated[str | None, typer.Option(help="Split of the data; all of it if left out.")] = None,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="The faces have no labels: estimate only the shares of the emotions.")
    ] = False,
    persons: Annotated[
        Path | None, typer.Option(help="CSV with columns path and person: a person's faces stay in one fold.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write the model even if it was not shown to help.")] = False,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """Adapt a model to your own labelled faces, without a training framework."""
    with needs("evaluate"):
        import sklearn  # noqa: F401  said before any work is done

    from mien.adapt.adapting import adapt_model, write_adapted
    from mien.adapt.features import SourceModel
    from mien.contract.errors import ModelError
    from mien.contract.shipped_models import resolve_model
    from mien.data.loading import load_faces
    from mien.evaluate.readout import METHODS

    source = SourceModel(resolve_model(model))
    if unlabelled:
        _unlabelled(source, data, out, force, format)
        return
    faces = load_faces(data, side=source.card.image.side, on_problem=problem)
    if split is not None:
        faces = faces.split(split)
    units_N = None
    if persons is not None:
        from mien.data.face_table import read_face_table

        units_N = read_face_table(persons, faces.names_N, on_problem=problem).units("person")
    methods = METHODS if method is Method.auto else (method.value,)
    with progress("looking at faces") as on_progress:
        result = adapt_model(source, faces, methods=methods, units_N=units_N, on_progress=on_progress)
    if format is Format.json:
        print_json(_facts(result))
    else:
        console().print(*_lines(result), sep="\n")
    wanted = result.adaptation.helps or method is Method.none or force
    if out is not None and not wanted:
        raise ModelError(f"{out}: not written, since adapting was not shown to help; --force writes it nevertheless")
    if out is not None:
        write_adapted(source, result, out, data=f"{data} ({len(faces):,} faces)")
        say(f"{out}: written")


def _facts(result: Adapted) -> dict[str, Any]:
    from dataclasses import asdict

    found = result.adaptation
    return {
        "method": found.method,
        "penalty": found.penalty,
        "faces": found.faces,
        "classes": list(result.classes),
        "before": asdict(found.before),
        "after": asdict(found.after),
        "accuracy_gain_95": list(found.accuracy_gain_95),
        "nll_gain_95": list(found.nll_gain_95),
        "helps": found.helps,
    }


def _lines(result: Adapted) -> list[Any]:
    from rich import box
    from rich.table import Table

    found = result.adaptation
    how = {
        "none": "the model as it is",
        "temperature": "one temperature",
        "shares": "other shares of the emotions",
        "vector": "a factor and an offset for each emotion",
        "head": "a new linear head on the model's features",
    }[found.method]
    table = Table(title=f"{found.faces:,} labelled faces: {how}", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("", "before", "after", "gain", "95 %"):
        table.add_column(column, justify="right" if column else "left", style="dim" if column == "95 %" else "")
    before, after = found.before, found.after
    low, high = found.accuracy_gain_95
    table.add_row(
        "accuracy",
        f"{before.accuracy:.1%}",
        f"{after.accuracy:.1%}",
        *_gain(before.accuracy, after.accuracy, low, high),
    )
    gain = after.balanced_accuracy - before.balanced_accuracy
    table.add_row("mean recall", f"{before.balanced_accuracy:.1%}", f"{after.balanced_accuracy:.1%}", _points(gain), "")
    low, high = found.nll_gain_95
    saved = before.nll - after.nll
    table.add_row("loss", f"{before.nll:.3f}", f"{after.nll:.3f}", f"{-saved:+.3f}", f"{-high:+.3f} to {-low:+.3f}")
    lines: list[Any] = [table, "After: cross-validated, each face by a model that was adapted without it."]
    if gain < -0.02:
        lines.append(
            "Rare emotions are found less often than before: accuracy counts faces, mean recall counts emotions."
        )
    if not found.helps:
        lines.append("Adapting was not shown to help on these faces; the model as it is is the better choice.")
    return lines


def _gain(before: float, after: float, low: float, high: float) -> tuple[str, str]:
    return _points(after - before), f"{100 * low:+.1f} to {100 * high:+.1f}"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"


def _unlabelled(source: SourceModel, data: Path, out: Path | None, force: bool, format: Format) -> None:
    """Shares of the emotions by expectation maximisation, with its warning."""
    import numpy as np

    from mien.adapt.adapting import adapt_to_shares, source_shares, write_shares
    from mien.contract.errors import DataError, ModelError
    from mien.contract.image_kinds import readable_suffixes
    from mien.data.face_images import read_grey
    from mien.evaluate.prior_shift import WARNING

    files = sorted(path for path in data.rglob("*") if path.suffix.lower() in readable_suffixes())
    crops = []
    for path in files:
        try:
            crops.append(read_grey(path, source.card.image.side))
        except DataError as error:
            problem(str(error))
    if not crops:
        raise DataError(f"{data}: no readable face found")
    with progress("looking at faces") as on_progress:
        estimate, readout = adapt_to_shares(source, np.stack(crops), on_progress)
    before_C = source_shares(source.card)
    shares = {
        name: {"model": float(before), "here": float(here)}
        for name, before, here in zip(source.card.labels, before_C, estimate.priors_C, strict=True)
    }
    if format is Format.json:
        print_json({"faces": len(crops), "shares": shares, "warning": WARNING})
    else:
        from rich import box
        from rich.table import Table

        table = Table(title=f"{len(crops):,} unlabelled faces", title_justify="left", box=box.SIMPLE_HEAD)
        for column in ("emotion", "in the model's data", "estimated here"):
            table.add_column(column, justify="left" if column == "emotion" else "right")
        for name, row in shares.items():
            table.add_row(name, f"{row['model']:.1%}", f"{row['here']:.1%}")
        console().print(table, WARNING[0].upper() + WARNING[1:] + ".", sep="\n")
    if out is None:
        return
    if not force:
        raise ModelError(f"{out}: not written, since nothing can be measured without labels; --force writes it")
    write_shares(source, readout, estimate, out, data=f"{data} ({len(crops):,} unlabelled faces)")
    say(f"{out}: written")
