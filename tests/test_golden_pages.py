"""Stored pages and report figures: what drawn faces and fixed probabilities must give.

    python tests/test_golden_pages.py        # after a page or a figure was changed on purpose: store them anew

A page is stored as its text, since its drawings depend on the version of matplotlib. Figures are compared as numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.contract.card import ImageSpec, ModelCard
from mien.data.describe import describe
from mien.data.duplicates import find_duplicates
from mien.data.faceset import FaceSet
from mien.data.toy import toy_faces
from mien.evaluate.assessment import Assessment, assess
from mien.report.data_page import dataset_html
from mien.report.evaluation_page import Member, Subject, evaluation_html
from mien.report.model_card import model_card_markdown

GOLDEN = Path(__file__).with_name("golden")
REMEDY = "if it was changed on purpose: python tests/test_golden_pages.py"


class Words(HTMLParser):
    """The words of a page, one line for each piece of text; styles and drawings are left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._skipped = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skipped += tag in ("style", "svg", "script")

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag in ("style", "svg", "script")

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and not self._skipped:
            self.lines.append(re.sub(r"\bmien \d\S*", "mien VERSION", text))


def drawn() -> FaceSet:
    return toy_faces(per_class=10, seed=7)


def assessed() -> tuple[ModelCard, Assessment]:
    """Figures of made-up probabilities that are mostly right, on the drawn faces of the training split."""
    faces = drawn().split("train")
    logits_NC: NDArray[np.float64] = np.random.default_rng(7).normal(size=(len(faces), 7))
    logits_NC += 2.5 * np.eye(7)[faces.labels_N]
    odds_NC = np.exp(logits_NC)
    found = assess(odds_NC / odds_NC.sum(axis=1, keepdims=True), faces, temperature=1.5, threshold=0.5, repeats=100)
    facts = {"fingerprint": "0" * 64, "counts": faces.counts()}
    metrics = {"train": found.metrics.to_dict() | {"n": len(faces)}, "accepted_error_rate": 0.2}
    provenance = {"parameters": 17_000, "licence": "Apache-2.0", "exported": "2026-01-31", "mien": "0.1"}
    image = ImageSpec(48, 1, {"none": (0.0, 0.0, 0.0, 0.0)})
    card = ModelCard("golden", faces.labels, image, 1.5, 0.5, metrics, {"name": "base"}, facts, provenance)
    return card, found


def data_page() -> list[str]:
    faces = drawn()
    found = find_duplicates(faces)
    return Words(dataset_html(faces, describe(faces, found), found, "drawn faces")).lines


def evaluation_page() -> list[str]:
    card, found = assessed()
    subject = Subject("golden", (Member("golden.onnx", "ONNX file", 2_000_000),), (card,), data="drawn faces")
    return Words(evaluation_html(subject, found)).lines


def model_card() -> list[str]:
    return model_card_markdown(assessed()[0], size_bytes=2_000_000).splitlines()


PAGES: dict[str, Callable[[], list[str]]] = {
    "data_page.txt": data_page,
    "evaluation_page.txt": evaluation_page,
    "model_card.md": model_card,
}
FIGURES = "report_figures.json"


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and text of nested JSON with its place."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{place}.{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from leaves(each, f"{place}[{number}]")
    else:
        yield place, value


@pytest.mark.parametrize("name", PAGES)
def test_a_page_reads_as_stored(name: str) -> None:
    pytest.importorskip("jinja2", reason="pages come with mien[evaluate]")
    assert PAGES[name]() == (GOLDEN / name).read_text(encoding="utf-8").splitlines(), REMEDY


def test_report_figures_are_as_stored() -> None:
    stored = dict(leaves(json.loads((GOLDEN / FIGURES).read_text(encoding="utf-8"))))
    found = dict(leaves(json.loads(json.dumps(assessed()[1].to_dict()))))
    assert found.keys() == stored.keys(), REMEDY
    for place, value in found.items():
        if isinstance(value, float):
            assert value == pytest.approx(stored[place], abs=1e-6), f"{place}: {REMEDY}"
        else:
            assert value == stored[place], f"{place}: {REMEDY}"


if __name__ == "__main__":
    for name, made in PAGES.items():
        (GOLDEN / name).write_text("\n".join(made()) + "\n", encoding="utf-8")
    (GOLDEN / FIGURES).write_text(json.dumps(assessed()[1].to_dict(), indent=1) + "\n", encoding="utf-8")
