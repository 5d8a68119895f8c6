"""The evaluation report: ``index.html`` with its figures inside, and ``metrics.json`` beside it.

    write_evaluation_report(Path("report"), Subject("base", (file,), card), found, mistakes)

The page needs no network, no script and no other file, and prints on A4. Its text is in templates/evaluation.html; this
module prepares the values for it (tables: evaluation_rows.py, drawings: charts.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mien.contract.atomic_files import make_folder, write_whole
from mien.contract.card import ModelCard
from mien.evaluate.assessment import Assessment
from mien.evaluate.training_history import RunLog
from mien.report import evaluation_rows as rows
from mien.report.charts import (
    ranking_figures,
    reliability_figure,
    risk_figure,
    robustness_figure,
    svg_uri,
    training_figures,
)
from mien.report.confusion_figure import confusion_figure
from mien.report.group_rows import GROUP_HEAD, group_rows
from mien.report.mistakes import Mistake
from mien.report.templating import render


@dataclass(frozen=True)
class Member:
    """One model of those evaluated.

    Attributes:
        name: as the user gave it.
        kind: "ONNX file", "run folder", …
        bytes: size of its file; None if it has no file.
        weight: its weight in the average; 1 for a single model.
    """

    name: str
    kind: str
    bytes: int | None
    weight: float = 1.0


@dataclass(frozen=True)
class Subject:
    """What was evaluated, and how.

    Attributes:
        name: name of the model or ensemble.
        members: the one model, or the models that were averaged.
        cards: the cards of those members that have one.
        tta: the views of each face that were averaged (test-time augmentation).
        faces_per_s: speed, measured while scoring.
        data: where the faces came from, as the user gave it.
        fingerprint: fingerprint of the whole data set.
        card_mismatches: one line for each difference between the data and the data that the card names.
        weights_note: how the weights of an ensemble were chosen.
        made_with: version and date, for the foot of the page.
    """

    name: str
    members: tuple[Member, ...]
    cards: tuple[ModelCard, ...] = ()
    tta: str = "none"
    faces_per_s: float | None = None
    data: str = ""
    fingerprint: str = ""
    card_mismatches: tuple[str, ...] = ()
    weights_note: str = ""
    made_with: str = "mien"

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON; the cards stay in their files."""
        return {key: value for key, value in asdict(self).items() if key != "cards"}


def write_evaluation_report(
    folder: Path,
    subject: Subject,
    found: Assessment,
    mistakes: Sequence[Mistake] = (),
    run_logs: Sequence[RunLog] = (),
) -> Path:
    """Write ``index.html`` and ``metrics.json``.

    Args:
        folder: the folder to write into; it is made if it does not exist.
        subject: what was evaluated.
        found: the result of ``assess``.
        mistakes: the mistakes for the gallery.
        run_logs: the results of ``read_run_log``, one for each run folder.

    Returns:
        The page's path.

    Raises:
        OutputError: the folder cannot be written.
        MissingExtraError: Jinja2 or matplotlib is not installed.
    """
    model = " + ".join(member.name for member in subject.members)
    content = {"subject": subject.to_dict(), "model": model, **found.to_dict()}
    content["mistakes"] = [each.to_dict() for each in mistakes]
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    page = evaluation_html(subject, found, mistakes, run_logs)
    make_folder(folder)
    write_whole(folder / "metrics.json", f"{text}\n".encode())
    write_whole(folder / "index.html", page.encode())
    return folder / "index.html"


@dataclass(frozen=True)
class Charts:
    """The page's drawings as ``data:`` URIs; "" for those that have nothing to draw."""

    confusion: str
    reliability: str
    risk: str
    roc: str = ""
    recall: str = ""
    robustness: str = ""


@dataclass(frozen=True)
class TrainingSection:
    """One run folder: drawings of loss and accuracy, rows of facts, and the recipe's text."""

    loss: str
    accuracy: str
    rows: list[tuple[str, str]]
    recipe: str


def evaluation_html(
    subject: Subject, found: Assessment, mistakes: Sequence[Mistake] = (), run_logs: Sequence[RunLog] = ()
) -> str:
    """The page as text; arguments as for ``write_evaluation_report``."""
    facts = [("data", subject.data), ("fingerprint of the data", subject.fingerprint), *_members(subject)]
    facts += [("weights", subject.weights_note), ("test-time augmentation", subject.tta)]
    if subject.faces_per_s:
        facts.append(("speed while scoring", f"{subject.faces_per_s:,.0f} faces/s, batches of 64"))
    calibrated_by = subject.cards[0].calibrated_by if len(subject.cards) == 1 else ""
    return render(
        "evaluation.html",
        subject=subject,
        found=found,
        charts=_charts(found),
        figure_rows=rows.figure_rows(found),
        subject_rows=facts,
        count_rows=rows.count_rows(found),
        empty_classes=[name for name, row in found.metrics.per_class.items() if not row.support],
        calibration_rows=rows.calibration_rows(found, calibrated_by),
        risk_rows=rows.risk_rows(found.selective),
        corruption_rows=rows.corruption_rows(found.robustness) if found.robustness else [],
        stability_rows=rows.stability_rows(found.robustness) if found.robustness else [],
        group_head=GROUP_HEAD,
        group_rows=group_rows(found.groups) if found.groups else [],
        group_gaps=[gap.sentence for gap in found.groups.gaps if gap.shown] if found.groups else [],
        mistakes=mistakes,
        runs=[_training(log) for log in run_logs],
        card_rows=[rows.card_rows(card) for card in subject.cards],
    )


def _members(subject: Subject) -> list[tuple[str, str]]:
    lines = []
    for member in subject.members:
        weight = f", weight {member.weight:.3f}" if len(subject.members) > 1 else ""
        size = "" if member.bytes is None else f", {member.bytes / 1e6:.1f} MB"
        lines.append(("model", f"{member.name} ({member.kind}{size}{weight})"))
    return lines


def _charts(found: Assessment) -> Charts:
    metrics = found.metrics
    roc = recall = ""
    if found.curves:
        roc, recall = (svg_uri(each) for each in ranking_figures(found.curves, metrics.labels))
    return Charts(
        confusion=svg_uri(confusion_figure(metrics.labels, metrics.confusion)),
        reliability=svg_uri(reliability_figure(found.reliability)),
        risk=svg_uri(risk_figure(found.selective)),
        roc=roc,
        recall=recall,
        robustness=svg_uri(robustness_figure(found.robustness)) if found.robustness else "",
    )


def _training(log: RunLog) -> TrainingSection:
    loss, accuracy = (svg_uri(each) for each in training_figures(log.epochs))
    return TrainingSection(loss, accuracy, rows.training_rows(log), log.recipe)
