"""A recipe that trains on cartoon faces in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mien.data.faceset import FaceSet
from mien.data.votes import VOTES
from mien.train.config import Recipe
from mien.train.recipe import load_recipe

TINY = [
    "network.args={widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}",
    "precision='32'",
    "batch_size=28",
    "average=null",
    "epochs=4",
]


@pytest.fixture(autouse=True, scope="module")
def quick_epochs(blank_picture: None) -> None:
    """Every run of this room; the test of the dashboard draws the real picture."""


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    """The base recipe with a network of 17 thousand weights, float32 and four epochs."""
    return load_recipe("base", TINY)


@pytest.fixture
def with_votes() -> Callable[[FaceSet], FaceSet]:
    """Gives every face seven votes for its own label and three for unknown."""

    def add(faces: FaceSet) -> FaceSet:
        votes_NV = np.zeros((len(faces), len(VOTES)), dtype=np.uint8)
        votes_NV[np.arange(len(faces)), [VOTES.index(faces.labels[label]) for label in faces.labels_N]] = 7
        votes_NV[:, VOTES.index("unknown")] = 3
        return replace(faces, votes_NC=votes_NV)

    return add
