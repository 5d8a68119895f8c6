"""Subsets, supersets and other names: what is judged, what is said, and both protocols by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import DataError, ModelError
from mien.data.faceset import FaceSet
from mien.evaluate.class_match import match_classes, read_renamed


def faces(labels: tuple[str, ...], labels_N: list[int]) -> FaceSet:
    count = len(labels_N)
    return FaceSet(
        np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), dtype=np.uint8),
        np.array(labels_N, dtype=np.int64),
        np.full(count, "test"),
        labels,
        np.array([f"{at}.png" for at in range(count)]),
    )


def test_same_classes_in_another_order_need_no_words() -> None:
    match = match_classes(tuple(reversed(FER2013_EMOTIONS)), FER2013_EMOTIONS)
    assert match.same and not match.extra
    given = faces(tuple(reversed(FER2013_EMOTIONS)), [0, 6])
    assert match.sentences(given) == ()
    assert match.apply(given).labels_N.tolist() == [6, 0]


def test_subset_is_judged_twice() -> None:
    match = match_classes(("angry", "happy"), ("angry", "neutral", "happy"))
    assert match.shared_labels == ("angry", "happy") and not match.same
    probs_NC = np.array([[0.3, 0.5, 0.2], [0.1, 0.2, 0.7]])
    assert match.shared(probs_NC) == pytest.approx(np.array([[0.6, 0.4], [0.125, 0.875]]))
    assert match.sentences(faces(("angry", "happy"), [0, 1])) == (
        "the data has no neutral: 'all classes' lets the model answer that too, "
        "'shared classes' limits it to angry, happy",
    )


def test_superset_is_counted_and_named() -> None:
    data = (*FER2013_EMOTIONS, "bored", "contempt")
    match = match_classes(data, FER2013_EMOTIONS)
    given = faces(data, [0, 7, 7, 8, 3])
    assert match.extra == ("bored", "contempt")
    judged = match.apply(given)
    assert judged.labels == FER2013_EMOTIONS and judged.labels_N.tolist() == [0, 3]
    assert judged.faces_NHW[:, 0, 0].tolist() == [0, 4]
    (line,) = match.sentences(given)
    assert line.startswith("3 of 5 faces are of classes that the model does not know: bored (2), contempt (1); ")


def test_synonyms_are_mapped_and_said(tmp_path: Path) -> None:
    file = tmp_path / "names.yaml"
    file.write_text("joyful: happy\ncross: anger\n")
    match = match_classes(("joyful", "cross", "sadness"), FER2013_EMOTIONS, read_renamed(file))
    assert match.counterpart == ("happy", "angry", "sad")
    lines = match.sentences(faces(("joyful", "cross", "sadness"), [0, 1, 2]))
    assert lines[:3] == (
        "the data's 'joyful' is taken as 'happy'",
        "the data's 'cross' is taken as 'angry'",
        "the data's 'sadness' is taken as 'sad'",
    )


def test_what_cannot_be_matched_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="have fewer than two in common; name their counterparts in a file with --map"):
        match_classes(("calm", "happy"), FER2013_EMOTIONS)
    with pytest.raises(ModelError, match="--map: the model has no class 'glad'"):
        match_classes(("joyful", "sad"), FER2013_EMOTIONS, {"joyful": "glad"})
    with pytest.raises(ModelError, match="--map: the data has no class 'merry'"):
        match_classes(("happy", "sad"), FER2013_EMOTIONS, {"merry": "happy"})
    file = tmp_path / "names.yaml"
    file.write_text("joyful: " + "[" * 5000)
    with pytest.raises(DataError, match=r"not readable as lines such as 'joyful: happy' \(RecursionError\)"):
        read_renamed(file)
    file.write_text("- a\n")
    with pytest.raises(DataError, match="expected lines such as 'joyful: happy'"):
        read_renamed(file)
