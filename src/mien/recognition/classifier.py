"""Grey face crops -> calibrated probabilities, with one .onnx file and ONNX Runtime.

    classifier = Classifier(resolve_model("base"))                          # on a GPU where the runtime has one
    classifier = Classifier("mine.onnx", threads=1, provider="cpu")
    crops_NSS = crop_faces(frame_rgb, boxes_N4, classifier.card.image.side, margin)
    probs_NC = classifier(crops_NSS)                   # columns in the order of classifier.card.labels
    probs_NC, maps_NChw = classifier.maps(crops_NSS)   # and which places of the face spoke for each emotion

Everything after the crop (scaling, channels, normalisation, temperature, softmax) is inside the file. The card and the
checksum of the graph are checked before ONNX Runtime opens the file.

Not here: the choice of hardware (providers.py), the number of CPUs (mien.contract.system).

Shape legend: N faces (any number, 0 included), S side of the crop in pixels, C emotions, h and w cells of a map.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import ModelError
from mien.contract.naming import Priors, naming_weights
from mien.contract.onnx_container import read_card
from mien.contract.system import usable_cpus
from mien.recognition.providers import AUTO_ORDER, CHUNK_FACES, PROVIDERS, available_providers, open_session

DEFAULT_MODEL = "auto"
"""The model that is opened if the caller names none; see ``default_model``."""

MAX_THREADS = 8
"""A run over a few crops takes milliseconds; more threads than this mostly wait for each other."""

HALF_PRECISIONS = ("fp16", "bf16")
"""Arithmetic of GPUs. On a Zen 4 CPU fp16 took 1.1 to 1.2 times as long as fp32 (one run, busy machine)."""


class Classifier:
    """A model that is ready to run. May be called from any thread; several models may be open at once.

    Args:
        model_path: an .onnx file that mien exported.
        threads: threads of the CPU provider; None for one for each CPU that this process may use, at most 8.
        provider: "auto" for a GPU if the installed ONNX Runtime can use one, else the CPU; or a name of
            ``providers.PROVIDERS``, which is used or refused, but never replaced by another.

    Attributes:
        path: the file.
        card: facts about the model.
        provider: name of the provider that runs it.
        threads: threads of the CPU provider.

    Raises:
        ModelError: the file does not exist, is not ONNX, was not exported by mien, was changed, or comes from a newer
            mien; the provider is not installed or does not start; ONNX Runtime is too old for the model; or a model in
            half precision would run on the CPU although the caller did not ask for the CPU.
        ValueError: ``threads`` is below 1.
    """

    def __init__(self, model_path: str | Path, threads: int | None = None, provider: str = "auto") -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"expected threads >= 1, got {threads}")
        self.path = path = Path(model_path)
        self.threads = threads or min(usable_cpus(), MAX_THREADS)
        try:
            onnx_bytes = path.read_bytes()
        except OSError as error:
            reason = "no such model file" if not path.exists() else error.strerror
            raise ModelError(f"{path}: {reason}") from None
        try:
            self.card = read_card(onnx_bytes)
            self._session, self.provider = open_session(onnx_bytes, self.card.image.side, provider, self.threads)
            self._check()
            if provider == "auto" and self.provider == "cpu" and self.card.precision in HALF_PRECISIONS:
                raise ModelError(
                    f"a {self.card.precision} model, for GPUs, and none was found here: "
                    "use an fp32 or int8 export, or ask for the provider 'cpu' by name"
                )
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
        self._turn: AbstractContextManager[object] = (
            threading.Lock() if PROVIDERS[self.provider].one_at_a_time else nullcontext()
        )

    def _check(self) -> None:
        side, classes = self.card.image.side, len(self.card.labels)
        inputs = [(each.name, each.type, each.shape[1:]) for each in self._session.get_inputs()]
        outputs = [(each.name, each.type, each.shape[1:]) for each in self._session.get_outputs()]
        expected_inputs = [("faces", "tensor(uint8)", [side, side])]
        expected_outputs = [("probabilities", "tensor(float)", [classes])]
        if self.has_maps:
            height_width = outputs[-1][2][1:]
            expected_outputs.append(("maps", "tensor(float)", [classes, *height_width]))
        if inputs != expected_inputs or outputs != expected_outputs:
            raise ModelError(
                f"altered: the card asks for {expected_inputs} -> {expected_outputs}, "
                f"the graph has {inputs} -> {outputs}"
            )

    @property
    def has_maps(self) -> bool:
        """Whether the file holds class activation maps, so that ``maps`` can be called."""
        return bool(self._session.get_outputs()[-1].name == "maps")

    def __call__(self, crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify faces.

        Args:
            crops_NSS: uint8 grey crops as ``crop_faces`` cuts them, S as the card says.

        Returns:
            float32 of shape (N, C), columns in the order of ``card.labels``. Rows sum to 1. They sum to less if the
            model also has classes for "unknown" and "not a face", which are left out here.

        Raises:
            ValueError: ``crops_NSS`` has another shape or type.
        """
        return self._run(["probabilities"], crops_NSS)[0]

    def name(self, probs_NC: NDArray[np.floating[Any]], priors: Priors = "balanced") -> list[str]:
        """Choose the emotion that each row of probabilities is called, by the model's default or by other priors.

        Args:
            probs_NC: as a call returns them.
            priors: see ``mien.contract.naming.Priors``.

        Raises:
            ModelError: the priors do not fit the model.
        """
        weights_C = naming_weights(self.card.labels, self.card.naming, priors)
        return [self.card.labels[index] for index in (probs_NC * weights_C).argmax(axis=1)]

    def maps(self, crops_NSS: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Classify faces, and return how much each place of a face spoke for each emotion.

        Args:
            crops_NSS: as for a call.

        Returns:
            The probabilities, and class activation maps of shape (N, C, h, w) (Zhou et al. 2016, arXiv:1512.04150).

        Raises:
            ModelError: the file holds no maps.
            ValueError: ``crops_NSS`` has another shape or type.
        """
        if not self.has_maps:
            raise ModelError(f"the model {self.card.name!r} gives no maps; export it again with this version of mien")
        probs_NC, maps_NChw = self._run(["probabilities", "maps"], crops_NSS)
        return probs_NC, maps_NChw

    def _run(self, outputs: list[str], crops_NSS: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        side = self.card.image.side
        if crops_NSS.dtype != np.uint8 or crops_NSS.ndim != 3 or crops_NSS.shape[1:] != (side, side):
            raise ValueError(f"expected uint8 crops (N, {side}, {side}), got {crops_NSS.dtype} {crops_NSS.shape}")
        if len(crops_NSS) == 0:  # not every operator and provider takes an empty batch
            shapes = {each.name: each.shape[1:] for each in self._session.get_outputs()}
            return [np.empty((0, *shapes[name]), dtype=np.float32) for name in outputs]
        chunks = []
        for start in range(0, len(crops_NSS), CHUNK_FACES):
            with self._turn:
                chunks.append(self._session.run(outputs, {"faces": crops_NSS[start : start + CHUNK_FACES]}))
        return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]


def default_model() -> str:
    """The name of the shipped model that suits the hardware: ``base-int8`` on a CPU, else ``base``.

    On a CPU the int8 file is three times as fast, and gives 99 % of the faces the same emotion.
    """
    on_gpu = any(name in available_providers() for name in AUTO_ORDER[:-1])
    return "base" if on_gpu else "base-int8"
