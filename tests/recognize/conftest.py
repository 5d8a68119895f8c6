"""A photograph with one face, a tiny model file that no training made, and YuNet where its file is at hand."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_onnx import TINY_CARD, write_tiny_model

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture(scope="session")
def strict_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a threshold that no face reaches."""
    card = dataclasses.replace(TINY_CARD, accept_threshold=1.0)
    return write_tiny_model(tmp_path_factory.mktemp("models") / "strict.onnx", card)


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """512 x 512 RGB portrait of Eileen Collins (NASA, public domain): one frontal, smiling face."""
    data = pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image")
    return np.asarray(data.astronaut())


@pytest.fixture(scope="session")
def yunet_file() -> Path:
    given = os.environ.get("MIEN_YUNET")
    path = Path(given) if given else REPOSITORY.parent / "shared" / "models" / "yunet_n.onnx"
    if not path.is_file():
        pytest.skip(f"YuNet is not here: {path} does not exist; MIEN_YUNET may name its file")
    return path
