"""The confusion matrix as a PNG file. matplotlib is imported when it is drawn; none of its global state is touched.

confusion_png(metrics, Path("confusion.png"), split="validation")

The other figures, which go into a report, are in charts.py.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from mien.contract.atomic_files import write_whole
from mien.contract.errors import MissingExtraError
from mien.evaluate.metrics import Metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, FAINT = "#1f2933", "#b8c2cc"


def confusion_png(metrics: Metrics, path: str | Path, split: str = "") -> None:
    """Draw the confusion matrix: shares of each true class as colour and per cent, counts below.

    Args:
        metrics: of ``evaluate``.
        path: the PNG to write, which appears whole or not at all.
        split: for the title.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    stream = io.BytesIO()
    confusion_figure(metrics.labels, metrics.confusion, _title(metrics, split)).savefig(stream, format="png")
    write_whole(Path(path), stream.getvalue())


def confusion_figure(labels: Sequence[str], counts_CC: ArrayLike, title: str = "") -> Figure:
    """The same as a figure: ``counts_CC`` has the true classes as rows. Raises MissingExtraError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "evaluate") from None

    count_CC = np.asarray(counts_CC)
    support_C = count_CC.sum(axis=1)
    share_CC = count_CC / np.maximum(support_C, 1)[:, None]
    size = 2.3 + 0.78 * len(labels)
    figure = Figure(figsize=(size, size), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.imshow(share_CC, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(share_CC.shape):
        share, count = share_CC[row, column], count_CC[row, column]
        tone = "white" if share > 0.55 else INK if count else FAINT
        percent = f"{share:.0%}" if support_C[row] else "–"
        bold = "bold" if row == column else "normal"
        axes.text(column, row - 0.05, percent, va="bottom", ha="center", fontsize=12, fontweight=bold, color=tone)
        axes.text(column, row + 0.08, f"{count:,}", va="top", ha="center", fontsize=8, alpha=0.85, color=tone)
    places = np.arange(len(labels))
    axes.set_xticks(places, labels, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, [f"{name}\n{support:,}" for name, support in zip(labels, support_C, strict=True)])
    axes.set_xlabel("predicted", color=INK)
    axes.set_ylabel("true (faces)", color=INK)
    # white lines between the cells, no frame
    axes.set_xticks(places[1:] - 0.5, minor=True)
    axes.set_yticks(places[1:] - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title, loc="left", fontsize=11, color=INK, pad=12)
    return figure


def _title(metrics: Metrics, split: str) -> str:
    low, high = metrics.accuracy_95
    of = f"{split}, " if split else ""
    return f"{of}{metrics.n:,} faces, accuracy {metrics.accuracy:.1%}  (95 %: {low:.1%} to {high:.1%})"
