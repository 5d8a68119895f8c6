"""The table of groups, for the page and the terminal alike."""

from __future__ import annotations

from mien.evaluate.groups import GroupReport

GROUP_HEAD = ("", "group", "faces", "accuracy", "95 %", "expected", "confidence", "answered", "wrong of these", "")


def group_rows(found: GroupReport) -> list[tuple[str, ...]]:
    """One row for each group: its figures as texts, and a note for the reader."""
    shown = {(gap.column, gap.group, gap.measure) for gap in found.gaps if gap.shown}
    rows, before = [], ""
    for each in found.figures:
        marks = [measure for measure in ("accuracy", "overconfidence") if (each.column, each.group, measure) in shown]
        note = "few faces, not tested" if each.small else " and ".join(f"gap in {mark}" for mark in marks)
        low_high = "" if each.accuracy_95 is None else f"{each.accuracy_95[0]:.0%} to {each.accuracy_95[1]:.0%}"
        figures = (each.expected_accuracy, each.confidence, each.accepted, each.accepted_error)
        rows.append(
            (
                each.column if each.column != before else "",
                each.group,
                f"{each.n:,}",
                _share(each.accuracy),
                low_high,
                *map(_share, figures),
                note,
            )
        )
        before = each.column
    return rows


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
