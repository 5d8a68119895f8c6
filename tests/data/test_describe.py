"""Figures about a data set, against a case counted by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mien.contract.emotions import FER2013_EMOTIONS
from mien.data.dataset_report import Repeats, SharedPictures
from mien.data.describe import compare_votes, describe
from mien.data.faceset import FaceSet


def by_hand() -> FaceSet:
    a, b, c, blank = (
        np.array(pixels, np.uint8).reshape(2, 2) for pixels in ([0, 1, 2, 3], [9] * 3 + [8], [5, 5, 6, 6], [7] * 4)
    )
    rows = [
        (a, 0, "train"),
        (a, 0, "train"),
        (a, 1, "train"),  # a third copy that disagrees
        (b, 1, "train"),
        (blank, 0, "train"),
        (blank, 0, "train"),
        (b, 0, "validation"),  # leaks from train, and disagrees
        (blank, 0, "validation"),  # leaks from train
        (c, 1, "validation"),
    ]
    return FaceSet(
        np.stack([face for face, _, _ in rows]),
        np.array([label for _, label, _ in rows]),
        np.array([split for _, _, split in rows]),
        ("angry", "happy", "sad"),
        np.array([str(number) for number in range(len(rows))]),
    )


def test_by_hand() -> None:
    faces = by_hand()
    facts = describe(faces)
    train, validation = facts.splits["train"], facts.splits["validation"]
    assert (facts.n, facts.side, facts.labels) == (9, 2, ("angry", "happy", "sad"))
    assert facts.fingerprint == faces.fingerprint
    assert train.counts == {"angry": 4, "happy": 2, "sad": 0}
    assert train.shares == pytest.approx({"angry": 4 / 6, "happy": 2 / 6, "sad": 0})
    assert train.imbalance is None  # no one is sad
    assert (train.blank, validation.blank) == (2, 1)
    assert train.duplicates == Repeats(images=2, faces=5, conflicts=1)
    assert validation.duplicates == Repeats(images=0, faces=0, conflicts=0)
    assert facts.duplicates_across_splits == Repeats(images=2, faces=5, conflicts=1)
    pixels = faces.split("validation").faces_NHW
    assert validation.intensity.mean == pytest.approx(pixels.mean())
    assert validation.intensity.std == pytest.approx(pixels.std())
    assert sum(validation.intensity.histogram) == pixels.size
    assert validation.contrast.mean == pytest.approx(np.mean([face.std() for face in pixels]))
    assert validation.sizes is None and facts.votes is None  # nobody said
    assert facts.class_weights.balanced == pytest.approx({"angry": 6 / 12, "happy": 6 / 6, "sad": 0})
    assert any("No faces of sad in train" in line for line in facts.findings)


def test_imbalance_and_json(toy: FaceSet) -> None:
    some = toy.take(np.flatnonzero((toy.labels_N != 1) | (np.arange(len(toy)) % 5 == 0)))
    facts = describe(some)
    assert facts.splits["train"].imbalance == 8 / 2
    plain = facts.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["near_duplicates"]["across"]["train, validation"]["pairs"] == 0


def noise_set(rng: np.random.Generator, splits: list[str], labels: list[int]) -> FaceSet:
    n = len(splits)
    faces_NHW = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)
    names = np.array([f"{number}.png" for number in range(n)])
    return FaceSet(faces_NHW, np.array(labels), np.array(splits), FER2013_EMOTIONS, names)


def test_twins_across_splits_and_their_labels() -> None:
    """Five pictures; two of validation's three faces have twins in train, one under another label."""
    faces = noise_set(np.random.default_rng(0), ["train"] * 4 + ["validation"] * 3, [0, 1, 2, 2, 0, 5, 3])
    pixels = faces.faces_NHW
    pixels[4] = np.clip(pixels[0] * 0.9 + 10, 0, 255)  # darker, label 0 as its twin
    pixels[5] = pixels[1][:, ::-1]  # mirrored, label 5 where its twin has 1
    near = describe(faces).near_duplicates
    assert near.across == {("train", "validation"): SharedPictures(pairs=2, faces=2, conflicts=1)}
    assert (near.pairs, near.groups, near.faces, near.largest, near.conflicts) == (2, 2, 4, 2, 1)
    (leak, *_) = describe(faces).findings
    assert leak.startswith(
        "2 of 3 validation faces (66.7%) show a picture that is also in train, 1 of them under another"
    )


def test_votes_beside_labels() -> None:
    faces = noise_set(np.random.default_rng(0), ["train"] * 5, [3, 3, 4, 0, 6])
    votes_NC = np.zeros((5, 10), np.uint8)
    votes_NC[0, 1] = 10  # happy, as the label says
    votes_NC[1, 0] = 6  # neutral, with the rest elsewhere
    votes_NC[1, 1] = 4
    votes_NC[2, [0, 3]] = 5  # a tie
    votes_NC[3, 9] = 9  # not a face
    votes = compare_votes(replace(faces, votes_NC=votes_NC))
    assert (votes.faces, votes.judged, votes.agree) == (4, 3, pytest.approx(1 / 3))
    table = {label: {vote: n for vote, n in row.items() if n} for label, row in votes.table.items()}
    assert table == {
        "angry": {"not a face": 1},
        "disgust": {},
        "fear": {},
        "happy": {"happy": 1, "neutral": 1},
        "sad": {"no majority": 1},
        "surprise": {},
        "neutral": {"no votes": 1},
    }


def test_fer2013_as_it_is(fer2013: FaceSet) -> None:
    """What anyone who trains on it should know, from the files themselves."""
    facts = describe(replace(fer2013, votes_NC=None))
    assert facts.fingerprint == "5469fe73bbc5843d84dc645a5fff7ac9d116a5b216fb936b1a0cc8d3a7734080"
    assert facts.splits["train"].imbalance == pytest.approx(7215 / 436)
    assert (facts.splits["train"].blank, facts.splits["validation"].blank) == (11, 1)
    assert facts.splits["train"].sizes == {"48 x 48": 28709}
    assert facts.duplicates_across_splits == Repeats(images=270, faces=631, conflicts=13)
    leak = facts.near_duplicates.across["train", "validation"]
    # a correlation on the threshold may fall either way with another BLAS
    assert leak.faces == pytest.approx(500, abs=3) and leak.conflicts == pytest.approx(30, abs=2)
