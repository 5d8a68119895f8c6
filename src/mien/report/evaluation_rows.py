"""The rows of the evaluation report's tables, as texts.

for name, value, ends, note in figure_rows(found): ...
"""

from __future__ import annotations

from collections.abc import Mapping

from mien.contract.card import ModelCard
from mien.evaluate.assessment import Assessment
from mien.evaluate.intervals import BY_WILSON
from mien.evaluate.robustness import Robustness
from mien.evaluate.selective_prediction import RiskCoverage
from mien.evaluate.training_history import RunLog
from mien.report.figures_table import FIGURES
from mien.report.templating import interval, percent, plain_number

Row = tuple[str, ...]


def figure_rows(found: Assessment) -> list[Row]:
    """Name, value, 95 % interval and meaning of each headline figure."""
    rows: list[Row] = []
    for each in FIGURES:
        by_wilson = each.key in BY_WILSON
        bounds = getattr(found.metrics, f"{each.key}_95") if by_wilson else getattr(found.intervals, each.key, None)
        value = getattr(found.metrics, each.key)
        shown = percent(value) if each.is_share else plain_number(value)
        if each.key == "ece":
            ends = f"{interval(found.intervals.ece_if_calibrated)} if it were perfect"
        elif bounds is None:
            ends = ""
        else:
            scale, digits = (100, 1) if each.is_share else (1, 3)
            ends = f"{interval(bounds, scale, digits)} {'Wilson' if by_wilson else 'bootstrap'}"
        rows.append((each.name, shown, ends, each.meaning))
    return rows


def count_rows(found: Assessment) -> list[Row]:
    """Faces by split and class, and in all."""
    names = found.metrics.labels
    return [
        (split, *(f"{row[name]:,}" for name in names), f"{sum(row.values()):,}") for split, row in found.counts.items()
    ]


def calibration_rows(found: Assessment, calibrated_by: str) -> list[Row]:
    """ECE without the model's calibration, with it, with other calibrations fitted on this split, and by chance alone.

    Args:
        found: the result of ``assess``.
        calibrated_by: the model's calibration in words; "" if it is not known.
    """
    check = found.calibration
    rows: list[Row] = []
    if check.ece_before is not None:
        rows.append(("before: without the temperature in the model", percent(check.ece_before)))
    rows.append(("as the model answers" + (f" ({calibrated_by})" if calibrated_by else ""), percent(check.ece)))
    rows.append(("a perfect model with these confidences", interval(found.intervals.ece_if_calibrated)))
    rows.append(("debiased: root mean square, less what chance adds", percent(found.metrics.ece_debiased)))
    if check.refitted is not None:
        fits = check.refitted
        rows.append(("temperature fitted here, cross-fitted", percent(fits.temperature.ece_cross_fitted)))
        rows.append(("vector scaling fitted here, cross-fitted", percent(fits.vector.ece_cross_fitted)))
        rows.append(("curve fitted here, cross-fitted", percent(fits.curve.ece_cross_fitted)))
    return rows


def risk_rows(found: RiskCoverage) -> list[Row]:
    """Error rates by coverage, at the model's threshold, and the area under the curve."""
    rows: list[Row] = [(f"{share * 100:.0f} % answered", percent(risk)) for share, risk in found.error_at.items()]
    if accepted := found.accepted:
        name = f"threshold {accepted.threshold:.2f}: {percent(accepted.coverage)} answered"
        ends = f" ({interval(accepted.error_95)})" if accepted.error_95 else ""
        rows.append((name, f"{percent(accepted.error)}{ends}"))
    return [*rows, ("AURC, area under the curve", plain_number(found.aurc))]


def corruption_rows(swept: Robustness) -> list[Row]:
    """For each corruption the accuracy at each strength, their mean, and what the strengths mean."""
    return [
        (
            name,
            *(percent(each) for each in row.accuracy),
            percent(sum(row.accuracy) / len(row.accuracy)),
            f"{row.unit}: {', '.join(f'{value:g}' for value in row.settings)}",
        )
        for name, row in swept.corruptions.items()
    ]


def stability_rows(swept: Robustness) -> list[Row]:
    """For each change of the image: how many answers stay the same, and how far the probabilities move."""
    return [(name, percent(row.same_answer), percent(row.moved_probability)) for name, row in swept.stability.items()]


def training_rows(log: RunLog) -> list[tuple[str, str]]:
    """Facts of a training run."""
    facts, epochs = log.facts, log.epochs
    rates = [row.get("lr", 0) for row in epochs]
    return [
        ("epochs", f"{len(epochs)}, best {facts.get('best', {}).get('epoch', 'not decided yet')}"),
        ("time", f"{sum(row.get('seconds', 0) for row in epochs) / 60:.1f} min"),
        ("learning rate", f"{rates[0]:.3g} to {rates[-1]:.3g}, highest {max(rates):.3g}"),
        ("machine", _joined(facts.get("machine", {}))),
        ("versions", _joined(facts.get("versions", {}))),
    ]


def card_rows(card: ModelCard) -> list[tuple[str, str]]:
    """The facts of the model's card, with its provenance."""
    rows = [
        ("name", card.name),
        ("emotions, in order", ", ".join(card.labels)),
        ("crop", f"{card.image.side} x {card.image.side} px, grey"),
        ("calibration", card.calibrated_by),
        ("accepts from", f"{card.accept_threshold:.4f}"),
        ("trained on", f"fingerprint {card.data.get('fingerprint', 'not stated')}"),
    ]
    for key, value in card.provenance.items():
        shown = _joined(value) if isinstance(value, Mapping) else str(value)
        shown = f"{value:,}" if key == "parameters" and isinstance(value, int) else shown
        rows.append((key.replace("_", " "), shown))
    return rows


def _joined(facts: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in facts.items())
