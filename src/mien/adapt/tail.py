"""Write an adapted model: the old graph with a new last step, and with maps that fit the new step.

    file_bytes = adapted(source, readout)          # no card yet

The new last step is that of ``mien.evaluate.readout``: softmax(log p @ mixing + features @ weights + offsets), where p
are the old probabilities. The probability that the old model gave to "unknown" and "not a face" does not change.

Class activation maps keep their meaning: the softmax of the maps' means is still the probability.

Shape legend: N faces, M = N or 2 N with mirror images, C old classes, D new classes, K features, P = h w places.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.adapt.features import SMALLEST_PROBABILITY, SourceModel
from mien.adapt.onnx_bytes import Node, node
from mien.evaluate.readout import Readout

Constants = dict[str, NDArray[np.float32] | NDArray[np.int64]]


def adapted(source: SourceModel, readout: Readout) -> bytes:
    """The file of the adapted model, without a card."""
    with_head = bool(readout.weights_KD.any())
    assert not with_head or source.features is not None
    classes = readout.mixing_CD.shape[1]
    constants: Constants = {
        "adapt_least": np.array(SMALLEST_PROBABILITY, dtype=np.float32),
        "adapt_one": np.array(1, dtype=np.float32),
        "adapt_half": np.array(0.5, dtype=np.float32),
        "adapt_mixing": readout.mixing_CD.astype(np.float32),
        "adapt_offsets": readout.offsets_D.astype(np.float32),
        "adapt_weights": readout.weights_KD.astype(np.float32),
    }
    nodes = [
        node("Max", ["adapt_old_probabilities", "adapt_least"], "adapt_some"),
        node("Log", ["adapt_some"], "adapt_logs"),
        node("MatMul", ["adapt_logs", "adapt_mixing"], "adapt_mixed"),
    ]
    scores = "adapt_mixed"
    keep = {"adapt_old_probabilities"}
    if with_head:
        assert source.features is not None
        keep.add(source.features)
        nodes += [*_features(source, constants), node("MatMul", ["adapt_features", "adapt_weights"], "adapt_headed")]
        nodes.append(node("Add", ["adapt_mixed", "adapt_headed"], "adapt_both"))
        scores = "adapt_both"
    nodes.append(node("Add", [scores, "adapt_offsets"], "adapt_scores"))
    nodes += _softmax(source.rest, constants, len(source.card.labels))
    outputs: dict[str, tuple[int | str, ...]] = {"probabilities": ("N", classes)}
    if source.map_size is not None and (not with_head or source.places is not None):
        keep.add("adapt_old_maps")
        if with_head and source.places is not None:
            keep.add(source.places)
        nodes += _maps(source, readout, with_head, constants)
        outputs["maps"] = ("N", classes, *source.map_size)
    names = {"probabilities": "adapt_old_probabilities", "maps": "adapt_old_maps"}
    used = {name for each in nodes for name in each.inputs}
    constants = {name: values for name, values in constants.items() if name in used}
    return source.graph.renamed(names).with_tail(keep, nodes, constants, outputs)


def _features(source: SourceModel, constants: Constants) -> list[Node]:
    """The features of each face in float32, averaged over both mirror images."""
    assert source.features is not None
    if not source.mirrored:
        return [node("Cast", [source.features], "adapt_features", to=1)]
    return [node("Cast", [source.features], "adapt_seen", to=1)] + _mirror_halves(
        "adapt_seen", "adapt_features", (), constants, None
    )


def _mirror_halves(
    value: str, output: str, sizes: tuple[int, ...], constants: Constants, flip: str | None
) -> list[Node]:
    """Mean of a value over each face and its mirror image, (2 N, …) -> (N, …); flipped back first if asked."""
    name = f"{output}_parts"
    constants[f"{name}_shape"] = np.array([2, -1, *(sizes or (_width(constants),))], dtype=np.int64)
    constants[f"{name}_0"], constants[f"{name}_1"] = np.array(0, dtype=np.int64), np.array(1, dtype=np.int64)
    second = f"{name}_second"
    nodes = [
        node("Reshape", [value, f"{name}_shape"], name),
        node("Gather", [name, f"{name}_0"], f"{name}_first", axis=0),
        node("Gather", [name, f"{name}_1"], second, axis=0),
    ]
    if flip is not None:
        nodes.append(node("Gather", [second, flip], f"{second}_turned", axis=3))
        second = f"{second}_turned"
    return [
        *nodes,
        node("Add", [f"{name}_first", second], f"{name}_sum"),
        node("Mul", [f"{name}_sum", "adapt_half"], output),
    ]


def _width(constants: Constants) -> int:
    return int(constants["adapt_weights"].shape[0])


def _softmax(rest: bool, constants: Constants, old_classes: int) -> list[Node]:
    """Probabilities of the scores. If the old ones summed to less than 1, the new ones have the same sum."""
    if not rest:
        return [node("Softmax", ["adapt_scores"], "probabilities", axis=1)]
    constants["adapt_ones"] = np.ones((old_classes, 1), dtype=np.float32)
    return [
        node("Softmax", ["adapt_scores"], "adapt_shares", axis=1),
        node("MatMul", ["adapt_old_probabilities", "adapt_ones"], "adapt_total"),
        node("Mul", ["adapt_shares", "adapt_total"], "probabilities"),
    ]


def _maps(source: SourceModel, readout: Readout, with_head: bool, constants: Constants) -> list[Node]:
    """The old maps, shifted so that their mean is log p and mixed as log p is, plus the new head at each place."""
    assert source.map_size is not None
    old, classes = readout.mixing_CD.shape
    height, width = source.map_size
    constants["adapt_flat"] = np.array([0, old, height * width], dtype=np.int64)
    constants["adapt_column"] = np.array([0, old, 1], dtype=np.int64)
    constants["adapt_mean"] = np.full((height * width, 1), 1 / (height * width), dtype=np.float32)
    constants["adapt_mixing_back"] = np.ascontiguousarray(readout.mixing_CD.T.astype(np.float32))
    constants["adapt_square"] = np.array([0, classes, height, width], dtype=np.int64)
    constants["adapt_offsets_square"] = readout.offsets_D.astype(np.float32).reshape(1, classes, 1, 1)
    nodes = [
        node("Reshape", ["adapt_old_maps", "adapt_flat"], "adapt_maps_flat"),
        node("MatMul", ["adapt_maps_flat", "adapt_mean"], "adapt_maps_mean"),
        node("Reshape", ["adapt_logs", "adapt_column"], "adapt_logs_column"),
        node("Sub", ["adapt_maps_mean", "adapt_logs_column"], "adapt_surplus"),
        node("Sub", ["adapt_maps_flat", "adapt_surplus"], "adapt_maps_level"),
        node("MatMul", ["adapt_mixing_back", "adapt_maps_level"], "adapt_maps_mixed"),
        node("Reshape", ["adapt_maps_mixed", "adapt_square"], "adapt_maps_square"),
    ]
    mixed = "adapt_maps_square"
    if with_head:
        assert source.places is not None
        kernel = readout.weights_KD.T[:, :, None, None].astype(np.float32)
        constants["adapt_kernel"] = np.ascontiguousarray(kernel)
        nodes += [
            node("Cast", [source.places], "adapt_places", to=1),
            node("Conv", ["adapt_places", "adapt_kernel"], "adapt_head_maps"),
        ]
        headed = "adapt_head_maps"
        if source.mirrored:
            constants["adapt_turn"] = np.arange(width - 1, -1, -1, dtype=np.int64)
            headed = "adapt_head_maps_mean"
            nodes += _mirror_halves("adapt_head_maps", headed, (classes, height, width), constants, "adapt_turn")
        nodes.append(node("Add", [mixed, headed], "adapt_maps_both"))
        mixed = "adapt_maps_both"
    return [*nodes, node("Add", [mixed, "adapt_offsets_square"], "maps")]
