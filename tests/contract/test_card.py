"""The model card survives its JSON, and what cannot be read rightly is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.contract.card import CARD_FORMAT, CARD_KEY, ImageSpec, ModelCard, graph_digest
from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.errors import ModelError

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
    parents=({"name": "base", "graph_sha256": "ff00", "weight": 1.0},),
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


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "{}"])
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
    card.check_graph(b"whatever")  # it does not say, so nothing to compare


def test_the_digest_is_of_all_but_the_metadata() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))
    before = model.SerializeToString()
    assert graph_digest(before) == hashlib.sha256(before).hexdigest()
    onnx.helper.set_model_props(model, {CARD_KEY: "ä" * 300, "other": ""})
    after = model.SerializeToString()
    assert len(after) > len(before) + 600 and graph_digest(after) == graph_digest(before)
    model.graph.name = "emptY"
    assert graph_digest(model.SerializeToString()) != graph_digest(before)


def test_an_altered_graph_is_refused() -> None:
    content = bytes([0x08, 0x0A, 0x3A, 0x02, 0x0A, 0x00])  # ir_version 10, a graph without a name
    card = replace(CARD, graph_sha256=hashlib.sha256(content).hexdigest())
    card.check_graph(content)
    card.check_graph(content + bytes([0x72, 0x01, 0x00]))  # metadata
    with pytest.raises(ModelError, match="altered"):
        card.check_graph(content[:1] + bytes([0x09]) + content[2:])
    with pytest.raises(ModelError, match="truncated"):
        card.check_graph(content[:-1])


@given(st.binary(max_size=40))
def test_any_bytes_have_a_digest_or_are_refused(content: bytes) -> None:
    try:
        assert len(graph_digest(content)) == 64
    except ModelError as error:
        assert "truncated" in str(error)
