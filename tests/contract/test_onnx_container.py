"""The card in an .onnx file: written, read back, and refused where the graph beside it has changed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.contract.card import CARD_KEY, ImageSpec, ModelCard
from mien.contract.errors import ModelError
from mien.contract.onnx_container import graph_digest, protobuf_field, read_card, write_card

CARD = ModelCard("small", ("happy", "sad"), ImageSpec(48, 1, {}), temperature=1.5, accept_threshold=0.5)

GRAPH = bytes([0x08, 0x0A, 0x3A, 0x02, 0x0A, 0x00])
"""ir_version 10, and a graph without a name."""


def test_a_card_is_written_and_read_back_with_the_digest_of_its_graph() -> None:
    blob, card = write_card(GRAPH, CARD)
    assert card == replace(CARD, graph_sha256=hashlib.sha256(GRAPH).hexdigest())
    assert read_card(blob) == card
    again, second = write_card(blob, replace(CARD, name="ü" * 100))  # replaces the first one
    assert read_card(again) == second and second.name == "ü" * 100
    assert again.count(CARD_KEY.encode()) == 1 and again.startswith(GRAPH)


def test_onnx_reads_what_is_written_and_nothing_but_the_metadata_differs() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))
    before = model.SerializeToString()
    blob, card = write_card(before, CARD)
    opened = onnx.load_from_string(blob)
    assert [(each.key, each.value) for each in opened.metadata_props] == [(CARD_KEY, card.to_json())]
    del opened.metadata_props[:]
    assert opened == model


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
    blob, _ = write_card(GRAPH, CARD)
    more_metadata = protobuf_field(14, protobuf_field(1, b"other"))
    assert read_card(blob + more_metadata).name == "small"
    with pytest.raises(ModelError, match="altered"):
        read_card(blob[:1] + bytes([0x09]) + blob[2:])
    with pytest.raises(ModelError, match="truncated"):
        read_card(blob[:-1])


def test_a_card_without_a_digest_is_taken_as_it_is() -> None:
    entry = protobuf_field(1, CARD_KEY.encode()) + protobuf_field(2, CARD.to_json().encode())
    assert read_card(GRAPH + protobuf_field(14, entry)) == CARD


def test_a_file_without_a_card_is_told() -> None:
    with pytest.raises(ModelError, match="not exported by mien: it has no model card"):
        read_card(GRAPH)


@given(st.binary(max_size=40))
def test_any_bytes_have_a_digest_or_are_refused(content: bytes) -> None:
    try:
        assert len(graph_digest(content)) == 64
    except ModelError as error:
        assert "truncated" in str(error)
