"""Drawn faces in, stored probabilities out, for every shipped model.

    python tests/test_golden_faces.py        # after a model was replaced on purpose: store its probabilities anew

The faces are cartoons of a seed, so no picture has to be stored.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.contract.onnx_container import graph_digest
from mien.contract.shipped_models import resolve_model, shipped_models
from mien.data.toy import toy_faces
from mien.recognition.classifier import Classifier

GOLDEN = Path(__file__).with_name("golden") / "drawn_faces.json"
REMEDY = "if the model was replaced on purpose: python tests/test_golden_faces.py"
FP32_TOLERANCE, INTEGER_TOLERANCE = 1e-4, 0.05
"""Integers round otherwise on another processor."""


def drawn(side: int) -> NDArray[np.uint8]:
    """One face of each of the seven expressions."""
    return toy_faces(per_class=5, seed=7, side=side).faces_NHW[::5]


def answers(name: str) -> NDArray[np.floating]:
    classifier = Classifier(resolve_model(name), provider="cpu")
    return classifier(drawn(classifier.card.image.side))


@pytest.mark.parametrize("name", shipped_models())
def test_drawn_faces_give_the_stored_probabilities(name: str) -> None:
    stored = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert name in stored, REMEDY
    path = resolve_model(name)
    assert stored[name]["graph_sha256"] == graph_digest(path.read_bytes()), REMEDY
    precision = Classifier(path, provider="cpu").card.precision
    tolerance = FP32_TOLERANCE if precision == "fp32" else INTEGER_TOLERANCE
    np.testing.assert_allclose(answers(name), stored[name]["probabilities"], atol=tolerance)


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    found = {
        name: {
            "graph_sha256": graph_digest(resolve_model(name).read_bytes()),
            "probabilities": [[round(float(value), 6) for value in row] for row in answers(name)],
        }
        for name in shipped_models()
    }
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
