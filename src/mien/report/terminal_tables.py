"""Figures for the terminal.

rich.print(*metrics_tables(metrics), sep="\\n")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

ROWS = (
    ("top-2 accuracy", "top2", True, "truth among the two likeliest"),
    ("balanced accuracy", "balanced_accuracy", True, "mean recall of the classes"),
    ("macro F1", "macro_f1", True, "mean F1 of the classes"),
    ("ROC-AUC", "roc_auc", False, "one against the rest, mean of the classes"),
    ("average precision", "average_precision", False, "mean of the classes"),
    ("Cohen's kappa", "kappa", False, "agreement beyond chance"),
    ("NLL", "nll", False, "negative log-likelihood, nats"),
    ("Brier", "brier", False, "squared distance to the truth, 0 to 2"),
)


def metrics_tables(metrics: Mapping[str, Any]) -> tuple[Table, Table]:
    """Return the headline figures and the table of classes.

    Args:
        metrics: of ``evaluate``, ``score`` or ``assess``; a ``split`` goes into the title, intervals and what else was
            measured into rows of their own.
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
    for name, key, as_share, meaning in ROWS:
        show = _percent if as_share else _number
        bounds = metrics.get(f"{key}_95")
        note = f"95 %: {show(bounds[0])} to {show(bounds[1])}" if bounds else meaning
        table.add_row(name, show(metrics[key]), note)
    table.add_row("ECE", _percent(metrics["ece"]), "confidence against accuracy, 15 equal-mass bins")
    if "abstention" in metrics:
        at = metrics["abstention"]["error_at"]
        shares = f"{_percent(at['0.5'])} at 50 %, {_percent(at['1.0'])} at 100 %"
        table.add_row("error at 80 % coverage", _percent(at["0.8"]), shares)
    if metrics.get("votes"):
        votes = metrics["votes"]
        note = f"{votes['n']:,} faces; one human tagger gets {_percent(votes['tagger_accuracy'])}"
        table.add_row("on FER+ majority", _percent(votes["accuracy"]), note)
    if "robustness" in metrics:
        swept = metrics["robustness"]
        note = f"mean of 10 corruptions at 5 strengths; clean {_percent(swept['clean_accuracy'])}"
        table.add_row("corrupted", _percent(swept["mean_corruption_accuracy"]), note)
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


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
