"""Write the part of the model card that ``mien evaluate --into-card`` measured, as Markdown.

    text = card_report_markdown(card)         # "" where the card holds no report

Not here: the measuring (mien.evaluate.card_report), the rest of the card (model_card.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from mien.contract.card import ModelCard
from mien.contract.distributions import reference_of
from mien.contract.statistics import Interval
from mien.evaluate.card_report import RESOLUTION, CardReport, CurveRow, DataRow, GroupRow, SetRow


def card_report_markdown(card: ModelCard) -> str:
    """Sections on other data, sets, groups, corruptions and resolution.

    Raises:
        ModelError: the card's report or its reference cannot be read.
    """
    report, seen = CardReport.of(card), reference_of(card)
    parts = []
    if report is not None:
        parts += [f"Measured on {report.data}; none of it was trained on.\n"]
        parts += ["### Other data\n", _data(report.shift)] if len(report.shift) > 1 else []
        parts += ["### Sets of emotions that hold the truth\n", _sets(report.sets)]
        parts += ["### Groups by pixels\n", f"{_sentence(report.groups_verdict)}\n", _groups(report.groups)]
        if report.curves:
            parts += ["### Corruptions\n", _corruptions(report)]
            parts += ["### Resolution\n", _resolution(report)]
    if seen is not None:
        parts += [
            "### Reference for drift\n",
            f"`mien drift` compares a camera with {seen.faces:,} faces ({seen.data}): {', '.join(seen.shares)}.\n",
        ]
    return "\n".join(parts)


def _data(rows: Sequence[DataRow]) -> str:
    head = (
        "data",
        "faces",
        "accuracy",
        "mean recall",
        "ECE",
        "ECE if perfect",
        "debiased",
        "accepted",
        "of these wrong",
    )
    return markdown_table(
        head,
        [
            (
                row.data,
                f"{row.n:,}",
                f"{_share(row.accuracy)} ({_ends(row.accuracy_95)})",
                _share(row.balanced_accuracy),
                _share(row.ece),
                _ends(row.ece_if_calibrated_95),
                _share(row.ece_debiased),
                _share(row.accepted),
                _share(row.accepted_error),
            )
            for row in rows
        ],
    )


def _sets(rows: Sequence[SetRow]) -> str:
    head = ("promised", "holds for", "held by", "rarest held emotion", "emotions in a set")
    return markdown_table(
        head,
        [
            (
                f"{row.level:.0%}",
                "each emotion" if row.by_class else "all faces together",
                _share(row.coverage),
                _share(row.worst_class),
                f"{row.mean_size:.2f}",
            )
            for row in rows
        ],
    )


def _groups(rows: Sequence[GroupRow]) -> str:
    head = ("pixels", "group", "faces", "accuracy", "against faces of the same emotions")
    return markdown_table(
        head,
        [
            (
                row.column,
                row.group,
                f"{row.n:,}",
                f"{_share(row.accuracy)} ({_ends(row.accuracy_95)})",
                f"{100 * row.gap:+.1f}" + (" (more than chance)" if row.shown else ""),
            )
            for row in rows
        ],
    )


def _corruptions(report: CardReport) -> str:
    head = ("accuracy at strength", "1", "2", "3", "4", "5", "strengths")
    rows = [(row.name, *map(_share, row.accuracy), _strengths(row)) for row in report.curves if row.name != RESOLUTION]
    return f"Without any: {_share(report.clean)}.\n\n" + markdown_table(head, rows)


def _resolution(report: CardReport) -> str:
    """Accuracy by the side of the face, the largest first."""
    row = next((each for each in report.curves if each.name == RESOLUTION), None)
    if row is None:
        return ""
    sides = sorted(zip(row.settings, row.accuracy, strict=True), reverse=True)
    head = ("side of the face, px", "48", *(f"{side:g}" for side, _ in sides))
    return markdown_table(head, [("accuracy", _share(report.clean), *(_share(each) for _, each in sides))])


def _strengths(row: CurveRow) -> str:
    return f"{row.unit}: {', '.join(f'{value:g}' for value in row.settings)}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} %"


def _ends(bounds: Interval) -> str:
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns but the first are aligned to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
