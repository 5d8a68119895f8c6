"""Tables of an evaluation for the terminal.

rich.print(*assessment_tables(found), sep="\\n")
"""

from __future__ import annotations

from typing import Literal

from rich import box
from rich.table import Table

from mien.evaluate.assessment import Assessment
from mien.evaluate.groups import GroupReport
from mien.evaluate.metrics import Metrics
from mien.evaluate.photo_figures import PhotoFigures
from mien.report.figures_table import FIGURES
from mien.report.group_rows import GROUP_HEAD, group_rows

SHORT_HEADS = {
    "accuracy": "right",
    "expected": "usual",
    "confidence": "sure",
    "wrong of these": "wrong",
}


def assessment_tables(found: Assessment) -> tuple[Table, Table]:
    """The headline figures with their intervals, and the table of classes."""
    return _headline(found), _per_class(found.metrics)


def more_lines(found: Assessment) -> list[Table | str]:
    """Further tables: the figures on shared classes, if model and data differ; photos and groups, if asked for."""
    lines: list[Table | str] = []
    if (other := found.other_classes) is not None:
        lines += [f"Note: {sentence}." for sentence in other.sentences]
        shared = other.shared
        low, high = shared.accuracy_95
        lines.append(f"accuracy, all classes of the model:    {_percent(found.metrics.accuracy)}")
        interval = f"95 %: {_percent(low)} to {_percent(high)}"
        lines.append(f"accuracy, shared classes:              {_percent(shared.accuracy)}, {interval}")
        if other.unknown_faces:
            lines.append(f"accuracy with unknown classes:         {_percent(other.accuracy_with_unknown)}")
    if found.photos is not None:
        lines.append(photo_table(found.photos))
    if found.groups is not None:
        lines += [group_table(found.groups), found.groups.verdict + "."]
        lines += [gap.sentence for gap in found.groups.gaps if gap.shown]
    return lines


NAMED = {"field": "most probable", "balanced": "by default", "uniform": "all equal"}
"""What is named by each way of naming (mien.contract.naming)."""


def photo_table(found: PhotoFigures) -> Table:
    """Accuracy on whole photos by the way emotions are named."""
    title = f"faces found in {found.photos - found.unseen:,} of {found.photos:,} photos"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("emotion named", "accuracy", "95 %", "of all photos", "balanced"):
        justify: Literal["left", "right"] = "left" if name == "emotion named" else "right"
        table.add_column(name, justify=justify, style="dim" if name == "95 %" else "")
    for priors, figures in found.named.items():
        share = figures.accuracy
        interval = f"{_percent(share.low)} to {_percent(share.high)}"
        of_all = _percent(found.of_all_photos[priors].value)
        table.add_row(NAMED[priors], _percent(share.value), interval, of_all, _percent(figures.balanced))
    return table


def group_table(found: GroupReport) -> Table:
    """Figures of each group, narrow enough for 80 columns; the page and JSON also have the share that is answered."""
    table = Table(title="Groups", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    rows = [_short(row) for row in group_rows(found)]
    used = [at for at, name in enumerate(GROUP_HEAD) if name != "answered" and any(row[at] for row in rows)]
    for at in used:
        name = SHORT_HEADS.get(GROUP_HEAD[at], GROUP_HEAD[at])
        table.add_column(name, justify="left" if name in ("", "group") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[at] for at in used))
    return table


def _short(row: tuple[str, ...]) -> tuple[str, ...]:
    """The row with a mark instead of its note; the sentences below the table explain the marks."""
    mark = "few" if row[-1].startswith("few") else "gap" if row[-1] else ""
    return (*row[:4], row[4].replace(" to ", "–"), *row[5:-1], mark)


def _headline(found: Assessment) -> Table:
    metrics, intervals = found.metrics, found.intervals
    low, high = metrics.accuracy_95
    table = Table(title=f"{found.split}, {metrics.n:,} faces", title_justify="left", box=box.SIMPLE, show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("accuracy", _percent(metrics.accuracy), f"95 %: {_percent(low)} to {_percent(high)}")
    for figure in FIGURES[1:]:
        show = _percent if figure.is_share else _number
        bounds = metrics.top2_95 if figure.key == "top2" else getattr(intervals, figure.key, None)
        note = f"95 %: {show(bounds[0])} to {show(bounds[1])}" if bounds else figure.meaning
        if figure.key == "ece":
            note = f"{' to '.join(map(_percent, intervals.ece_if_calibrated))} if it were perfect"
        table.add_row(figure.name, show(getattr(metrics, figure.key)), note)
    at = found.selective.error_at
    table.add_row(
        "error at 80 % coverage", _percent(at[0.8]), f"{_percent(at[0.5])} at 50 %, {_percent(at[1])} at 100 %"
    )
    if votes := found.votes:
        note = f"{votes.n:,} faces; one human tagger gets {_percent(votes.tagger_accuracy)}"
        table.add_row("on FER+ majority", _percent(votes.accuracy), note)
    if swept := found.robustness:
        note = f"mean of 10 corruptions at 5 strengths; clean {_percent(swept.clean_accuracy)}"
        table.add_row("corrupted", _percent(swept.mean_corruption_accuracy), note)
    return table


def _per_class(metrics: Metrics) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("emotion", style="bold")
    for name in ("precision", "recall", "F1", "faces"):
        table.add_column(name, justify="right")
    table.add_column("most often taken for", style="dim")
    for index, (name, row) in enumerate(metrics.per_class.items()):
        others = [count if column != index else 0 for column, count in enumerate(metrics.confusion[index])]
        worst = max(range(len(others)), key=others.__getitem__)
        taken = f"{metrics.labels[worst]} ({others[worst] / row.support:.0%})" if others[worst] else ""
        shares = (_percent(share) for share in (row.precision, row.recall, row.f1))
        table.add_row(name, *shares, f"{row.support:,}", taken)
    return table


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
