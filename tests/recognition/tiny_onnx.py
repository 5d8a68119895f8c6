"""A tiny model file that no training made, and what it must answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.card import CARD_KEY, ImageSpec, ModelCard
from mien.contract.emotions import FER2013_EMOTIONS

TINY_CARD = ModelCard(
    name="tiny",
    labels=FER2013_EMOTIONS,
    image=ImageSpec(side=48, channels=1, margins={"none": (0.0, 0.0, 0.0, 0.0)}),
    temperature=1.0,
    accept_threshold=0.3,
)


def write_tiny_model(path: Path, card: ModelCard | str | None = TINY_CARD, classes: int = 7) -> Path:
    """A model of one decision: with b the brightness of a crop (0..1), logit c is -20 * (b - c / 6) ** 2.

    So black crops are angry (0), white ones neutral (6), mid-grey happy (3). ``card`` may be text, or None for none.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    steps = [
        helper.make_node("Cast", ["faces"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], axes=[1, 2], keepdims=1),
        helper.make_node("Reshape", ["mean", "column"], ["level"]),
        helper.make_node("Div", ["level", "white"], ["brightness"]),
        helper.make_node("Sub", ["brightness", "centres"], ["distance"]),
        helper.make_node("Mul", ["distance", "distance"], ["squared"]),
        helper.make_node("Mul", ["squared", "sharpness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    constants = {
        "column": np.array([-1, 1], dtype=np.int64),
        "white": np.array(255, dtype=np.float32),
        "centres": (np.arange(classes, dtype=np.float32) / (classes - 1))[None],
        "sharpness": np.array(-20, dtype=np.float32),
    }
    graph = helper.make_graph(
        steps,
        "tiny",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", 48, 48])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if card is not None:
        helper.set_model_props(model, {CARD_KEY: card if isinstance(card, str) else card.to_json()})
    onnx.save(model, str(path))
    return path


def tiny_probs(brightness: float, classes: int = 7) -> NDArray[np.float64]:
    """What the tiny model answers for a crop of that brightness, 0..1."""
    logits_C = -20 * (brightness - np.arange(classes) / (classes - 1)) ** 2
    return np.asarray(np.exp(logits_C) / np.exp(logits_C).sum())
