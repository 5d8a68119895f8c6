"""Two formats of PyTorch, TorchScript and .pth. Both hold the card and open without mien.

    # TorchScript: raw uint8 faces in, calibrated probabilities out
    network = torch.jit.load("base.pt", _extra_files=(extra := {"mien_card": ""}))
    probs_NC = network(faces_NHW)                       # extra["mien_card"] is the card as JSON

    # .pth: the network's own weights, by the names of its layers
    content = torch.load("base.pth", weights_only=True)
    network.load_state_dict(content["state_dict"])      # content["mien_card"] is the card as JSON

torch 2.15 warns that TorchScript will end, but still writes and reads it. PyTorch has no other format that opens
without the network's code and that C++ and mobile runtimes read. This module imports only torch and the contract, so a
program that opens such a file needs nothing else.

Shape legend: N faces, H = W side in pixels, C classes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mien.contract.card import CARD_KEY, ModelCard
from mien.contract.errors import ModelError

TAKES_KEY = "mien_takes"
"""Name of an extra file of TorchScript: "faces" (raw uint8, and answers with probabilities), or "normalised" (the
network's own input, and answers with logits), which is what published systems promise."""


def torchscript_bytes(model: torch.nn.Module, card: ModelCard) -> bytes:
    """A serving model traced, with its card among the extra files; any number of faces."""
    side = card.image.side
    example = torch.arange(2 * side * side).view(2, side, side).to(torch.uint8)
    return traced_bytes(model, example, card, takes="faces")


def traced_bytes(model: torch.nn.Module, example: torch.Tensor, card: ModelCard, takes: str) -> bytes:
    """Trace a module and store what input it takes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter(
            "ignore"
        )  # PyTorch warns that the format ends, and that sizes become constants; crops have one size
        # check_trace would run the model twice more; parity.py checks its answers on real faces anyway
        traced = torch.jit.trace(model, example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, buffer, _extra_files={CARD_KEY: card.to_json(), TAKES_KEY: takes})
    return buffer.getvalue()


def open_torchscript(path: Path) -> tuple[Any, ModelCard]:
    """A TorchScript file as a function of arrays, uint8 (N, S, S) -> probabilities (N, C), and its card.

    Raises:
        ModelError: not TorchScript, or without a card.
    """
    extra: dict[str, Any] = {CARD_KEY: "", TAKES_KEY: ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the format's deprecation
            network: torch.jit.ScriptModule = torch.jit.load(  # type: ignore[no-untyped-call]
                str(path), map_location="cpu", _extra_files=extra
            )
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: not a TorchScript file ({str(error).splitlines()[0][:80]})") from None
    texts = {key: text.decode() if isinstance(text, bytes) else text for key, text in extra.items()}
    if not texts[CARD_KEY]:
        raise ModelError(f"{path}: a TorchScript file, but without a model card ({CARD_KEY} among its extra files)")
    try:
        card = ModelCard.from_json(texts[CARD_KEY])
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    network.eval()
    answer = _from_normalised(network, card) if texts[TAKES_KEY] == "normalised" else network

    def predictor(crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            probs_NC: NDArray[np.float32] = answer(torch.from_numpy(crops_NSS)).float().numpy()
        return probs_NC

    return predictor, card


def _from_normalised(network: Any, card: ModelCard) -> Any:
    """Faces through the preprocessing that the card's recipe names, the network, and softmax."""
    from mien.train.model_file import network_of_card
    from mien.train.network import FaceClassifier

    config = network_of_card(card)
    classifier = FaceClassifier(network, config, config.input_side or card.image.side)
    return lambda faces_NHW: torch.softmax(classifier(faces_NHW), dim=1)


def card_of_pth(content: Mapping[str, Any]) -> ModelCard | None:
    """The card in what ``torch.load`` returned, or None."""
    text = content.get(CARD_KEY)
    return None if text is None else ModelCard.from_json(text)
