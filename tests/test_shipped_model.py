"""The model that is in the wheel: what its card claims is what it does."""

from pathlib import Path

import numpy as np
import pytest

from mien.data.sources import load_faces
from mien.evaluate.predict import score
from mien.recognize.classify import Classifier, resolve_model

GOLDEN_PROBS = [
    [0.004111, 0.000737, 0.001210, 0.008851, 0.976136, 0.004924, 0.004031],
    [0.003043, 0.000639, 0.001257, 0.009167, 0.976773, 0.004667, 0.004454],
    [0.003786, 0.000707, 0.001418, 0.009483, 0.973933, 0.005023, 0.005651],
]
"""Probabilities of the first faces of a seeded noise generator, stored when the model was shipped."""


@pytest.fixture(scope="module")
def base() -> Classifier:
    return Classifier(resolve_model("base"))


def test_the_card_is_complete(base: Classifier) -> None:
    card = base.card
    assert card.labels == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert card.image.side == 48
    assert set(card.image.margins) == {"haar", "yunet", "none"}
    assert {"licence", "mien", "parameters", "training_seconds", "machine", "versions"} <= set(card.provenance)
    assert card.metrics["validation"]["n"] == 3589
    assert card.recipe["sha256"]
    assert resolve_model("base").stat().st_size <= 20_000_000


def test_stored_noise_gives_the_stored_probabilities(base: Classifier) -> None:
    noise_NSS = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    np.testing.assert_allclose(base(noise_NSS), GOLDEN_PROBS, atol=1e-4)


def test_accuracy_on_real_faces_is_what_the_card_says(base: Classifier, fer2013_root: Path) -> None:
    faces = load_faces(fer2013_root)
    assert faces.fingerprint == base.card.data["fingerprint"]
    metrics = score(base, faces.split("validation"), base.card.labels)
    assert metrics["accuracy"] > 0.653  # the peer `fer` on the same files
    assert metrics["accuracy"] == pytest.approx(base.card.metrics["validation"]["accuracy"], abs=1e-3)
    assert metrics["ece"] == pytest.approx(base.card.metrics["validation"]["ece"], abs=5e-3)
