"""What goes into a report: the assessment, mismatches with a card, mistakes, the training log, and the page itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.contract.card import ImageSpec, ModelCard
from mien.contract.errors import ModelError, OutputError, RunError
from mien.data.faceset import FaceSet
from mien.data.votes import VOTES
from mien.evaluate.assessment import assess, card_mismatches
from mien.evaluate.calibration import apply_temperature
from mien.evaluate.calibration_error import expected_calibration_error, reliability
from mien.evaluate.metrics import evaluate
from mien.evaluate.out_of_distribution import Rejection
from mien.evaluate.robustness import robustness
from mien.evaluate.training_history import read_run_log
from mien.report.evaluation_page import Member, Subject, evaluation_html, write_evaluation_report
from mien.report.mistakes import worst_mistakes


@pytest.fixture(scope="module")
def faces(toy: FaceSet) -> FaceSet:
    """Toy faces, each with the votes of ten who nearly agree with its label; the first says something else."""
    votes_NV = np.zeros((len(toy), len(VOTES)), np.uint8)
    for index, label in enumerate(toy.labels_N):
        votes_NV[index, VOTES.index(toy.labels[label])] = 8
        votes_NV[index, VOTES.index("unknown")] = 2
    votes_NV[0] = 0
    votes_NV[0, VOTES.index("surprise")] = 10
    return replace(toy, votes_NC=votes_NV).split("train")


def answers(faces: FaceSet, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    logits_NC = rng.normal(size=(len(faces), 7)) + 3 * np.eye(7)[faces.labels_N]
    logits_NC[0] = 8 * np.eye(7)[faces.labels.index("surprise")]
    return apply_temperature(logits_NC, 1)


def test_an_assessment_holds_the_same_figures_and_is_json(faces: FaceSet) -> None:
    probs_NC = answers(faces)
    found = assess(probs_NC, faces, temperature=2.0, threshold=0.5, repeats=50)
    assert found.metrics == evaluate(probs_NC, faces.labels_N, faces.labels)
    assert found.split == "train" and found.counts == {"train": dict.fromkeys(faces.labels, 8)}
    undone_NC = apply_temperature(np.log(probs_NC), 0.5)
    before = found.calibration.ece_before
    assert before == pytest.approx(expected_calibration_error(undone_NC, faces.labels_N), abs=1e-6)
    assert found.selective.accepted.threshold == 0.5
    assert found.votes.n == len(faces)
    plain = found.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert (plain["accuracy"], plain["abstention"]["accepted"]["threshold"]) == (found.metrics.accuracy, 0.5)


def test_reliability_bins_make_the_ece(faces: FaceSet) -> None:
    probs_NC = answers(faces)
    bins = reliability(probs_NC, faces.labels_N)
    assert sum(each.n for each in bins) == len(faces)
    gaps = sum(each.n * abs(each.confidence - each.accuracy) for each in bins) / len(faces)
    assert gaps == pytest.approx(expected_calibration_error(probs_NC, faces.labels_N))


def test_probabilities_that_are_none_are_refused(faces: FaceSet) -> None:
    probs_NC = answers(faces)
    probs_NC[3, 2] = np.nan
    with pytest.raises(ModelError, match="nan.* in row 3"):
        assess(probs_NC, faces)


def card_of(metrics: dict[str, Any]) -> ModelCard:
    spec = ImageSpec(48, 1, {})
    names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    return ModelCard("tiny", names, spec, 1.5, 0.4, metrics, {}, {"fingerprint": "abc"}, {"parameters": 1234567})


def test_a_card_edited_by_hand_is_doubted(faces: FaceSet) -> None:
    found = assess(answers(faces), faces, repeats=20)
    honest = {key: getattr(found.metrics, key) for key in ("n", "accuracy", "nll", "ece")}
    assert card_mismatches(card_of({"train": honest}), found, "abc") == []
    (line,) = card_mismatches(card_of({"train": honest | {"accuracy": 0.999}}), found, "abc")
    assert "the card claims accuracy 0.999" in line and f"but {found.metrics.accuracy:.6g} was measured" in line
    assert len(card_mismatches(card_of({"train": honest | {"n": None, "ece": "low"}}), found, "abc")) == 2
    assert card_mismatches(card_of({"train": {"accuracy": 0.999}}), found, "other data") == []
    assert card_mismatches(card_of({"train": "good", "validation": honest}), found, "abc") == []


def test_mistakes_come_surest_first_with_their_votes(faces: FaceSet) -> None:
    probs_NC = answers(faces)
    found = worst_mistakes(probs_NC, faces, count=5)
    wrong_N = probs_NC.argmax(axis=1) != faces.labels_N
    assert [each.confidence for each in found] == sorted(probs_NC.max(axis=1)[wrong_N], reverse=True)[:5]
    first = found[0]
    assert (first.name, first.said, first.votes) == (faces.names_N[0], "surprise", {"surprise": 10})
    assert first.label == faces.labels[faces.labels_N[0]] and first.taggers_agree is True
    assert [each.taggers_agree for each in found[1:]] == [False] * (len(found) - 1)
    assert list(found[1].votes.values()) == [8, 2]
    without = worst_mistakes(probs_NC, replace(faces, votes_NC=None), count=1)[0]
    assert (without.votes, without.taggers_agree) == ({}, None)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("name: <base> & co\n")
    (folder / "run.json").write_text('{"best": {"epoch": 2}, "machine": {"threads": 2}}')
    header = "epoch,lr,train_loss,train_accuracy,validation_loss,validation_accuracy,seconds\n"
    (folder / "metrics.csv").write_text(header + "1,0.1,2,0.3,1.9,0.35,4\n2,0.05,1.5,0.5,1.6,,4\n")
    return folder


def test_run_log(run_folder: Path) -> None:
    log = read_run_log(run_folder)
    assert [row["train_loss"] for row in log.epochs] == [2, 1.5]
    assert "validation_accuracy" not in log.epochs[1]
    (run_folder / "metrics.csv").write_text("epoch\nsoon\n")
    with pytest.raises(RunError, match="the training log cannot be read"):
        read_run_log(run_folder)


class Page(HTMLParser):
    """Collects the text, and everything that would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for key, value in attrs if key in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_whole_and_needs_nothing(faces: FaceSet, run_folder: Path, tmp_path: Path) -> None:
    probs_NC = answers(faces)
    card = card_of({})
    found = assess(probs_NC, faces, temperature=card.temperature, threshold=card.accept_threshold, repeats=50)
    uniform = np.full(7, 1 / 7)
    swept = robustness(lambda crops: np.tile(uniform, (len(crops), 1)), faces.faces_NHW, faces.labels_N)
    found = replace(found, robustness=swept, non_faces={"walls": Rejection(9, 1.0, (0.7, 1.0), 0.2)})
    subject = Subject(
        "<tiny>",
        (Member("a&b.onnx", "ONNX file", 2_000_000),),
        (card,),
        data="toy",
        card_mismatches=("mind the <gap>",),
    )
    mistakes = worst_mistakes(probs_NC, faces)
    path = write_evaluation_report(tmp_path / "new" / "report", subject, found, mistakes, [read_run_log(run_folder)])
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == [] and all(link.startswith("data:image/") for link in page.links)
    assert len(page.links) == 8 + len(mistakes)
    text = " ".join(" ".join(page.words).split())
    low, high = found.metrics.accuracy_95
    for expected in (
        "<tiny> on train",
        "split: train · 56 faces",
        f"{found.metrics.accuracy:.1%}".replace("%", " %"),
        f"95 %: {100 * low:.1f} – {100 * high:.1f}",
        "mind the <gap>",
        "a&b.onnx (ONNX file, 2.0 MB)",
        "name: <base> & co",
        "1,234,567",
        "mouth covered",
        "walls",
        "Art. 5(1)(f)",
    ):
        assert expected in text
    written = json.loads((path.parent / "metrics.json").read_text(encoding="utf-8"))
    assert written["accuracy"] == found.metrics.accuracy
    assert written["mistakes"][0]["said"] == "surprise"
    assert written["subject"]["members"][0]["bytes"] == 2_000_000


def test_an_empty_class_is_na(faces: FaceSet) -> None:
    kept = faces.take(np.flatnonzero(faces.labels_N != 1))
    page = Page(evaluation_html(Subject("tiny", ()), assess(answers(kept), replace(kept, votes_NC=None), repeats=20)))
    text = " ".join(" ".join(page.words).split())
    assert "No face of disgust in this split: n/a" in text
    assert "disgust n/a n/a n/a n/a n/a 0" in re.sub(r"\s+", " ", text)
    assert "Against people" not in text


def test_a_folder_that_cannot_be_written(faces: FaceSet, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file: cannot be made \(File exists\)"):
        write_evaluation_report(tmp_path / "file", Subject("tiny", ()), assess(answers(faces), faces, repeats=20))
