"""Figures for the terminal.

rich.print(*metrics_tables(metrics), sep="\\n")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table


def metrics_tables(metrics: Mapping[str, Any]) -> tuple[Table, Table]:
    """Return the headline figures and the table of classes.

    Args:
        metrics: of ``evaluate`` or ``score``; the latter's ``split`` goes into the title.
    """
    return _headline(metrics), _per_class(metrics)


def _headline(metrics: Mapping[str, Any]) -> Table:
    low, high = metrics["accuracy_95"]
    of = f"{metrics['split']}, " if "split" in metrics else ""
    table = Table(title=f"{of}{metrics['n']:,} faces", title_justify="left", box=box.SIMPLE, show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("accuracy", _percent(metrics["accuracy"]), f"95 %: {_percent(low)} to {_percent(high)}")
    table.add_row("balanced accuracy", _percent(metrics["balanced_accuracy"]), "mean recall of the classes")
    table.add_row("macro F1", _percent(metrics["macro_f1"]), "mean F1 of the classes")
    table.add_row("NLL", f"{metrics['nll']:.3f}", "negative log-likelihood, nats")
    table.add_row("ECE", _percent(metrics["ece"]), "confidence against accuracy, 15 equal-mass bins")
    return table


def _per_class(metrics: Mapping[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("emotion", style="bold")
    for name in ("precision", "recall", "F1", "faces"):
        table.add_column(name, justify="right")
    table.add_column("most often taken for", style="dim")
    for index, (name, row) in enumerate(metrics["per_class"].items()):
        others = [count if column != index else 0 for column, count in enumerate(metrics["confusion"][index])]
        worst = max(range(len(others)), key=others.__getitem__)
        taken = f"{metrics['labels'][worst]} ({others[worst] / row['support']:.0%})" if others[worst] else ""
        shares = (_percent(row[key]) for key in ("precision", "recall", "f1"))
        table.add_row(name, *shares, f"{row['support']:,}", taken)
    return table


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
