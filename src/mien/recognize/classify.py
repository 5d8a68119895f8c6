"""Grey face crops -> calibrated probabilities, with one .onnx file and ONNX Runtime.

    classifier = Classifier(resolve_model("base"))
    crops_NSS = crop_faces(frame_rgb, boxes_N4, classifier.card.image.side, margin)
    probs_NC = classifier(crops_NSS)                   # columns in the order of classifier.card.labels

Everything after the crop (scaling, channels, normalisation, temperature, softmax) is inside the file. On the CPU only.

Shape legend: N faces (any number, 0 included), S side of the crop in pixels, C emotions.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.contract.card import CARD_KEY, ModelCard
from mien.contract.errors import ModelError

ASSETS = Path(__file__).resolve().parents[1] / "assets"
"""Folder of the shipped models."""

CHUNK_FACES = 64
"""Faces in one run of the network: more bring no speed, only memory."""

MAX_THREADS = 8
"""A run over a few crops takes milliseconds; more threads than this mostly wait for each other."""


class Classifier:
    """A model that is ready to run. May be called from any thread.

    Args:
        model_path: an .onnx file that mien exported.
        threads: of ONNX Runtime; None for the CPUs that this process may use, at most 8.

    Raises:
        ModelError: no such file, not ONNX, ONNX of something else, altered, or from a newer mien.
    """

    def __init__(self, model_path: str | Path, threads: int | None = None) -> None:
        path = Path(model_path)
        if not path.is_file():
            raise ModelError(f"{path}: no such model file")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cpus()
        options.inter_op_num_threads = 1
        # Idle workers would otherwise burn a core for a while after each run, next to the detector that needs it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors; what goes wrong is raised below
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            detail = " ".join(str(error).split())
            raise ModelError(f"{path}: ONNX Runtime cannot load it as a model ({detail[:120]})") from None
        card = self._session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
        if card is None:
            raise ModelError(f"{path}: an ONNX file, but not exported by mien: it has no model card")
        try:
            self.card = ModelCard.from_json(card)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
        self._check(path)

    def _check(self, path: Path) -> None:
        side, classes = self.card.image.side, len(self.card.labels)
        inputs = [(each.name, each.type, each.shape[1:]) for each in self._session.get_inputs()]
        outputs = [(each.name, each.type, each.shape[1:]) for each in self._session.get_outputs()]
        expected_inputs = [("faces", "tensor(uint8)", [side, side])]
        expected_outputs = [("probabilities", "tensor(float)", [classes])]
        if inputs != expected_inputs or outputs != expected_outputs:
            raise ModelError(
                f"{path}: altered: the card asks for {expected_inputs} -> {expected_outputs}, "
                f"the graph has {inputs} -> {outputs}"
            )

    def __call__(self, crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify faces.

        Args:
            crops_NSS: uint8 grey crops as ``crop_faces`` cuts them, S as the card says.

        Returns:
            float32 of shape (N, C), rows summing to 1, columns in the order of ``card.labels``.

        Raises:
            ValueError: another shape or type.
        """
        side = self.card.image.side
        if crops_NSS.dtype != np.uint8 or crops_NSS.ndim != 3 or crops_NSS.shape[1:] != (side, side):
            raise ValueError(f"expected uint8 crops (N, {side}, {side}), got {crops_NSS.dtype} {crops_NSS.shape}")
        probs_NC = np.empty((len(crops_NSS), len(self.card.labels)), dtype=np.float32)
        for start in range(0, len(crops_NSS), CHUNK_FACES):
            chunk = slice(start, start + CHUNK_FACES)
            probs_NC[chunk] = self._session.run(["probabilities"], {"faces": crops_NSS[chunk]})[0]
        return probs_NC


def shipped_models() -> list[str]:
    """Names of the models that come with this package."""
    return sorted(path.stem for path in ASSETS.glob("*.onnx"))


def resolve_model(name_or_path: str | Path) -> Path:
    """Find a model file: a shipped name such as "base", or a path.

    Raises:
        ModelError: neither; the text lists the shipped names.
    """
    if str(name_or_path) in shipped_models():
        return ASSETS / f"{name_or_path}.onnx"
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = ", ".join(shipped_models()) or "none in this installation"
    raise ModelError(f"no model {str(name_or_path)!r}: not a file, and not one of the shipped models ({shipped})")


def usable_cpus() -> int:
    """CPUs that this process may use: its affinity, cut by a container's quota, from 1 to MAX_THREADS."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:  # cgroup v2: "200000 100000" is two CPUs, "max 100000" is no quota
        quota_us, period_us = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cpus = min(cpus, math.ceil(int(quota_us) / int(period_us)))
    except (OSError, ValueError):
        pass
    return max(1, min(cpus, MAX_THREADS))
