"""The order of the emotions. Folder loaders sort names, and that order would label neutral as sad."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.contract.emotions import (
    AFFECT,
    ALIASES,
    FER2013_EMOTIONS,
    FERPLUS_EMOTIONS,
    canonical,
    index_order,
    valence_arousal,
)


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


def test_every_emotion_of_fer2013_has_its_place() -> None:
    assert set(AFFECT) == set(FER2013_EMOTIONS)


@pytest.mark.parametrize(
    ("scores", "valence", "arousal"),
    [
        ({"happy": 1.0}, 0.81, 0.51),
        ({"Sadness": 1.0}, -0.63, -0.27),
        ({"angry": 0.5, "neutral": 0.5}, -0.255, 0.295),
        ({"happy": 0.5, "angry": 0.5}, 0.15, 0.55),
        ({"contempt": 0.9, "happy": 0.1}, 0.081, 0.051),  # not placed: pulls to the origin, is not left out of the sum
        ({"bored": 0.7, "smile": 0.3}, 0.0, 0.0),
    ],
)
def test_valence_arousal(scores: dict[str, float], valence: float, arousal: float) -> None:
    assert valence_arousal(scores) == pytest.approx((valence, arousal), abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=7, max_size=7).filter(lambda weights: sum(weights) > 1e-6))
def test_valence_and_arousal_stay_among_the_means(weights: list[float]) -> None:
    scores = dict(zip(FER2013_EMOTIONS, (weight / sum(weights) for weight in weights), strict=True))
    valence, arousal = valence_arousal(scores)
    assert -0.64 - 1e-9 <= valence <= 0.81 + 1e-9
    assert -0.27 - 1e-9 <= arousal <= 0.67 + 1e-9
