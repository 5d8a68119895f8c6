"""A Core ML package from a TorchScript file that mien wrote, for iPhones, iPads and Macs, with its card inside.

    write_coreml(Path("base.pt"), Path("base.mlpackage"))

The package takes one crop, float32 (1, S, S) with grey values from 0 to 255 (Core ML has no uint8 arrays), and gives
``probabilities`` (1, C) in float32 arithmetic. Needs the extra ``coreml``; the TorchScript file has passed the parity
check, and the package is checked by running it where that can be, on a Mac. Elsewhere its interface is checked.

Shape legend: S side of the crop in pixels, C classes.
"""

from __future__ import annotations

import logging
import platform
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mien.contract.card import CARD_KEY, ModelCard
from mien.contract.errors import MissingExtraError, ParityError
from mien.export.torchfiles import open_torchscript

LEAST_SYSTEM = "iOS15"
"""The first with ML programs; macOS 12 is of the same year."""

MOST_OFF = 1e-3


def write_coreml(torchscript: Path, out: Path) -> ModelCard:
    """Convert a TorchScript file, whole or not at all.

    Args:
        torchscript: a float32 file of ``export_checkpoint(…, to="torchscript")``.
        out: the package, a folder; one that is there is replaced.

    Returns:
        The card that is inside.

    Raises:
        MissingExtraError: coremltools is not installed.
        ParityError: the package does not take or give what it should, or on a Mac answers otherwise.
    """
    predictor, card = open_torchscript(torchscript)
    package = _converted(torchscript, card)
    side = card.image.side
    description = package.get_spec().description
    shapes = [list(each.type.multiArrayType.shape) for each in description.input]
    names = [each.name for each in (*description.input, *description.output)]
    if names != ["faces", "probabilities"] or shapes != [[1, side, side]]:
        raise ParityError(f"{out}: not written: the package has {names}, {shapes}")
    if platform.system() == "Darwin":
        crops_NSS = np.random.default_rng(0).integers(0, 256, (8, side, side), dtype=np.uint8)
        answers = [package.predict({"faces": crop[None].astype(np.float32)})["probabilities"] for crop in crops_NSS]
        difference = float(np.abs(np.concatenate(answers) - predictor(crops_NSS)).max())
        if not difference <= MOST_OFF:
            raise ParityError(f"{out}: not written: a probability differs from PyTorch's by {difference:.2g}")
    package.user_defined_metadata[CARD_KEY] = card.to_json()
    package.short_description = f"mien {card.name}: {', '.join(card.labels)}"
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        beside = Path(folder) / out.name
        package.save(str(beside))
        if out.exists():
            shutil.rmtree(out)
        beside.rename(out)
    return card


def _converted(torchscript: Path, card: ModelCard) -> Any:
    """coremltools' model; what it prints about versions of torch is kept quiet, since the interface is checked."""
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                import coremltools
            except ModuleNotFoundError:
                raise MissingExtraError("coremltools", "coreml") from None
            network: Any = torch.jit.load(str(torchscript), map_location="cpu")  # type: ignore[no-untyped-call]
            return coremltools.convert(
                network.eval(),
                inputs=[coremltools.TensorType("faces", shape=(1, card.image.side, card.image.side))],
                outputs=[coremltools.TensorType("probabilities")],
                minimum_deployment_target=getattr(coremltools.target, LEAST_SYSTEM),
                compute_precision=coremltools.precision.FLOAT32,
                convert_to="mlprogram",
            )
    finally:
        logger.setLevel(level)
