"""EmotiEffLib's and HSEmotion's recognizers, answered by mien (recorded from emotiefflib 1.1.1, hsemotion-onnx 0.3.1).

    from mien.adapters.emotiefflib import EmotiEffLibRecognizer   # was: from emotiefflib.facial_analysis import ...
    from mien.adapters.emotiefflib import HSEmotionRecognizer     # was: from hsemotion_onnx.facial_emotions import ...

    labels, scores_NC = EmotiEffLibRecognizer(engine="onnx").predict_emotions([face_rgb], logits=False)

As there, an image is a face that was cut out before, RGB. Columns are in alphabetical order of the peers' names,
contempt among them where the peer's ``model_name`` has eight. With a model that does not know contempt its column is 0.

``logits=True`` returns logarithms of our calibrated probabilities, so a softmax over them gives the probabilities back.
A ``model_name`` with "_mtl" adds two columns, valence and arousal, as the peers do; ours are projected from the scores.

Not here: engagement, and ``classify_emotions`` of features, since our features belong to another network.

Shape legend: N faces, C emotions, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.adapters.backend import in_order, recognizer_for
from mien.adapters.image_inputs import rgb_frame
from mien.contract.emotions import valence_arousal
from mien.contract.errors import MienError
from mien.contract.shipped_models import resolve_model
from mien.recognition.embeddings import Embedder
from mien.recognition.recognizer import Recognizer

SEVEN = ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
EIGHT = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")

MODEL_NAMES = (
    "enet_b0_8_best_vgaf",
    "enet_b0_8_best_afew",
    "enet_b2_8",
    "enet_b0_8_va_mtl",
    "enet_b2_7",
    "mbf_va_mtl",
    "mobilevit_va_mtl",
)
"""The peers' names. Ours answers for all; the name only says which columns are wanted."""

LEAST_PROBABILITY = 1e-7
"""A probability below this counts as this in a logarithm."""


def get_model_list() -> list[str]:
    """Names that ``model_name`` may be."""
    return list(MODEL_NAMES)


def get_supported_engines() -> list[str]:
    """Names that ``engine`` may be. Ours runs on ONNX Runtime in either case."""
    return ["torch", "onnx"]


class EmotiEffLibRecognizer:
    """Classifies faces that were cut out before.

    Args:
        engine: "torch" or "onnx"; accepted, both run on ONNX Runtime.
        model_name: one of ``get_model_list()``, which picks the columns; or "" for eight.
        device: accepted and ignored.
        model: a shipped model's name, or an .onnx file that mien exported.

    Raises:
        MienError: an engine or a model name that the peer does not have.
    """

    def __init__(
        self,
        engine: str = "torch",
        model_name: str = "enet_b0_8_best_vgaf",
        device: str = "cpu",
        *,
        model: str | Path = "base",
    ) -> None:
        if engine not in get_supported_engines():
            raise MienError(f"Unsupported engine specified: {engine!r}; there are torch, onnx")
        if model_name and model_name not in MODEL_NAMES:
            raise MienError(f"no model_name {model_name!r}; there are: {', '.join(MODEL_NAMES)}")
        self.device = device
        self.is_mtl = "_mtl" in model_name
        labels = SEVEN if "_7" in model_name else EIGHT
        self.idx_to_emotion_class = dict(enumerate(labels))
        self._labels = labels
        self._model = model
        self._recognizer: Recognizer = recognizer_for(model, "none")
        self._embedder: Embedder | None = None

    def predict_emotions(self, face_img: Any, logits: bool = True) -> tuple[list[str], NDArray[np.float32]]:
        """Classify one face or a list of faces.

        Args:
            face_img: an RGB array of shape (H, W, 3), or a list of them.
            logits: logarithms of the probabilities instead of the probabilities.

        Returns:
            Labels by the peers' names, one for each face; float32 scores (N, C), two columns more with "_mtl".
        """
        rows = []
        for probs_C in self._recognizer.classifier(self._crops(face_img)).astype(float):
            own = dict(zip(self._recognizer.card.labels, probs_C.tolist(), strict=True))
            scores = np.array(in_order(own, self._labels))
            if logits:
                scores = np.log(np.maximum(scores, LEAST_PROBABILITY))
            rows.append(np.concatenate([scores, valence_arousal(own)]) if self.is_mtl else scores)
        width = len(self._labels) + 2 * self.is_mtl
        scores_NC = np.array(rows, dtype=np.float32).reshape(len(rows), width)
        return [self._labels[best] for best in scores_NC[:, : len(self._labels)].argmax(axis=1)], scores_NC

    def extract_features(self, face_img: Any) -> NDArray[np.float32]:
        """Feature vectors of one face or a list of faces, float32 (N, F), as ``mien.embed`` gives them."""
        if self._embedder is None:
            self._embedder = Embedder(resolve_model(self._model))
        return self._embedder(self._crops(face_img))

    def classify_emotions(self, features: NDArray[np.floating[Any]], logits: bool = True) -> None:
        """Refused: features of one network mean nothing to another.

        Raises:
            MienError: always.
        """
        raise MienError("classify_emotions: give the faces to predict_emotions, or train FaceEmotionClassifier")

    def _crops(self, face_img: Any) -> NDArray[np.uint8]:
        faces = [face_img] if isinstance(face_img, np.ndarray) else face_img
        if not isinstance(faces, Sequence) or not all(isinstance(face, np.ndarray) for face in faces):
            raise TypeError("Expected np.ndarray or List[np.ndarray]")  # the peer's own words
        side = self._recognizer.card.image.side
        crops = [self._whole(rgb_frame(face, array_order="rgb")) for face in faces]
        return np.stack(crops) if crops else np.empty((0, side, side), dtype=np.uint8)

    def _whole(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        whole = self._recognizer.detector.detect(frame_rgb)
        return np.asarray(self._recognizer.crops(frame_rgb, whole)[0])


class HSEmotionRecognizer(EmotiEffLibRecognizer):
    """HSEmotion's older form: one face gives one label and one row.

    Args:
        model_name: as for ``EmotiEffLibRecognizer``.
        device: accepted and ignored.
        model: as for ``EmotiEffLibRecognizer``.
    """

    def __init__(
        self, model_name: str = "enet_b0_8_best_vgaf", device: str = "cpu", *, model: str | Path = "base"
    ) -> None:
        super().__init__("onnx", model_name, device, model=model)
        self.idx_to_class = self.idx_to_emotion_class

    def predict_emotions(  # type: ignore[override]  # the peers differ here
        self, face_img: NDArray[np.uint8], logits: bool = True
    ) -> tuple[str, NDArray[np.float32]]:
        """Classify one face: its label, and float32 scores of shape (C,)."""
        labels, scores_NC = super().predict_emotions(face_img, logits)
        return labels[0], scores_NC[0]

    def predict_multi_emotions(
        self, face_img_list: Sequence[NDArray[np.uint8]], logits: bool = True
    ) -> tuple[list[str], NDArray[np.float32]]:
        """Classify several faces: their labels, and float32 scores of shape (N, C)."""
        return super().predict_emotions(list(face_img_list), logits)
