"""``mien evaluate`` on several data sets: one table, notes on each set, and a report in the model's card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.cli.output import Format, console, print_json, say

LEGEND = (
    "accuracy: all classes of the model; shared: the shared classes alone; recall: mean of the classes; "
    "perfect: ECE by chance alone"
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from mien.cli.opened_models import OpenedModel
    from mien.contract.statistics import Interval
    from mien.data.faceset import FaceSet
    from mien.evaluate.assessment import Assessment


def print_many(model: str, found: Sequence[tuple[str, Assessment]], format: Format) -> None:
    """Print the figures of each data set side by side.

    Args:
        model: the model's name.
        found: for the name of each data set its figures.
        format: how to print.
    """
    if format is Format.json:
        rows = [{"data": name} | each.to_dict() for name, each in found]
        kept = [{key: value for key, value in row.items() if key != "curves"} for row in rows]
        print_json({"model": model, "data": kept})
        return
    console().print(_table(model, found))
    console().print(LEGEND, style="dim", soft_wrap=True)
    for name, each in found:
        for sentence in () if each.other_classes is None else each.other_classes.sentences:
            console().print(f"{Path(name).name}: {sentence}.", soft_wrap=True)


def write_into_card(
    out: Path,
    models: Sequence[str],
    opened: OpenedModel,
    probs_NC: NDArray[np.floating[Any]],
    faces: FaceSet,
    found: Sequence[tuple[str, Assessment]],
) -> None:
    """Write the model file again, with a report and a reference in its card; its graph stays.

    Args:
        out: the .onnx file to write.
        models: names of the models that the user gave; there must be one.
        opened: that model.
        probs_NC: its probabilities on the first data set, columns in the order of ``faces.labels``.
        faces: the faces of the first data set.
        found: name and figures of each data set, in the user's order.

    Raises:
        ModelError: several models, or no .onnx file.
    """
    from mien.contract.atomic_files import write_whole
    from mien.contract.errors import ModelError
    from mien.contract.onnx_container import write_card
    from mien.contract.shipped_models import resolve_model
    from mien.evaluate.card_report import card_report, with_report
    from mien.evaluate.reference_fit import with_reference

    if len(models) > 1 or opened.card is None or opened.kind != "ONNX file" or out.suffix.lower() != ".onnx":
        raise ModelError(f"{out}: --into-card takes one .onnx model and writes one")
    named = [(Path(name).name or name, each) for name, each in found]  # not the path, which may hold a user name
    data, first = named[0]
    what = f"{data}, {first.split}, {first.metrics.n:,} faces"
    card = with_report(opened.card, card_report(first, probs_NC, faces, opened.card, what, named[1:]))
    card = with_reference(card, probs_NC, faces, what)
    file_bytes, _ = write_card(resolve_model(models[0]).read_bytes(), card)
    write_whole(out, file_bytes)
    say(f"{out}: written, with this report and a reference for mien drift in its card")


def _table(model: str, found: Sequence[tuple[str, Assessment]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=model, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shared = any(each.other_classes is not None for _, each in found)
    heads = ["data", "faces", "accuracy", "95 %", "shared", "recall", "ECE", "perfect", "debiased"]
    for name in heads if shared else [head for head in heads if head != "shared"]:
        table.add_column(name, justify="left" if name == "data" else "right", no_wrap=True)
    for name, each in found:
        metrics, perfect = each.metrics, each.intervals.ece_if_calibrated
        cells = [Path(name).name or name, f"{metrics.n:,}", f"{metrics.accuracy:.1%}", _ends(metrics.accuracy_95)]
        if shared:
            cells.append("" if each.other_classes is None else f"{each.other_classes.shared.accuracy:.1%}")
        recall = "" if metrics.balanced_accuracy is None else f"{metrics.balanced_accuracy:.1%}"
        table.add_row(
            *cells,
            recall,
            f"{metrics.ece:.1%}",
            _ends(perfect),
            f"{metrics.ece_debiased:.1%}",
        )
    return table


def _ends(bounds: Interval) -> str:
    return f"{100 * bounds[0]:.1f}–{100 * bounds[1]:.1f}"
