"""A LiteRT (TFLite) file from an .onnx file that mien exported, for Android and the edge, with its card inside.

    card, parity = write_litert(Path("base.onnx"), Path("base.tflite"))

The file takes one crop a call, uint8 (1, S, S), and gives ``probabilities`` (1, C), as the .onnx does. The graph is
translated operator by operator (litert_operators.py), so neither TensorFlow nor PyTorch is needed; the extra ``litert``
brings LiteRT's runtime (59 MB), which reads the written file back and answers drawn faces before it is moved to its
place. The card is that of the .onnx and states the checksum of that file's graph.

Shape legend: S side of the crop in pixels, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.contract.atomic_files import writing_whole
from mien.contract.card import CARD_KEY, ModelCard
from mien.contract.errors import MissingExtraError, ModelError, ParityError
from mien.contract.onnx_container import read_card
from mien.data.toy import toy_faces
from mien.recognition.classifier import Classifier
from mien.recognition.litert_classifier import LiteRTClassifier

PARITY_FACES_PER_CLASS = 29
"""Seven classes of drawn faces, so 203 faces."""

MOST_OFF = 1e-3
"""Largest difference of a probability in float32; 1.4e-5 was seen."""

LEAST_ALIKE_INT8 = 0.97
"""Share of faces with the same top emotion in int8, where LiteRT's kernels round halves elsewhere; 0.985 was seen."""

MOST_OFF_INT8 = 0.02
"""Mean difference of a probability in int8; 0.004 was seen."""


@dataclass(frozen=True)
class LiteRTParity:
    """How far LiteRT's answers are from ONNX Runtime's.

    Attributes:
        faces: drawn faces compared.
        difference: largest absolute difference of a probability.
        mean_difference: mean of them.
        alike: share of faces with the same most probable emotion.
    """

    faces: int
    difference: float
    mean_difference: float
    alike: float


def write_litert(onnx_path: Path, out: Path) -> tuple[ModelCard, LiteRTParity]:
    """Convert a model file, whole or not at all.

    Args:
        onnx_path: an .onnx file that mien exported, in float32 or int8.
        out: the file to write.

    Raises:
        MissingExtraError: ai-edge-litert or onnx is not installed.
        ModelError: the file is not mien's, or has an operator that is not known here.
        OutputError: the file cannot be written.
        ParityError: LiteRT's answers differ from ONNX Runtime's.
    """
    try:
        from mien.export.litert_operators import converted
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "litert") from None
    onnx_bytes = onnx_path.read_bytes()
    card = read_card(onnx_bytes)
    try:
        blob = converted(onnx_bytes, {CARD_KEY: card.to_json()})
    except ModelError as error:
        raise ModelError(f"{onnx_path}: {error}") from None
    with writing_whole(out) as beside:
        beside.write_bytes(blob)
        parity = compared(onnx_path, beside)
        if card.precision == "int8":
            same = parity.alike >= LEAST_ALIKE_INT8 and parity.mean_difference <= MOST_OFF_INT8
        else:
            same = parity.difference <= MOST_OFF
        if not same:
            raise ParityError(
                f"{out}: not written: of {parity.faces} drawn faces {parity.alike:.1%} are answered as by {onnx_path}, "
                f"probabilities differ by up to {parity.difference:.2g}"
            )
    return card, parity


def compared(onnx_path: Path, tflite_path: Path) -> LiteRTParity:
    """Answers of both files on the same drawn faces."""
    reference = Classifier(onnx_path, provider="cpu")
    crops_NSS = toy_faces(PARITY_FACES_PER_CLASS, seed=0, side=reference.card.image.side).faces_NHW
    wanted_NC, found_NC = reference(crops_NSS), LiteRTClassifier(tflite_path)(crops_NSS)
    off_NC = np.abs(wanted_NC - found_NC)
    alike = float((wanted_NC.argmax(axis=1) == found_NC.argmax(axis=1)).mean())
    return LiteRTParity(len(crops_NSS), float(off_NC.max()), float(off_NC.mean()), alike)
