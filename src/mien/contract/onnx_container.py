"""An .onnx file as a container: its model card, the digest of its graph, and how a card is written into it.

    card = read_card(path.read_bytes())             # ModelError if it is not ours, or its graph was altered
    blob, card = write_card(onnx_bytes, card)       # the card now holds the digest of this graph

An .onnx file is one protobuf message: a sequence of fields, each a tag, for text and messages a length, and a content
(protobuf.dev/programming-guides/encoding). Its metadata is a field of its own (``metadata_props`` of ModelProto, number
14 in onnx.proto3), and everything else is the graph. So some lines of Python read and write a card, and recognition
needs no package for ONNX beside the runtime.

Not here: what a card says (card.py), what is inside the graph (``mien.export.graph``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from mien.contract.card import CARD_KEY, ModelCard
from mien.contract.errors import ModelError

METADATA_FIELD = 14
"""Number of ``metadata_props`` in ONNX's ModelProto (onnx.proto3)."""

LENGTH_DELIMITED = 2
"""Wire type of protobuf for text, bytes and messages."""


def read_card(file_bytes: bytes) -> ModelCard:
    """The card of an .onnx file, once its graph is seen to be the one that the card was written for.

    Cards of format 1 hold no digest, so their graphs cannot be checked.

    Raises:
        ModelError: not ONNX, without a card, of a newer mien, or with an altered graph.
    """
    text = _stored_card(file_bytes)
    if text is None:
        raise ModelError("not exported by mien: it has no model card")
    card = ModelCard.from_json(text)
    if card.graph_sha256 is not None and graph_digest(file_bytes) != card.graph_sha256:
        raise ModelError("altered: its graph is not the one that its model card was written for (SHA-256)")
    return card


def write_card(file_bytes: bytes, card: ModelCard) -> tuple[bytes, ModelCard]:
    """Put a card into an .onnx file in the place of all metadata that it has.

    Returns:
        The new file, and the card as it stands there: with the digest of the file's graph.

    Raises:
        ModelError: the bytes are not ONNX.
    """
    card = replace(card, graph_sha256=graph_digest(file_bytes))
    entry = protobuf_field(1, CARD_KEY.encode()) + protobuf_field(2, card.to_json().encode())  # StringStringEntryProto
    return b"".join([*_graph_fields(file_bytes), protobuf_field(METADATA_FIELD, entry)]), card


def graph_digest(file_bytes: bytes) -> str:
    """SHA-256, in hexadecimal, over an .onnx file without its metadata, where the card is.

    Raises:
        ModelError: the bytes end inside a field, or are no protobuf.
    """
    digest = hashlib.sha256()
    for field_bytes in _graph_fields(file_bytes):
        digest.update(field_bytes)
    return digest.hexdigest()


def _graph_fields(file_bytes: bytes) -> Iterator[memoryview]:
    content = memoryview(file_bytes)
    return (content[start:end] for number, start, end in protobuf_fields(content) if number != METADATA_FIELD)


def _stored_card(file_bytes: bytes) -> str | None:
    """The card's JSON; None where the file carries none."""
    content = memoryview(file_bytes)
    for number, start, end in protobuf_fields(content):
        if number == METADATA_FIELD:
            entry = protobuf_content(content[start:end])
            pair = {field: bytes(protobuf_content(entry[first:last])) for field, first, last in protobuf_fields(entry)}
            if pair.get(1) == CARD_KEY.encode():  # a StringStringEntryProto: key 1, value 2
                return pair.get(2, b"").decode(errors="replace")
    return None


def protobuf_field(number: int, content: bytes | memoryview) -> bytes:
    """A field of bytes, text or a message, as it is stored: tag, length, content."""
    return b"".join([_encoded_varint(number << 3 | LENGTH_DELIMITED), _encoded_varint(len(content)), content])


def protobuf_integer(number: int, value: int) -> bytes:
    """A field of an integer from 0 on, as it is stored: tag, value."""
    return _encoded_varint(number << 3) + _encoded_varint(value)


def protobuf_content(field_bytes: memoryview) -> memoryview:
    """The content of a field of bytes: what follows its tag and length."""
    _, at = _varint(field_bytes, 0)
    _, at = _varint(field_bytes, at)
    return field_bytes[at:]


def protobuf_fields(content: memoryview) -> Iterator[tuple[int, int, int]]:
    """(number, start, end) of each field of a protobuf message."""
    end = 0
    try:
        while end < len(content):
            start = end
            tag, end = _varint(content, start)
            kind = tag & 7
            if tag >> 3 == 0:  # protobuf counts fields from 1
                raise KeyError
            if kind == 0:
                _, end = _varint(content, end)
            elif kind == 2:
                length, end = _varint(content, end)
                end += length
            else:
                end += {1: 8, 5: 4}[kind]
            if end > len(content):
                raise IndexError
            yield tag >> 3, start, end
    except (IndexError, KeyError):
        raise ModelError("truncated or not an ONNX file") from None


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, the last without its top bit; and where it ends."""
    value = shift = 0
    while content[at] & 0x80:
        value |= (content[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if shift > 63:  # ten groups hold 64 bits
            raise IndexError
    return value | content[at] << shift, at + 1


def _encoded_varint(value: int) -> bytes:
    """A number in groups of seven bits, lowest first, the last without its top bit."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
