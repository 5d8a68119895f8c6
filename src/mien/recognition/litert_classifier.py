"""Grey face crops -> calibrated probabilities, with a .tflite file of mien's and LiteRT: what an Android phone runs.

    classifier = LiteRTClassifier("nano.tflite", threads=1)
    probs_NC = classifier(crops_NSS)            # columns in the order of classifier.card.labels

For the parity check of ``mien export --to litert`` and for ``mien bench``. Recognition runs on ONNX Runtime
(classifier.py). Needs the extra ``litert``.

Shape legend: N faces, S side of the crop in pixels, C emotions.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.card import CARD_KEY, ModelCard
from mien.contract.errors import MissingExtraError, ModelError
from mien.contract.system import usable_cpus

MAX_THREADS = 4
FILE_IDENTIFIER = b"TFL3"
"""At byte 4 of every such file."""


class LiteRTClassifier:
    """A .tflite file that is ready to run, one face at a time. Not for several threads at once.

    Args:
        model_path: a file that ``mien export --to litert`` wrote.
        threads: CPU threads; None for one for each CPU that this process may use, at most 4.

    Attributes:
        path: the file.
        card: facts about the model, taken from the .onnx file that it was made from.
        provider: "litert".
        threads: CPU threads.

    Raises:
        ModelError: the file does not exist, is not LiteRT, was not exported by mien, or its inputs and outputs differ
            from those in its card.
        MissingExtraError: ai-edge-litert is not installed.
    """

    provider = "litert"

    def __init__(self, model_path: str | Path, threads: int | None = None) -> None:
        self.path = path = Path(model_path)
        self.threads = threads or min(usable_cpus(), MAX_THREADS)
        try:
            content = path.read_bytes()
        except OSError as error:
            reason = "no such model file" if not path.exists() else error.strerror
            raise ModelError(f"{path}: {reason}") from None
        if content[4:8] != FILE_IDENTIFIER:
            raise ModelError(f"{path}: not a LiteRT file")
        interpreter, schema = (_litert(name) for name in ("interpreter", "schema_py_generated"))
        self.card = _stored_card(schema, content, path)
        try:
            self._interpreter = interpreter.Interpreter(model_content=content, num_threads=self.threads)
            self._interpreter.allocate_tensors()
            self._run = self._interpreter.get_signature_runner()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: LiteRT cannot run it: {str(error).splitlines()[0]}") from None
        inputs, outputs = self._run.get_input_details(), self._run.get_output_details()
        shapes = {name: tuple(each["shape"].tolist()) for name, each in (inputs | outputs).items()}
        expected = {
            "faces": (1, self.card.image.side, self.card.image.side),
            "probabilities": (1, len(self.card.labels)),
        }
        if shapes != expected:
            raise ModelError(f"{path}: altered: the card asks for {expected}, the graph has {shapes}")

    def __call__(self, crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify faces, one after the other.

        Args:
            crops_NSS: uint8 grey crops, S as the card says.

        Returns:
            float32 (N, C), columns in the order of ``card.labels``.

        Raises:
            ValueError: ``crops_NSS`` has another shape or type.
        """
        side = self.card.image.side
        if crops_NSS.dtype != np.uint8 or crops_NSS.ndim != 3 or crops_NSS.shape[1:] != (side, side):
            raise ValueError(f"expected uint8 crops (N, {side}, {side}), got {crops_NSS.dtype} {crops_NSS.shape}")
        probs_NC = np.empty((len(crops_NSS), len(self.card.labels)), dtype=np.float32)
        for row, crop in zip(probs_NC, crops_NSS, strict=True):
            row[:] = self._run(faces=crop[None])["probabilities"][0]
        return probs_NC


def _litert(module: str) -> Any:
    try:
        return import_module(f"ai_edge_litert.{module}")
    except ModuleNotFoundError:
        raise MissingExtraError("ai-edge-litert", "litert") from None


def _stored_card(schema: Any, content: bytes, path: Path) -> ModelCard:
    try:
        model = schema.Model.GetRootAs(content, 0)
        entries = [model.Metadata(index) for index in range(model.MetadataLength())]
        text = next(
            (
                model.Buffers(each.Buffer()).DataAsNumpy().tobytes()
                for each in entries
                if each.Name() == CARD_KEY.encode()
            ),
            None,
        )
    except Exception as error:  # flatbuffers reads wherever damaged offsets point: struct.error, TypeError, IndexError
        raise ModelError(f"{path}: truncated or not a LiteRT file ({type(error).__name__})") from None
    if text is None:
        raise ModelError(f"{path}: not exported by mien: it has no model card")
    try:
        return ModelCard.from_json(text.decode(errors="replace"))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
