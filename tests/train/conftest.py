"""A recipe that trains on cartoon faces in seconds."""

from __future__ import annotations

import pytest

from mien.train.config import Recipe
from mien.train.recipe import load_recipe

TINY = [
    "network.args={widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}",
    "precision='32'",
    "batch_size=28",
    "average=null",
    "epochs=4",
]


@pytest.fixture
def tiny() -> Recipe:
    """The base recipe with a network of 17 thousand weights, float32 and four epochs."""
    return load_recipe("base", TINY)
