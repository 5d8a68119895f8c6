"""The report's figures, as SVG in a data URI: sharp on paper, no file beside the page, nothing to fetch.

    uri = svg_uri(reliability_figure(bins))          # <img src="…">

matplotlib is imported when a figure is drawn, and none of its global state is touched. The confusion matrix is in
confusion_figure.py, because it is also written as a PNG.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mien.contract.errors import MissingExtraError
from mien.evaluate.calibration_error import ReliabilityBin
from mien.evaluate.ranking import RankingCurve
from mien.evaluate.robustness import Robustness
from mien.evaluate.selective_prediction import RiskCoverage
from mien.report.confusion_figure import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, GREY, RED = "#1f6fb2", "#8a97a5", "#c0392b"
GRID = "#e4e8ec"
PALETTE = ("#c0392b", "#7a8f2a", "#7d5ba6", "#e0a100", "#2c6fbb", "#e0702c", "#5d6d7e", "#1a998b", "#b0578d", "#444444")
"""By class, in index order; repeats after ten."""


def svg_uri(figure: Figure) -> str:
    """The figure as a ``data:`` URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "evaluate") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    _plain(axes)
    return figure, axes


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8, labelcolor=INK)


def _name(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)


def _percents(axes: Axes, which: str = "both") -> None:
    from matplotlib.ticker import PercentFormatter

    if which != "y":
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def reliability_figure(bins: Sequence[ReliabilityBin]) -> Figure:
    """Accuracy against confidence, bin by bin, with 95 % intervals; a calibrated model lies on the diagonal."""
    figure, axes = _axes(4.6, 4.0)
    confidence = [each.confidence for each in bins]
    accuracy = [each.accuracy for each in bins]
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    low = [max(0, each.accuracy - each.accuracy_95[0]) for each in bins]
    high = [max(0, each.accuracy_95[1] - each.accuracy) for each in bins]
    axes.errorbar(
        confidence, accuracy, [low, high], fmt="o-", color=BLUE, ecolor="#9fc3e3", markersize=4, linewidth=1.4
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    _percents(axes)
    _name(axes, "confidence", "accuracy")
    return figure


def ranking_figures(found: Mapping[str, RankingCurve], order: Sequence[str]) -> tuple[Figure, Figure]:
    """ROC and precision/recall curves, one line a class; ``order`` gives each class its colour."""
    roc, roc_axes = _axes(4.6, 4.0)
    recall, recall_axes = _axes(4.6, 4.0)
    roc_axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    for name, points in found.items():
        colour = PALETTE[order.index(name) % len(PALETTE)]
        roc_axes.plot(points.fpr, points.tpr, color=colour, linewidth=1.4, label=name)
        found_P = [each for each in zip(points.tpr, points.precision, strict=True) if each[0] > 0]
        recall_axes.plot(*zip(*found_P, strict=True), color=colour, linewidth=1.4, label=name)
    for axes in (roc_axes, recall_axes):
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.005)
        _percents(axes)
    roc_axes.legend(fontsize=8, frameon=False, loc="lower right", labelcolor=INK)
    _name(roc_axes, "false positive rate", "true positive rate")
    _name(recall_axes, "recall", "precision")
    return roc, recall


def risk_figure(found: RiskCoverage) -> Figure:
    """Error rate against coverage; a dot marks the model's own threshold."""
    figure, axes = _axes(4.6, 4.0)
    axes.plot(found.curve.coverage, found.curve.risk, color=BLUE, linewidth=1.6)
    if found.accepted is not None and found.accepted.error is not None:
        x, y = found.accepted.coverage, found.accepted.error
        axes.plot([x], [y], "o", color=RED, markersize=6)
        axes.annotate(
            "threshold of the card", (x, y), (-8, 8), textcoords="offset points", ha="right", fontsize=8, color=RED
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, None)
    _percents(axes)
    _name(axes, "coverage: share of faces that are answered", "error rate among them")
    return figure


def robustness_figure(found: Robustness) -> Figure:
    """One small panel a corruption: accuracy at strengths 0 (clean) to 5."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "evaluate") from None
    rows = list(found.corruptions.items())
    figure = Figure(figsize=(10.4, 2.1 * ((len(rows) + 4) // 5)), layout="constrained")
    panels = figure.subplots((len(rows) + 4) // 5, 5, sharex=True, sharey=True, squeeze=False).ravel()
    for panel in panels[len(rows) :]:
        panel.set_visible(False)
    for panel, (name, row) in zip(panels, rows, strict=False):
        _plain(panel)
        panel.axhline(found.clean_accuracy, color=GREY, linestyle="--", linewidth=0.9)
        panel.plot(range(6), [found.clean_accuracy, *row.accuracy], "o-", color=BLUE, markersize=3, linewidth=1.4)
        panel.set_title(name, fontsize=9, color=INK, loc="left")
        panel.set_xticks(range(6))
        panel.set_ylim(0, 1)
        _percents(panel, "y")
    return figure


def training_figures(rows: Sequence[Mapping[str, float]]) -> tuple[Figure, Figure]:
    """Loss and accuracy by epoch, training and validation."""
    figures = []
    for key in ("loss", "accuracy"):
        figure, axes = _axes(4.6, 3.4)
        for part, colour in (("train", GREY), ("validation", BLUE)):
            points = [(row["epoch"], row[name]) for row in rows if (name := f"{part}_{key}") in row]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.6, label=part)
        _name(axes, "epoch", key)
        if axes.lines:
            axes.legend(fontsize=8, frameon=False, labelcolor=INK)
        if key == "accuracy":
            _percents(axes, "y")
        figures.append(figure)
    return figures[0], figures[1]
