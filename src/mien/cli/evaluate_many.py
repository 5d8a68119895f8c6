"""``mien evaluate MODEL --data A --data B``: one table for several data sets, and what each figure follows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.output import Format, console, print_json

LEGEND = (
    "accuracy: all classes of the model; shared: the shared classes alone; recall: mean of the classes; "
    "perfect: ECE by chance alone"
)

if TYPE_CHECKING:
    from rich.table import Table

    from mien.contract.statistics import Interval
    from mien.evaluate.assessment import Assessment


def print_many(model: str, found: Sequence[tuple[str, Assessment]], format: Format) -> None:
    """Print the figures of each data set side by side.

    Args:
        model: its name.
        found: name of each data set and its figures.
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
