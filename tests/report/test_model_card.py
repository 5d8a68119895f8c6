"""The generated model card holds the card's figures, and nothing that the card does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mien.contract.card import ImageSpec, ModelCard
from mien.contract.errors import ModelError
from mien.contract.shipped_models import resolve_model
from mien.evaluate.card_report import CardReport, CurveRow, DataRow, GroupRow, SetRow, with_report
from mien.evaluate.metrics import evaluate
from mien.recognition.classifier import Classifier
from mien.report.model_card import model_card_markdown

LABELS = ("angry", "happy", "sad")
BARE = ModelCard("bare", LABELS, ImageSpec(48, 1, {}), 1.25, 0.6)


def test_figures_counts_and_headings() -> None:
    found = evaluate(np.eye(3)[[0, 0, 1, 1]], [0, 1, 1, 1], LABELS).to_dict() | {"ece_cross_fitted": 0.0123}
    card = ModelCard(
        "full",
        LABELS,
        ImageSpec(48, 1, {}),
        1.25,
        0.6,
        {"validation": found, "accepted_error_rate": 0.2},
        {"name": "base", "epochs": 46},
        {"fingerprint": "abc", "counts": {"train": {"angry": 3995, "happy": 7215}}},
        {"parameters": 6288823, "licence": "Apache-2.0", "machine": {"processor": "some CPU", "threads": 2}},
    )
    text = model_card_markdown(card, size_bytes=12_600_000)
    assert text.startswith("# Model card: `full`\n")
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "Model",
        "Intended use",
        "Data",
        "Figures",
        "Limits",
        "Responsible use",
        "Law",
        "Recipe",
    ]
    for line in (
        "- Emotions, in the order of the outputs: angry, happy, sad",
        "- File: 12.6 MB, ONNX",
        "- Parameters: 6,288,823",
        "- Machine: processor some CPU, threads 2",
        "- Abstains: below a confidence of 0.60, so that at most 20% of the accepted answers are wrong",
        "| train | 3,995 | 7,215 | n/a | 11,210 |",
        "On the split **validation**, 4 faces, classes counted below.",
        "| accuracy | 75.0 % | 30.1 % to 95.4 % |",
        "| calibration error (ECE), cross-fitted | 1.2 % |  |",
        "| happy | 100.0 % | 66.7 % | 80.0 % | 3 |",
        "| sad | n/a | n/a | n/a | 0 |",
        "- epochs: 46",
    ):
        assert line in text.splitlines()
    assert "Art. 5(1)(f)" in text and "Art. 50(3)" in text


def test_a_bare_card_makes_no_claims() -> None:
    text = model_card_markdown(BARE)
    assert "Not stated in the card." in text and "None in the card." in text
    assert "accuracy |" not in text and "## Recipe" not in text


def test_a_card_with_nonsense_in_it_does_not_break() -> None:
    nonsense = ModelCard(
        "odd",
        LABELS,
        ImageSpec(48, 1, {}),
        1,
        0.5,
        {"validation": {"accuracy": "high", "accuracy_95": 3}},
        {},
        {"counts": 7},
    )
    assert "Not stated in the card." in model_card_markdown(nonsense)


@pytest.mark.parametrize(
    "change",
    [{"data": {"field": {"crops": 5}}}, {"metrics": {"field": {"faces": 3}}}],
)
def test_a_card_that_lacks_half_of_a_figure_is_one_line(change: dict[str, Any]) -> None:
    """A stranger's card ended `mien models card` with a traceback."""
    with pytest.raises(ModelError, match="the card of 'bare' misstates its figures; make the file again"):
        model_card_markdown(replace(BARE, name="bare", **change))


def test_naming_and_field_figures_are_shown() -> None:
    card = Classifier(resolve_model("base")).card
    text = model_card_markdown(card)
    assert f"divided by its frequency to the power {card.naming.power}" in text  # type: ignore[union-attr]
    found = card.metrics["field"]["named_by_default"]
    assert f"| by default | {found['accuracy']['value']:.1%} (".replace("%", " %") in text
    assert f"{found['recall']['neutral']['n']:,}" in text and "muxspace/facial_expressions" in text
    assert "Descends: fine-tuned from base (" in text


def test_the_report_of_an_evaluation_is_shown() -> None:
    row = DataRow("fer2013/", 100, 0.7, (0.6, 0.8), 0.61, 0.05, (0.02, 0.06), 0.03, 0.9, 0.25)
    report = CardReport(
        "fer2013/, validation, 100 faces",
        100,
        (SetRow(0.9, False, 0.912, 0.65, 1.97), SetRow(0.9, True, 0.92, 0.9, 2.4)),
        (GroupRow("brightness", "0 to 80", 25, 0.6, (0.4, 0.77), -0.08, True),),
        "1 of 8 comparisons show a gap that chance would hardly make",
        0.7,
        (
            CurveRow("blur", "sigma, px of 48", (0.5, 1, 2, 3, 4), (0.7, 0.6, 0.5, 0.4, 0.3)),
            CurveRow("down-sampling", "side, px of 48", (32, 24, 16, 12, 8), (0.69, 0.66, 0.6, 0.5, 0.4)),
        ),
        (row, replace(row, data="mine/", accuracy=0.5)),
    )
    card = with_report(BARE, report)
    card = ModelCard.from_json(card.to_json())
    assert CardReport.of(card) == report and CardReport.of(BARE) is None
    text = model_card_markdown(card)
    for line in (
        "Measured on fer2013/, validation, 100 faces; none of it was trained on.",
        "| mine/ | 100 | 50.0 % (60.0 to 80.0) | 61.0 % | 5.0 % | 2.0 to 6.0 | 3.0 % | 90.0 % | 25.0 % |",
        "| 90% | each emotion | 92.0 % | 90.0 % | 2.40 |",
        "| brightness | 0 to 80 | 25 | 60.0 % (40.0 to 77.0) | -8.0 (more than chance) |",
        "| blur | 70.0 % | 60.0 % | 50.0 % | 40.0 % | 30.0 % | sigma, px of 48: 0.5, 1, 2, 3, 4 |",
        "| side of the face, px | 48 | 32 | 24 | 16 | 12 | 8 |",
        "| accuracy | 70.0 % | 69.0 % | 66.0 % | 60.0 % | 50.0 % | 40.0 % |",
    ):
        assert line in text, line
    broken = replace(BARE, metrics={"report": {"sets": [{"level": 1}]}})
    with pytest.raises(ModelError, match="misstates its report"):
        model_card_markdown(broken)
