"""The parts of the report page, each from one part of the metrics to HTML. evaluation_page.py puts them in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.contract.card import ModelCard
from mien.evaluate.assessment import Assessment
from mien.evaluate.intervals import BY_WILSON
from mien.evaluate.training_history import RunLog
from mien.report import charts
from mien.report.confusion_figure import confusion_figure
from mien.report.html import Html, bar, cards, escape, figure, interval, number, percent, section, small, table
from mien.report.mistakes import Mistake


def headline(found: Assessment) -> Html:
    """The figures that are asked for first, and the full list with its intervals."""
    metrics, intervals = found.metrics, found.intervals
    at = found.selective.error_at
    votes = found.votes
    people = "" if votes is None else f"one human tagger gets {percent(votes.tagger_accuracy)}"
    chance = interval(intervals.ece_if_calibrated)
    last = (
        ("error at 80 % coverage", percent(at[0.8]), f"at 50 %: {percent(at[0.5])}, of all: {percent(at[1])}")
        if votes is None
        else ("accuracy on FER+ majority", percent(votes.accuracy), people)
    )
    entries = (
        ("accuracy", percent(metrics.accuracy), f"95 %: {interval(metrics.accuracy_95)}"),
        ("macro F1", percent(metrics.macro_f1), f"95 %: {interval(intervals.macro_f1)}"),
        ("calibration error (ECE)", percent(metrics.ece), f"perfect would show {chance}"),
        last,
    )
    rows = []
    for name, key, shown, note in FIGURES:
        bounds = getattr(metrics if key in BY_WILSON else intervals, f"{key}_95" if key in BY_WILSON else key)
        method = "Wilson" if key in BY_WILSON else "bootstrap"
        as_share = shown is percent
        ends = interval(bounds, 100 if as_share else 1, 1 if as_share else 3)
        rows.append((name, shown(getattr(metrics, key)), small(f"{ends} {method}") if bounds else "", small(note)))
    rows.append(("ECE", percent(metrics.ece), small(f"{chance} if it were perfect"), small("15 equal-mass bins")))
    return section(
        "Figures",
        cards(entries),
        table(("", "value", "95 % interval", ""), rows, "notes"),
        f"Intervals: Wilson's for shares of faces, the percentile bootstrap over faces ({intervals.repeats:,} "
        f"resamplings, seed {intervals.seed}) for the rest. They are about new faces from the same source and this one "
        f"model, not about another training seed. ECE has none, because resampling would inflate it.",
    )


FIGURES: tuple[tuple[str, str, Any, str], ...] = (
    ("accuracy", "accuracy", percent, "share of faces that are right"),
    ("top-2 accuracy", "top2", percent, "truth among the two likeliest"),
    ("balanced accuracy", "balanced_accuracy", percent, "mean recall of the classes"),
    ("macro F1", "macro_f1", percent, "mean F1 of the classes"),
    ("ROC-AUC, macro", "roc_auc", number, "one against the rest; chance is 0.5"),
    ("average precision, macro", "average_precision", number, "one against the rest"),
    ("Cohen's kappa", "kappa", number, "agreement beyond chance"),
    ("NLL", "nll", number, "negative log-likelihood, nats"),
    ("Brier score", "brier", number, "squared distance to the truth, 0 to 2"),
)


def per_class(found: Assessment) -> Html:
    """The table of classes and the confusion matrix."""
    rows = []
    for name, row in found.metrics.per_class.items():
        bounds = found.intervals.per_class[name]
        cells: list[Any] = [name]
        for key in ("precision", "recall", "f1"):
            cells += [bar(getattr(row, key), percent(getattr(row, key))), small(interval(getattr(bounds, key)))]
        rows.append([*cells, number(row.roc_auc), number(row.average_precision), f"{row.support:,}"])
    head = ("emotion", "precision", "95 %", "recall", "95 %", "F1", "95 %", "ROC-AUC", "avg. precision", "faces")
    matrix = figure(
        charts.svg_uri(confusion_figure(found.metrics.labels, found.metrics.confusion)),
        f"Confusion on {found.split}, {found.metrics.n:,} faces: share of each true class, counts below.",
        "narrow",
    )
    empty = [name for name, row in found.metrics.per_class.items() if not row.support]
    note = f"No face of {', '.join(empty)} in this split: n/a, and left out of the means over classes." if empty else ""
    return section("By emotion", table(head, rows, "wide"), note, matrix)


def ranking(found: Assessment) -> Html:
    """ROC and precision/recall curves."""
    if not found.curves:
        return Html("")
    roc, recall = (charts.svg_uri(each) for each in charts.ranking_figures(found.curves, found.metrics.labels))
    pair = figure(roc, "ROC, each emotion against the rest.") + figure(recall, "Precision against recall.")
    return section("Ranking", Html(f'<div class="pair">{pair}</div>'))


def confidence(found: Assessment) -> Html:
    """Calibration and abstention, side by side."""
    calibration, selective = found.calibration, found.selective
    rows = []
    if calibration.ece_before is not None:
        rows.append(("before: without the temperature in the model", percent(calibration.ece_before)))
    label = "as the model answers" + (f" (temperature {calibration.temperature:.3f})" if rows else "")
    rows.append((label, percent(calibration.ece)))
    if refitted := calibration.refitted:
        rows.append(("temperature refitted here, cross-fitted", percent(refitted.temperature.ece_cross_fitted)))
        rows.append(("vector scaling fitted here, cross-fitted", percent(refitted.vector.ece_cross_fitted)))
        rows.append(("a curve of confidence, likewise", percent(refitted.curve.ece_cross_fitted)))
    left = figure(
        charts.svg_uri(charts.reliability_figure(found.reliability)),
        "Reliability: accuracy against confidence in 15 bins of equally many faces, with 95 % intervals.",
    ) + table(("ECE", ""), rows)
    risks = [(f"{share * 100:.0f} % answered", percent(value)) for share, value in selective.error_at.items()]
    if accepted := selective.accepted:
        name = f"threshold {accepted.threshold:.2f}: {percent(accepted.coverage)} answered"
        risks.append((name, f"{percent(accepted.error)} ({interval(accepted.error_95)})"))
    right = figure(
        charts.svg_uri(charts.risk_figure(selective)), "Risk and coverage: fewer answers, fewer errors."
    ) + table(("error rate", ""), [*risks, ("AURC, area under the curve", number(selective.aurc))])
    return section(
        "Confidence and abstention",
        Html(f'<div class="pair"><div>{left}</div><div>{right}</div></div>'),
        "Cross-fitted: each face is scaled by what was fitted without it, so the figure may be published.",
    )


def against_people(found: Assessment) -> Html:
    """FER+ votes."""
    votes = found.votes
    if votes is None:
        return Html("")
    rows = (
        ("the model, against the majority of ten", percent(votes.accuracy), small(interval(votes.accuracy_95))),
        ("one human tagger, against the other nine", percent(votes.tagger_accuracy), ""),
        (
            "the model, against FER2013's own label",
            percent(found.metrics.accuracy),
            small(interval(found.metrics.accuracy_95)),
        ),
        ("KL divergence from the votes, nats", number(votes.kl), ""),
    )
    return section(
        "Against people",
        table(("accuracy", "", "95 %"), rows),
        f"FER+ gives each face ten taggers. {votes.n:,} of the {votes.faces_with_votes:,} faces with votes have "
        f"one of the model's emotions ahead of all other answers (contempt, unknown and not-a-face included); "
        f"accuracies against votes are over those. KL is over {votes.kl_faces:,} faces.",
    )


def robustness(found: Assessment) -> Html:
    """Curves, the table behind them, and stability."""
    swept = found.robustness
    if swept is None:
        return Html("")
    rows = []
    for name, row in swept.corruptions.items():
        settings = ", ".join(f"{value:g}" for value in row.settings)
        cells = [percent(each) for each in row.accuracy]
        rows.append((name, *cells, percent(sum(row.accuracy) / len(cells)), small(f"{row.unit}: {settings}")))
    stable = [(name, percent(row.same_answer), percent(row.moved_probability)) for name, row in swept.stability.items()]
    of = f"all {swept.n:,} faces" if swept.n == swept.of else f"{swept.n:,} of the {swept.of:,} faces"
    return section(
        "Robustness",
        cards(
            (
                ("mean corruption accuracy", percent(swept.mean_corruption_accuracy), "ten kinds, five strengths"),
                ("clean, same faces", percent(swept.clean_accuracy), f"{of}, seed {swept.seed}"),
                ("retained", percent(swept.retained), "corrupted over clean"),
                (
                    "same answer after 1 px",
                    percent(swept.stability["shifted by one pixel"].same_answer),
                    "mean of four directions",
                ),
            )
        ),
        figure(charts.svg_uri(charts.robustness_figure(swept)), "Accuracy at strengths 0 (clean, dashed) to 5."),
        table(("accuracy at strength", "1", "2", "3", "4", "5", "mean", ""), rows, "wide notes"),
        table(("stability", "same answer", "probability moved"), stable),
    )


def non_faces(found: Assessment) -> Html:
    """Rejection of things that are no faces."""
    if not (kinds := found.non_faces):
        return Html("")
    rows = [
        (kind, bar(row.rejected, percent(row.rejected)), small(interval(row.rejected_95)))
        + (percent(row.mean_confidence), f"{row.n:,}")
        for kind, row in kinds.items()
    ]
    return section(
        "Not a face",
        "Share of crops without a face on which the model abstains, at its own threshold. It was asked for emotions "
        "and has no class for this, so its confidence is all there is; the detector before it does most of the work.",
        table(("", "rejected", "95 %", "mean confidence", "crops"), rows),
    )


def gallery(mistakes: Sequence[Mistake]) -> Html:
    """The most confident mistakes with their votes."""
    if not mistakes:
        return section("Most confident mistakes", "There is no mistake in this split.")
    cells = []
    for each in mistakes:
        votes = ", ".join(f"{name} {count}" for name, count in each.votes.items())
        agreed = ' class="agreed"' if each.taggers_agree else ""
        cells.append(
            f'<div{agreed}><img src="{each.png_uri}" alt="{escape(each.name)}" title="{escape(each.name)}">'
            f"<b>{escape(each.said)} {each.confidence:.0%}</b><span>label: {escape(each.label)}</span>"
            + (f"<span>votes: {escape(votes)}</span>" if votes else "")
            + "</div>"
        )
    with_model = sum(1 for each in mistakes if each.taggers_agree)
    green = f" Green: most FER+ taggers are with the model ({with_model} of {len(mistakes)})."
    note = green if any(each.votes for each in mistakes) else ""
    return section(
        "Most confident mistakes",
        f"What the model said, how surely, and what the data says.{note}",
        Html(f'<div class="gallery">{"".join(cells)}</div>'),
    )


def training(log: RunLog) -> Html:
    """How the model was trained: curves, facts, recipe."""
    loss, accuracy = (charts.svg_uri(each) for each in charts.training_figures(log.epochs))
    facts, epochs = log.facts, log.epochs
    best, machine = facts.get("best", {}), facts.get("machine", {})
    rows = [
        ("epochs", f"{len(epochs)}, best {best.get('epoch', 'not decided yet')}"),
        ("time", f"{sum(row.get('seconds', 0) for row in epochs) / 60:.1f} min"),
        (
            "learning rate",
            f"{epochs[0].get('lr', 0):.3g} to {epochs[-1].get('lr', 0):.3g}, "
            f"highest {max(row.get('lr', 0) for row in epochs):.3g}",
        ),
        ("machine", ", ".join(f"{key} {value}" for key, value in machine.items())),
        ("versions", ", ".join(f"{key} {value}" for key, value in facts.get("versions", {}).items())),
    ]
    pair = figure(loss, "Loss by epoch.") + figure(accuracy, "Accuracy by epoch (training: on augmented faces).")
    return section(
        "Training",
        Html(f'<div class="pair">{pair}</div>'),
        table(("", ""), rows, "facts"),
        Html(f"<details open><summary>Recipe</summary><pre>{escape(log.recipe)}</pre></details>"),
    )


def card_table(card: ModelCard) -> Html:
    """What the model says of itself."""
    rows: list[tuple[str, Any]] = [
        ("name", card.name),
        ("emotions, in order", ", ".join(card.labels)),
        ("crop", f"{card.image.side} x {card.image.side} px, grey"),
        ("temperature", f"{card.temperature:.4f}"),
        ("accepts from", f"{card.accept_threshold:.4f}"),
        ("trained on", "fingerprint " + str(card.data.get("fingerprint", "not stated"))),
    ]
    for key, value in card.provenance.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)
        shown = f"{value:,}" if key == "parameters" and isinstance(value, int) else shown
        rows.append((key.replace("_", " "), shown))
    return section("Model card", table(("", ""), rows, "facts"))
