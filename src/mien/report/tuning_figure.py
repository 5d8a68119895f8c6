"""Draw a search for settings: the score of each trial after each epoch, with the best trial on top.

curves_png([trial.curve for trial in trials], "validation_accuracy", Path("tuning.png"))
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mien.contract.errors import MissingExtraError

BEST, OTHERS = "#1f6f8b", "#c3ccd5"


def curves_png(curves: Sequence[Sequence[float]], metric: str, path: Path) -> None:
    """Draw the curves of all trials.

    Args:
        curves: the metric after each epoch, the best trial first; an empty one is left out.
        metric: name of the vertical axis.
        path: the PNG to write; its folder exists.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise MissingExtraError("matplotlib", "evaluate") from None
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    drawn = [curve for curve in curves if curve]
    for number, curve in reversed(list(enumerate(drawn))):
        colour, width = (BEST, 2.2) if number == 0 else (OTHERS, 1.2)
        axes.plot(range(1, len(curve) + 1), curve, color=colour, linewidth=width, marker="o", markersize=2.5 + width)
    if drawn:
        last = (len(drawn[0]), drawn[0][-1])
        text = f"best {max(drawn[0]):.3f}"
        axes.annotate(text, last, xytext=(0, 7), textcoords="offset points", ha="right", color=BEST)
        axes.margins(y=0.1)
    axes.set_xlabel("epoch; grey lines that end early were stopped")
    axes.set_ylabel(metric.replace("_", " "))
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.savefig(path, format="png")
