"""Make MODEL_CARD.md from the card inside the model file, so that no figure in it is typed by hand.

    text = model_card_markdown(classifier.card, size_bytes=path.stat().st_size)

The headings follow Mitchell et al. 2019 (arXiv:1810.03993). A figure that the card does not hold is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.contract.card import ModelCard
from mien.contract.errors import ModelError
from mien.contract.lineage import DIGEST_SHOWN
from mien.report.card_report_text import card_report_markdown, markdown_table
from mien.report.card_texts import FACES_ALONE, INTENDED, LAW, LIMITS, NO_FACES_TOO, RESPONSIBLE
from mien.report.figures_table import FIGURES, Figure


def model_card_markdown(card: ModelCard, size_bytes: int | None = None) -> str:
    """The card as Markdown.

    Args:
        card: the card of a model file.
        size_bytes: size of the file.

    Raises:
        ModelError: figures or facts in the card are not of the kind that they should be.
    """
    try:
        return _markdown(card, size_bytes)
    except ModelError:
        raise
    except (TypeError, KeyError, ValueError, AttributeError, IndexError, OverflowError):
        raise ModelError(f"the card of {card.name!r} misstates its figures; make the file again") from None


def _markdown(card: ModelCard, size_bytes: int | None) -> str:
    parts = [f"# Model card: `{card.name}`\n", "*Generated from the card inside the model file; not edited by hand.*\n"]
    parts += ["## Model\n", _list(_facts(card, size_bytes))]
    parts += ["## Intended use\n", INTENDED]
    parts += ["## Data\n", _data(card)]
    parts += ["## Figures\n", *_figures(card)]
    if further := card_report_markdown(card):
        parts += ["## Beyond accuracy\n", further]
    # the shipped file fer2013 was trained when this field was called "nonfaces"
    exposed = any(card.recipe.get(key) for key in ("outlier_exposure", "nonfaces"))
    outliers = NO_FACES_TOO if card.rejected or exposed else FACES_ALONE
    parts += ["## Limits\n", LIMITS.format(outliers=outliers), "## Responsible use\n", RESPONSIBLE, "## Law\n", LAW]
    if card.recipe:
        parts += ["## Recipe\n", _list((key, _shown(value)) for key, value in card.recipe.items())]
    return "\n".join(parts)


def _facts(card: ModelCard, size_bytes: int | None) -> list[tuple[str, str]]:
    origin = card.provenance
    facts = [
        ("Emotions, in the order of the outputs", ", ".join(card.labels)),
        ("Input", f"grey face crops, {card.image.side} x {card.image.side} px, 8 bits"),
    ]
    if card.rejected:
        facts.append(
            ("Rejects", f"{', '.join(card.rejected)}: their probability is missing from the sum of the emotions")
        )
    if card.precision != "fp32":
        facts.append(("Arithmetic", card.precision))
    if card.parents:
        shown = "; ".join(
            f"{parent.relation} {parent.name} ({(parent.graph_sha256 or 'no digest')[:DIGEST_SHOWN]})"
            for parent in card.parents
        )
        facts.append(("Descends", shown))
    if parts := origin.get("weights_averaged"):
        shown = " and ".join(f"{part['share']:.0%} of {part['source']} ({part['recipe']})" for part in parts)
        facts.append(("Weights", f"the average of {shown}"))
    if size_bytes is not None:
        facts.append(("File", f"{size_bytes / 1e6:.1f} MB, ONNX"))
    if isinstance(parameters := origin.get("parameters"), int):
        facts.append(("Parameters", f"{parameters:,}"))
    if isinstance(seconds := origin.get("training_seconds"), int | float):
        facts.append(("Training time", f"{seconds / 60:.0f} min"))
    for key in ("machine", "versions", "licence", "exported", "mien"):
        if key in origin:
            name = {"licence": "Licence of the weights", "mien": "Made with mien"}.get(key, key.capitalize())
            facts.append((name, _shown(origin[key])))
    facts.append(("Calibration", f"{card.calibrated_by}, inside the file"))
    if card.naming is not None:
        frequencies = ", ".join(f"{name} {share:.1%}" for name, share in card.naming.frequencies.items())
        facts.append(
            (
                "Names",
                f"by default the emotion whose probability, divided by its frequency to the power {card.naming.power}, "
                f"is largest; frequencies ({card.naming.source}): {frequencies}. The probabilities stay as they are",
            )
        )
    error = card.metrics.get("accepted_error_rate") if "field" not in card.metrics else None
    wanted = f", so that at most {error:.0%} of the accepted answers are wrong" if isinstance(error, float) else ""
    facts.append(("Abstains", f"below a confidence of {card.accept_threshold:.2f}{wanted}"))
    return facts


def _data(card: ModelCard) -> str:
    lines = []
    counts = card.data.get("counts")
    if isinstance(counts, Mapping) and all(isinstance(row, Mapping) for row in counts.values()):
        rows = [
            (split, *(_count(row.get(name)) for name in card.labels), _count(sum(row.values())))
            for split, row in counts.items()
        ]
        lines.append(markdown_table(("faces", *card.labels, "all"), rows))
    if isinstance(field := card.data.get("field"), Mapping):
        counted = "; ".join(f"{split} {_count(sum(row.values()))}" for split, row in field["counts"].items())
        lines.append(
            f"Field photos, split by person: {counted}. Licence: {field.get('licence', 'not stated')}. "
            f"Fingerprint: `{field['fingerprint']}`\n"
        )
    if fingerprint := card.data.get("fingerprint"):
        lines.append(f"Fingerprint (SHA-256 over labels, splits and pixels): `{fingerprint}`\n")
    return "\n".join(lines) or "Not stated in the card.\n"


def _figures(card: ModelCard) -> list[str]:
    parts = []
    for split, found in card.metrics.items():
        if not isinstance(found, Mapping) or "accuracy" not in found:
            continue
        rows = []
        for each in CARD_FIGURES:
            if isinstance(value := found.get(each.key), int | float):
                bounds = _ends(found.get(f"{each.key}_95"), each.is_share)
                rows.append((each.name, _value(value, each.is_share), bounds))
                if each.key == "ece" and (floor := _ends(found.get("ece_if_calibrated_95"), each.is_share)):
                    rows.append(("ECE of a perfect model with these confidences", "", floor))
        parts.append(f"On the split **{split}**, {_count(found.get('n'))} faces, classes counted below.\n")
        parts.append(markdown_table(("", "value", "95 % interval"), rows))
        if isinstance(votes := found.get("votes"), Mapping):
            parts.append(
                f"Against the majority of FER+'s ten taggers ({_count(votes.get('n'))} faces): "
                f"{_value(votes.get('accuracy'), True)}; one human tagger against the other nine gets "
                f"{_value(votes.get('tagger_accuracy'), True)}.\n"
            )
        if isinstance(classes := found.get("per_class"), Mapping):
            keys = ("precision", "recall", "f1")
            table = [
                (name, *(_value(row.get(key), True) for key in keys), _count(row.get("support")))
                for name, row in classes.items()
            ]
            parts.append(markdown_table(("emotion", "precision", "recall", "F1", "faces"), table))
        if split == "validation":
            parts.append("Validation also chose the epoch, the calibration and the threshold: expect a little less.\n")
    if isinstance(field := card.metrics.get("field"), Mapping):
        parts += _field(field)
    return parts or ["None in the card.\n"]


NAMED = {
    "named_by_field": "the most probable emotion",
    "named_by_default": "by default",
    "named_by_uniform": "as if all were equally frequent",
}


def _field(field: Mapping[str, Any]) -> list[str]:
    """Figures on photos from everyday life, by the way emotions are named."""
    rows, recalls = [], []
    emotions = list(field["named_by_default"]["recall"])
    for key, words in NAMED.items():
        found = field[key]
        share = found["accuracy"]
        rows.append(
            (
                words,
                f"{_value(share['value'], True)} ({_ends((share['low'], share['high']), True)})",
                _value(found["balanced"], True),
                _calibration(found),
                _value(found["surest_error"], False),
            )
        )
        recalls.append((words, *(_value(found["recall"][name]["value"], True) for name in emotions)))
    counts = [_count(field["named_by_default"]["recall"][name]["n"]) for name in emotions]
    head = ("named", "accuracy (95 %)", "balanced over six", "ECE", "error of the surest 80 % against all")
    return [
        f"On {_count(field['n'])} faces of news photos and films whose persons are in no training and no calibration, "
        f"though they choose between models; the threshold accepts {_value(field['accepted'], True)} of them. "
        "Balanced: mean recall without disgust and contempt.\n",
        markdown_table(head, rows),
        "Recall by emotion:\n",
        markdown_table(("named", *emotions), [*recalls, ("faces", *counts)]),
    ]


def _calibration(found: Mapping[str, Any]) -> str:
    """ECE, the ECE that a calibrated model would have by chance, and the debiased ECE, if the card has them."""
    text = _value(found["ece"], True)
    if floor := _ends(found.get("ece_if_calibrated"), True):
        text += f" (perfect: {floor}; debiased {_value(found.get('ece_debiased'), True)})"
    return text


CARD_FIGURES = (
    *FIGURES,
    Figure("ece_before", "calibration error (ECE) before calibration", True, "of the network itself"),
    Figure(
        "ece_cross_fitted", "calibration error (ECE), cross-fitted", True, "by calibrations that did not see the face"
    ),
)
"""The headline figures, and two about calibration that only an export measures."""


def _value(value: Any, share: bool) -> str:
    if not isinstance(value, int | float):
        return "n/a"
    return f"{value * 100:.1f} %" if share else f"{value:.3f}"


def _ends(bounds: Any, share: bool) -> str:
    if not isinstance(bounds, Sequence) or len(bounds) != 2:
        return ""
    return " to ".join(_value(end, share) for end in bounds)


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "n/a"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(each)}" for key, each in value.items())
    return str(value).replace("\n", " ")


def _list(facts: Any) -> str:
    return "".join(f"- {name}: {value}\n" for name, value in facts)
