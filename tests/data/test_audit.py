"""The audit on labels that were made wrong on purpose, by a model that is right most of the time."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError, MissingExtraError
from mien.data.audit import find_label_errors, judge
from mien.data.faceset import FaceSet
from mien.data.votes import VOTES
from mien.report.audit_page import write_audit

N, WRONG = 1400, 140


@pytest.fixture(scope="module")
def spoilt() -> tuple[FaceSet, NDArray[np.float64], NDArray[np.bool_]]:
    """1,400 faces, every tenth labelled as its neighbour class; FER+ knows the truth; the model nearly does."""
    rng = np.random.default_rng(0)
    truth_N = np.arange(N) % 7
    wrong_N = np.zeros(N, dtype=bool)
    wrong_N[rng.choice(N, WRONG, replace=False)] = True
    labels_N = np.where(wrong_N, (truth_N + 1) % 7, truth_N)
    logits_NC = rng.normal(0, 1, (N, 7))
    logits_NC[np.arange(N), truth_N] += 4
    probs_NC = np.exp(logits_NC) / np.exp(logits_NC).sum(axis=1, keepdims=True)
    votes_NC = np.zeros((N, 10), np.uint8)
    votes_NC[np.arange(N), [VOTES.index(FER2013_EMOTIONS[each]) for each in truth_N]] = 8
    votes_NC[:200, 8] = 8  # undecided between the truth and "unknown": not to be judged by
    pixels = rng.integers(0, 256, (N, 8, 8), dtype=np.uint8)
    names = np.array([f"{number}.png" for number in range(N)])
    faces = FaceSet(pixels, labels_N, np.full(N, "validation"), FER2013_EMOTIONS, names, votes_NC)
    return faces, probs_NC, wrong_N


def test_wrong_labels_come_first(spoilt: tuple[FaceSet, NDArray[np.float64], NDArray[np.bool_]]) -> None:
    faces, probs_NC, wrong_N = spoilt
    audit = find_label_errors(probs_NC, faces.labels_N)
    assert wrong_N[audit.order_N[:100]].mean() > 0.95
    assert wrong_N[audit.issue_N].mean() > 0.8 and audit.issue_N[wrong_N].mean() > 0.8
    assert sorted(audit.order_N.tolist()) == list(range(N))
    assert (np.diff(audit.quality_N[audit.order_N]) >= 0).all()


def test_the_verdict_of_the_votes(spoilt: tuple[FaceSet, NDArray[np.float64], NDArray[np.bool_]]) -> None:
    faces, probs_NC, wrong_N = spoilt
    verdict = judge(find_label_errors(probs_NC, faces.labels_N), faces)
    assert verdict.judged == N - 200
    assert verdict.base_rate == pytest.approx(wrong_N[200:].mean())
    assert verdict.precision[100] > 0.95 and verdict.precision[2000] is None
    assert verdict.precision[500] == pytest.approx(wrong_N[200:].sum() / 500, abs=0.01)  # all of them are found
    assert verdict.random[500] == pytest.approx(verdict.base_rate, abs=0.05)


def test_what_is_written(spoilt: tuple[FaceSet, NDArray[np.float64], NDArray[np.bool_]], tmp_path: Path) -> None:
    faces, probs_NC, _ = spoilt
    audit = find_label_errors(probs_NC, faces.labels_N)
    page = write_audit(audit, faces, tmp_path / "audit", "toy", judge(audit, faces))
    with (tmp_path / "audit" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == N
    worst = int(audit.order_N[0])
    assert (rows[0]["rank"], rows[0]["face"]) == ("1", f"{worst}.png")
    assert rows[0]["label"] == faces.labels[faces.labels_N[worst]]
    assert rows[0]["suggested"] == faces.labels[probs_NC[worst].argmax()]
    assert float(rows[0]["p_label"]) == pytest.approx(probs_NC[worst, faces.labels_N[worst]], abs=1e-6)
    facts = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert facts["issues"] == audit.issue_N.sum() and facts["ferplus"]["judged"] == N - 200
    assert "Is the ranking right?" in page.read_text()
    bare = write_audit(audit, replace(faces, votes_NC=None), tmp_path / "bare", "toy")
    assert "Is the ranking right?" not in bare.read_text()


def test_a_class_that_no_face_has() -> None:
    rng = np.random.default_rng(0)
    labels_N = rng.choice([0, 2, 6], 60)
    probs_NC = rng.dirichlet(np.ones(7), 60)
    probs_NC[np.arange(60), labels_N] += 2
    probs_NC /= probs_NC.sum(axis=1, keepdims=True)
    probs_NC[7] = np.eye(7)[[1, 3][0]]  # the model is sure of a class that is not there
    audit = find_label_errors(probs_NC, labels_N)
    assert np.isfinite(audit.quality_N).all() and audit.order_N.shape == (60,)


@pytest.mark.parametrize(
    ("probs", "labels", "message"),
    [
        (np.full((3, 7), 1 / 7), [0, 1], r"expected probabilities \(2, classes\), got shape \(3, 7\)"),
        (np.full((2, 2), 0.5), [0, 5], r"expected probabilities \(2, classes\)"),
        (np.full((2, 7), 0.5), [0, 1], "numbers 0..1 that sum to 1"),
        (np.full((2, 7), np.nan), [0, 1], "numbers 0..1"),
        (np.full((2, 2), 0.5), [1, 1], "all labels are the same"),
    ],
)
def test_refused(probs: NDArray[np.float64], labels: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_label_errors(probs, np.array(labels))


def test_nothing_to_judge_by(spoilt: tuple[FaceSet, NDArray[np.float64], NDArray[np.bool_]]) -> None:
    faces, probs_NC, _ = spoilt
    audit = find_label_errors(probs_NC, faces.labels_N)
    with pytest.raises(DataError, match="no FER. votes to judge by"):
        judge(audit, replace(faces, votes_NC=None))
    with pytest.raises(DataError, match="no face has a FER. majority above 50%"):
        judge(audit, replace(faces, votes_NC=np.zeros((N, 10), np.uint8)))


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(MissingExtraError, match=r'pip install "mien\[audit\]"'):
        find_label_errors(np.full((2, 2), 0.5), np.array([0, 1]))
