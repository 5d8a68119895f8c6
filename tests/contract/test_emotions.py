"""The order of the emotions, the trap that mislabels neutral as sad."""

from __future__ import annotations

import pytest

from mien.contract.emotions import ALIASES, FER2013_EMOTIONS, FERPLUS_EMOTIONS, canonical, index_order


def test_fer2013_index_order_is_that_of_its_csv() -> None:
    assert dict(enumerate(FER2013_EMOTIONS)) == {
        0: "angry",
        1: "disgust",
        2: "fear",
        3: "happy",
        4: "sad",
        5: "surprise",
        6: "neutral",
    }


@pytest.mark.parametrize(
    ("found", "name"),
    [("angry", "angry"), (" Happy ", "happy"), ("ANGER", "angry"), ("Surprised", "surprise"), ("Bored", "bored")],
)
def test_canonical(found: str, name: str) -> None:
    assert canonical(found) == name


def test_aliases_lead_to_names_in_use() -> None:
    assert set(ALIASES.values()) <= set(FER2013_EMOTIONS)
    assert not set(ALIASES) & {*FER2013_EMOTIONS, *FERPLUS_EMOTIONS}


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (sorted(FER2013_EMOTIONS), FER2013_EMOTIONS),
        (["Neutral", "Sadness", "happy", "happy"], ("happy", "sad", "neutral")),
        (sorted(FERPLUS_EMOTIONS), FERPLUS_EMOTIONS),
        (["neutral", "contempt"], ("neutral", "contempt")),
        (["smile", "bored", "happy"], ("bored", "happy", "smile")),
        ([], ()),
    ],
)
def test_index_order(names: list[str], order: tuple[str, ...]) -> None:
    assert index_order(names) == order
