"""What a user should know before training on a data set: one sentence for each finding.

for line in findings(report): print(line)
"""

from __future__ import annotations

from mien.data.dataset_report import DatasetReport
from mien.data.votes import VOTES

IMBALANCE_WORTH_SAYING = 3.0


def findings(report: DatasetReport) -> list[str]:
    """Sentences about what stands out, the most serious first."""
    lines = [*_leaks(report), *_noisy_labels(report), *_imbalance(report)]
    near, splits = report.near_duplicates, list(report.splits.values())
    if near and near.conflicts:
        lines.append(f"{near.conflicts:,} pictures occur more than once, and their labels disagree.")
    if blank := sum(split.blank for split in splits):
        lines.append(f"{blank:,} faces are one single grey level and show nothing.")
    channels = [split.channels for split in splits if split.channels]
    grey, colour = sum(each["grey"] for each in channels), sum(each["colour"] for each in channels)
    if grey and colour:
        lines.append(f"Grey ({grey:,}) and colour ({colour:,}) images are mixed; all are read as grey.")
    if len(splits) == 1:
        lines.append(f"Everything is in one split, {next(iter(report.splits))}: training needs train and validation.")
    return lines


def _leaks(report: DatasetReport) -> list[str]:
    across = report.near_duplicates.across if report.near_duplicates else {}
    return [
        f"{leak.faces:,} of {report.splits[other].n:,} {other} faces ({leak.faces / report.splits[other].n:.1%}) show "
        f"a picture that is also in {one}, {leak.conflicts:,} of them under another label: figures on {other} are too "
        "good, because a model can remember these pictures."
        for (one, other), leak in across.items()
        if leak.faces
    ]


def _noisy_labels(report: DatasetReport) -> list[str]:
    votes = report.votes
    if votes is None or votes.agree is None:
        return []
    share = {
        label: row[label] / judged
        for label, row in votes.table.items()
        if label in row and (judged := sum(row[name] for name in VOTES))
    }
    worst = f", least often for {min(share, key=share.__getitem__)} ({min(share.values()):.0%})" if share else ""
    return [
        f"Where FER+'s taggers have a majority, the label agrees with it in {votes.agree:.1%} of the cases{worst}. "
        "The labels are noisy by as much."
    ]


def _imbalance(report: DatasetReport) -> list[str]:
    name, first = next(iter(report.splits.items()))
    if first.imbalance is None:
        empty = [label for label, count in first.counts.items() if not count]
        return [f"No faces of {', '.join(empty)} in {name}: a model cannot learn a class that it never sees."]
    if first.imbalance < IMBALANCE_WORTH_SAYING:
        return []
    most, least = (pick(first.counts, key=first.counts.__getitem__) for pick in (max, min))
    return [
        f"{first.imbalance:.1f} times as many {most} as {least} faces in {name}: weigh the classes or sample them "
        "evenly, and read macro F1 beside accuracy."
    ]
