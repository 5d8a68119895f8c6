"""The model card survives the way to JSON and back; a card with wrong values is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mien.contract.card import CARD_FORMAT, ImageSpec, ModelCard
from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import ModelError
from mien.contract.lineage import Parent

CARD = ModelCard(
    name="base",
    labels=FER2013_EMOTIONS,
    image=ImageSpec(side=48, channels=1, margins={"haar": (0.1, 0.05, 0.1, 0.15)}),
    temperature=1.3,
    accept_threshold=0.4,
    metrics={"validation": {"n": 3589, "accuracy": 0.69}},
    recipe={"name": "base"},
    data={"fingerprint": "ab12"},
    provenance={"licence": "Apache-2.0", "author": "Zoë"},
    precision="int8",
    graph_sha256="00ff",
    parents=(Parent("base", "ff00", "quantised from"),),
)


def altered(**change: Any) -> str:
    return json.dumps(CARD.to_dict() | change)


def test_round_trip() -> None:
    assert ModelCard.from_json(CARD.to_json()) == CARD


@pytest.mark.parametrize("field", ["labels", "image", "temperature", "accept_threshold", "name"])
def test_missing_field(field: str) -> None:
    plain = CARD.to_dict()
    del plain[field]
    with pytest.raises(ModelError, match=field):
        ModelCard.from_json(json.dumps(plain))


def test_newer_format() -> None:
    with pytest.raises(ModelError, match=f"format {CARD_FORMAT + 1}, .* up to {CARD_FORMAT}; upgrade mien"):
        ModelCard.from_json(altered(format=CARD_FORMAT + 1))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "{}", "[" * 5000])
def test_not_a_card(text: str) -> None:
    with pytest.raises(ModelError, match="not readable"):
        ModelCard.from_json(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["happy"]}, "two or more"),
        ({"labels": ["happy", "happy"]}, "different labels"),
        ({"image": {"side": 4, "channels": 1, "margins": {}}}, "image spec"),
        ({"image": {"side": 48, "channels": 2, "margins": {}}}, "image spec"),
        ({"image": {"side": 48, "channels": 1, "margins": {"haar": [0.1]}}}, "margins"),
        ({"image": None}, "misstates a field"),
        ({"temperature": 0}, "temperature > 0"),
        ({"temperature": "warm"}, "misstates a field"),
        ({"accept_threshold": 1.1}, "0..1"),
        ({"shoe_size": 43}, "shoe_size"),
        ({"parents": 3}, "misstates a field"),
    ],
)
def test_impossible_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ModelCard.from_json(altered(**change))


def test_a_card_of_format_1_is_read() -> None:
    first = CARD.to_dict() | {"format": 1}
    for added in ("precision", "graph_sha256", "parents"):
        del first[added]
    card = ModelCard.from_json(json.dumps(first))
    assert (card.precision, card.graph_sha256, card.parents) == ("fp32", None, ())
