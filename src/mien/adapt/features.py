"""Read a model's features, the input of its last linear layer, by giving the graph one more output.

    source = SourceModel(path)                          # a model file that mien exported
    evidence = source.evidence(crops_NSS)          # log-probabilities and features, for mien.evaluate.adaptation

Walking back from the probabilities, the first matrix product is the head, and what it multiplies is the features. A
model that averages several networks has several heads and gives no features; it can still be recalibrated.

Shape legend: N faces, M = N or 2 N with mirror images, S side of the crop, C classes of the model, K features.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.adapt.onnx_bytes import Graph, Node, with_output
from mien.contract.card import ModelCard
from mien.contract.errors import ModelError
from mien.contract.onnx_container import read_card
from mien.contract.system import usable_cpus
from mien.evaluate.readout import Evidence
from mien.recognition.providers import open_session

PRODUCTS = ("Gemm", "MatMul")
POOLS = ("ReduceMean", "GlobalAveragePool")
SMALLEST_PROBABILITY = 1e-7
BATCH = 64


class SourceModel:
    """A model file, opened to be adapted.

    Args:
        path: an .onnx file that mien exported.

    Attributes:
        path: the file.
        card: facts about the model.
        file_bytes: the file's content.
        graph: the parts of the file's graph.
        features: name of the value that the head multiplies; None if there are several heads or none.
        places: name of the value (M, K, h, w) whose mean over all places is ``features``; None if there is none.
        mirrored: whether M = 2 N: the faces, then their mirror images.

    Raises:
        ModelError: mien did not export the file, or ONNX Runtime cannot run it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.file_bytes = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}") from None
        self.card: ModelCard = read_card(self.file_bytes)
        self.graph = Graph.of(self.file_bytes)
        head = _head(self.graph)
        self.features = None if head is None else head.inputs[0]
        pool = None if self.features is None else self.graph.maker(self.features)
        self.places = pool.inputs[0] if pool is not None and pool.op_type in POOLS else None
        opened = self.file_bytes if self.features is None else with_output(self.file_bytes, self.features)
        self._session, _ = open_session(opened, self.card.image.side, "cpu", min(usable_cpus(), 8))
        shapes = {each.name: each.shape for each in self._session.get_outputs()}
        self.map_size: tuple[int, int] | None = None
        if "maps" in shapes:
            self.map_size = (int(shapes["maps"][2]), int(shapes["maps"][3]))
        self.mirrored = False
        if self.features is not None:
            one = np.zeros((1, self.card.image.side, self.card.image.side), dtype=np.uint8)
            seen = self._session.run([self.features], {"faces": one})[0]
            self.mirrored = len(seen) == 2
            if seen.ndim != 2 or len(seen) > 2:  # not one row for each face, so the head cannot be fitted again
                self.features = self.places = None

    @property
    def rest(self) -> bool:
        """Whether a face's probabilities may sum to less than 1: the model also has "unknown" and "not a face"."""
        return bool(self.card.rejected)

    def evidence(self, crops_NSS: NDArray[np.uint8], on_progress: Callable[[int, int], None] | None = None) -> Evidence:
        """Log-probabilities of the model's labels, and features averaged over both mirror images.

        If the model rejects, the probabilities of its labels are not rescaled, so rows may sum to less than 1.
        """
        names = ["probabilities"] + ([] if self.features is None else [self.features])
        probs, features = [], []
        for start in range(0, len(crops_NSS), BATCH):
            found = self._session.run(names, {"faces": crops_NSS[start : start + BATCH]})
            probs.append(found[0])
            if self.features is not None:
                seen_MK = np.asarray(found[1], dtype=np.float64)
                features.append(seen_MK.reshape(2, -1, seen_MK.shape[1]).mean(axis=0) if self.mirrored else seen_MK)
            if on_progress is not None:
                on_progress(min(start + BATCH, len(crops_NSS)), len(crops_NSS))
        probs_NC = np.concatenate(probs).astype(np.float64)
        logs_NC = np.log(np.maximum(probs_NC, SMALLEST_PROBABILITY))
        return Evidence(logs_NC, np.concatenate(features) if features else np.empty((len(probs_NC), 0)))


def _head(graph: Graph) -> Node | None:
    """The one matrix product that the probabilities come from; None if they come from several."""
    found: dict[str, Node] = {}
    waiting, seen = ["probabilities"], set()
    while waiting:
        value = waiting.pop()
        made_by = graph.maker(value)
        if value in seen or made_by is None:
            continue
        seen.add(value)
        if made_by.op_type in PRODUCTS:
            found[made_by.outputs[0]] = made_by
        else:
            waiting += made_by.inputs
    return next(iter(found.values())) if len(found) == 1 else None
