"""Faces -> feature vectors, the input of the network's last layer, for models of your own.

    vectors_NF = mien.embed("party.jpg")                        # a row for each face, largest first
    embedder = Embedder(resolve_model("base")); embedder(crops_NSS)

The vector is the input of the last linear layer, averaged over both mirror images. It describes the expression, not the
person: do not use it to tell people apart.

ONNX Runtime returns any value of a graph that the graph names as an output. So the file is opened with one more output;
this needs no other package. An ensemble has a last layer for each member; their vectors are joined.

Shape legend: N faces, S side of the crop in pixels, F features; 2N where the network sees both mirror images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.card import ModelCard
from mien.contract.errors import ModelError
from mien.contract.images import read_frame
from mien.contract.onnx_container import protobuf_content, protobuf_field, protobuf_fields, read_card
from mien.contract.shipped_models import resolve_model
from mien.contract.system import usable_cpus
from mien.recognition.classifier import MAX_THREADS
from mien.recognition.providers import CHUNK_FACES, open_session
from mien.recognition.recognizer import Image, Recognizer, largest_first

LAST_LAYERS = ("Gemm", "MatMul")
"""Operators of a linear layer in ONNX."""

# Fields of onnx.proto: ModelProto.graph; GraphProto.node, .output; NodeProto.input, .output, .op_type.
_GRAPH, _NODE, _OUTPUTS = 7, 1, 12
_INPUT, _OUTPUT, _OPERATOR = 1, 2, 4


@dataclass(frozen=True)
class _Node:
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Embedder:
    """A model that answers with features instead of probabilities. May be called from any thread.

    Args:
        model_path: an .onnx file that mien exported.
        threads: CPU threads; None for one for each CPU that this process may use, at most 8.

    Attributes:
        card: facts about the model.
        size: F, the length of a vector.

    Raises:
        ModelError: the file does not exist, was not exported by mien, was changed, or has no linear last layer.
    """

    def __init__(self, model_path: str | Path, threads: int | None = None) -> None:
        path = Path(model_path)
        try:
            onnx_bytes = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}") from None
        try:
            self.card: ModelCard = read_card(onnx_bytes)
            self._names = feature_names(onnx_bytes)
            with_features = _with_outputs(onnx_bytes, self._names)
            threads = threads or min(usable_cpus(), MAX_THREADS)
            self._session, _ = open_session(with_features, self.card.image.side, "cpu", threads)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
        side = self.card.image.side
        self.size = self._run(np.zeros((1, side, side), dtype=np.uint8)).shape[1]

    def __call__(self, crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed faces.

        Args:
            crops_NSS: uint8 grey crops, S as the card says.

        Returns:
            float32 of shape (N, F).

        Raises:
            ValueError: ``crops_NSS`` has another shape or type.
        """
        side = self.card.image.side
        if crops_NSS.dtype != np.uint8 or crops_NSS.ndim != 3 or crops_NSS.shape[1:] != (side, side):
            raise ValueError(f"expected uint8 crops (N, {side}, {side}), got {crops_NSS.dtype} {crops_NSS.shape}")
        chunks = [self._run(crops_NSS[at : at + CHUNK_FACES]) for at in range(0, len(crops_NSS), CHUNK_FACES)]
        return np.concatenate(chunks) if chunks else np.empty((0, self.size), dtype=np.float32)

    def _run(self, crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = []
        for features in self._session.run(self._names, {"faces": crops_NSS}):
            views_VNF = features.reshape(-1, len(crops_NSS), features.shape[-1])  # V: the face, and its mirror image
            parts.append(views_VNF.mean(axis=0))
        return np.concatenate(parts, axis=1).astype(np.float32)


def feature_names(onnx_bytes: bytes) -> list[str]:
    """Names of the values that enter the last linear layer before ``probabilities``; several in an ensemble.

    Raises:
        ModelError: there is no such layer.
    """
    makers = {name: node for node in _nodes(onnx_bytes) for name in node.outputs}
    found: list[str] = []
    waiting, seen = ["probabilities"], set[str]()
    while waiting:
        name = waiting.pop(0)
        node = makers.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if node.operator in LAST_LAYERS:
            if node.inputs[0] not in found:
                found.append(node.inputs[0])
        elif node.operator == "Conv":
            raise ModelError("has no linear last layer, so it gives no features")
        else:
            waiting.extend(node.inputs)
    if not found:
        raise ModelError("has no linear last layer, so it gives no features")
    return found


def embed(image: Image, *, model: str | Path = "base", detector: str = "auto") -> NDArray[np.float32]:
    """Find the faces in one image and return a feature vector for each: input for a model of your own.

    The vectors describe expressions. They are not made to tell people apart.

    Args:
        image: path of an image file, or a uint8 array of shape (H, W, 3) RGB or (H, W) grey, upright.
        model: name of a shipped model, or path of an .onnx file that mien exported.
        detector: a name that ``make_detector`` knows; "none" for an image that is a face.

    Returns:
        float32 of shape (N, F): N faces, largest first, as ``recognize`` orders them; F is 384 for ``base``. Without a
        face the shape is (0, F).

    Raises:
        ImageError: the image cannot be read.
        ModelError: there is no such model, or it has no linear last layer.
        DetectorError: there is no such detector, or its file is missing.
    """
    recognizer, embedder = _loaded(model, detector)
    frame_rgb = read_frame(image)
    return embedder(recognizer.crops(frame_rgb, largest_first(recognizer.detector.detect(frame_rgb))))


@lru_cache(maxsize=4)
def _loaded(model: str | Path, detector: str) -> tuple[Recognizer, Embedder]:
    return Recognizer(model, detector), Embedder(resolve_model(model))


def _nodes(onnx_bytes: bytes) -> Iterator[_Node]:
    model = memoryview(onnx_bytes)
    for number, start, end in protobuf_fields(model):
        if number != _GRAPH:
            continue
        graph = protobuf_content(model[start:end])
        for field, first, last in protobuf_fields(graph):
            if field == _NODE:
                yield _node(protobuf_content(graph[first:last]))


def _node(message: memoryview) -> _Node:
    texts: dict[int, list[str]] = {_INPUT: [], _OUTPUT: [], _OPERATOR: []}
    for field, first, last in protobuf_fields(message):
        if field in texts:
            texts[field].append(bytes(protobuf_content(message[first:last])).decode())
    return _Node(texts[_OPERATOR][0], tuple(texts[_INPUT]), tuple(texts[_OUTPUT]))


def _with_outputs(onnx_bytes: bytes, names: list[str]) -> bytes:
    """The model with these values as outputs too. ONNX Runtime infers their types."""
    model = memoryview(onnx_bytes)
    values = b"".join(
        protobuf_field(_OUTPUTS, protobuf_field(1, name.encode())) for name in names
    )  # ValueInfoProto.name is field 1
    parts: list[bytes | memoryview] = []
    for number, start, end in protobuf_fields(model):
        if number == _GRAPH:
            parts.append(protobuf_field(_GRAPH, bytes(protobuf_content(model[start:end])) + values))
        else:
            parts.append(model[start:end])
    return b"".join(parts)
