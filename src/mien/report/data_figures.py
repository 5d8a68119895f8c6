"""The pictures of a data report, as PNG bytes. matplotlib is imported when one is drawn; no global state is touched.

    class_bars(facts)                                  # facts of mien.data.describe
    contact_sheet(faces.faces_NHW[chosen], columns=12)

Shape legend: N faces, H = W side of a face in pixels, C classes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.contract.errors import MissingExtraError
from mien.data.dataset_report import DatasetReport, Distribution, SplitReport, VoteAgreement
from mien.data.faceset import FaceSet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#1f2933", "#9aa5b1"
SPLIT_COLOURS = {"train": "#2f6690", "validation": "#e08e45", "test": "#5b8e7d"}
OTHER_COLOURS = ("#8e6c8a", "#b8b08d", "#6c757d")


def class_bars(facts: DatasetReport) -> bytes:
    """Share of each class in each split, with counts."""
    labels, splits = facts.labels, facts.splits
    figure = _figure(8, 0.9 + 0.22 * len(labels) * max(len(splits), 1.6))
    axes = figure.subplots()
    thick = 0.8 / len(splits)
    for number, (name, split) in enumerate(splits.items()):
        y_C = np.arange(len(labels)) + (number - (len(splits) - 1) / 2) * thick
        share_C = [split.shares[label] for label in labels]
        axes.barh(y_C, share_C, height=thick * 0.9, color=_colour(name, number), label=name)
        for y, label, share in zip(y_C, labels, share_C, strict=True):
            axes.text(share, y, f"  {split.counts[label]:,}", va="center", fontsize=8, color=INK)
    axes.set_yticks(np.arange(len(labels)), labels)
    axes.invert_yaxis()
    axes.axvline(1 / len(labels), color=FAINT, linewidth=1, linestyle=":")
    axes.margins(x=0.1)
    axes.set_xlabel("share of the split (dotted: even)")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    _plain(axes)
    if len(splits) > 1:
        axes.legend(frameon=False, loc="lower right")
    return _png(figure)


def level_curves(facts: DatasetReport) -> bytes:
    """Distributions of all pixels' grey levels and of each face's contrast, by split."""
    figure = _figure(8, 2.5)
    panels: tuple[tuple[Callable[[SplitReport], Distribution], str, int], ...] = (
        (lambda split: split.intensity, "grey level of a pixel", 256),
        (lambda split: split.contrast, "contrast of a face (deviation of its pixels)", 128),
    )
    for axes, (distribution, title, end) in zip(figure.subplots(1, 2), panels, strict=True):
        for number, (name, split) in enumerate(facts.splits.items()):
            count = np.array(distribution(split).histogram, dtype=float)
            edges = np.linspace(0, end, len(count) + 1)
            colour = _colour(name, number)
            axes.stairs(count / max(count.sum(), 1), edges, color=colour, linewidth=1.6, label=name)
            axes.stairs(count / max(count.sum(), 1), edges, color=colour, fill=True, alpha=0.12)
        axes.set_xlim(0, end)
        axes.set_ylim(bottom=0)
        axes.set_yticks([])
        axes.set_xlabel(title)
        _plain(axes)
    if len(facts.splits) > 1:
        axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def mean_faces(faces: FaceSet) -> bytes:
    """The mean face of each class, and where it is lighter or darker than the mean of the classes."""
    mean_CHW = np.full((len(faces.labels), faces.side, faces.side), np.nan)
    count_C = np.bincount(faces.labels_N, minlength=len(faces.labels))
    sum_CHW = np.zeros_like(mean_CHW)
    for start, faces_BHW in faces.chunks(1024):
        for label in np.unique(faces.labels_N[start : start + len(faces_BHW)]):
            own = faces.labels_N[start : start + len(faces_BHW)] == label
            sum_CHW[label] += faces_BHW[own].sum(axis=0, dtype=np.int64)
    seen = np.flatnonzero(count_C)
    mean_CHW[seen] = sum_CHW[seen] / count_C[seen, None, None]
    apart_CHW = mean_CHW - mean_CHW[seen].mean(axis=0)
    reach = max(float(np.abs(apart_CHW[seen]).max()), 1.0)
    figure = _figure(1.25 * len(seen) + 0.3, 2.9)
    rows = figure.subplots(2, len(seen), squeeze=False)
    for column, label in enumerate(seen.tolist()):
        rows[0][column].imshow(mean_CHW[label], cmap="gray", vmin=0, vmax=255)
        rows[1][column].imshow(apart_CHW[label], cmap="RdBu_r", vmin=-reach, vmax=reach)
        rows[0][column].set_title(faces.labels[label], fontsize=10, color=INK)
    for axes in rows.flat:
        axes.set_axis_off()
    return _png(figure)


def votes_heatmap(votes: VoteAgreement) -> bytes:
    """The data's label (rows) against FER+'s majority (columns), as shares of the row."""
    labels = list(votes.table)
    named = {name for row in votes.table.values() for name in row if name in labels}
    columns = [name for name in labels if name in named]
    columns += [name for name in next(iter(votes.table.values())) if name not in columns]
    count_CV = np.array([[votes.table[label][name] for name in columns] for label in labels])
    share_CV = count_CV / np.maximum(count_CV.sum(axis=1, keepdims=True), 1)
    figure = _figure(1.6 + 0.68 * len(columns), 1.5 + 0.45 * len(labels))
    axes = figure.subplots()
    axes.imshow(share_CV, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(share_CV.shape):
        count = int(count_CV[row, column])
        tone = "white" if share_CV[row, column] > 0.55 else INK if count else "#cbd2d9"
        bold = "bold" if labels[row] == columns[column] else "normal"
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8.5, color=tone, fontweight=bold)
    axes.set_xticks(np.arange(len(columns)), columns, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(labels)), labels)
    axes.set_xlabel("FER+ majority")
    axes.set_ylabel("label in the data")
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)
    return _png(figure)


def contact_sheet(faces_NHW: NDArray[np.uint8], columns: int, gap_px: int = 2) -> bytes:
    """Faces side by side on white, row after row."""
    side = faces_NHW.shape[1]
    rows = -(-len(faces_NHW) // columns)
    step = side + gap_px
    sheet = np.full((max(rows, 1) * step - gap_px, min(columns, max(len(faces_NHW), 1)) * step - gap_px), 255, np.uint8)
    for number, face in enumerate(faces_NHW):
        y, x = number // columns * step, number % columns * step
        sheet[y : y + side, x : x + side] = face
    return face_png(sheet)


def face_png(face_HW: NDArray[np.uint8]) -> bytes:
    """One grey image as a PNG, unchanged."""
    buffer = io.BytesIO()
    Image.fromarray(face_HW).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def evenly_spaced(index: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """``count`` entries evenly spaced over ``index``; the same arguments give the same entries."""
    if len(index) <= count:
        return index
    return index[np.linspace(0, len(index) - 1, count).round().astype(np.int64)]


def _colour(split: str, number: int) -> str:
    return SPLIT_COLOURS.get(split, OTHER_COLOURS[number % len(OTHER_COLOURS)])


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "evaluate") from None
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def _plain(axes: Axes) -> None:
    axes.tick_params(length=0, labelsize=9, colors=INK)
    axes.xaxis.label.set_color(INK)
    axes.xaxis.label.set_fontsize(9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#cbd2d9")


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
