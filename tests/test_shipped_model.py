"""The model that is in the wheel: what its card claims is what it does."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.contract.lineage import check_lineage
from mien.contract.shipped_models import resolve_model, shipped_models
from mien.data.faceset import FaceSet
from mien.data.votes import by_votes
from mien.evaluate.scoring import predict_all, score
from mien.mood.mood_tracker import MoodTracker
from mien.recognition.classifier import Classifier, default_model
from mien.recognition.detectors import Detections
from mien.recognition.recognizer import Recognizer

GOLDEN_PROBS = {
    "base": [
        [0.000164, 0.000225, 0.000037, 0.000056, 0.000011, 0.000001, 0.000003, 0.000001],
        [0.000143, 0.000170, 0.000026, 0.000034, 0.000008, 0.000001, 0.000002, 0.000000],
        [0.000110, 0.000177, 0.000019, 0.000046, 0.000006, 0.000001, 0.000002, 0.000000],
    ],
}
"""Probabilities of the first faces of a seeded noise generator, stored when the model was shipped."""


Probs = NDArray[np.floating]
Asked = Callable[[str], tuple[Classifier, FaceSet, Probs]]


@pytest.fixture(scope="module")
def base() -> Classifier:
    return Classifier(resolve_model("base"))


@pytest.fixture(scope="module")
def asked(fer2013: FaceSet, ferplus_votes: Path) -> Asked:
    """A shipped model by name, the faces of validation that it is judged on, and its probabilities for them (N, C)."""

    @cache
    def once(name: str) -> tuple[Classifier, FaceSet, Probs]:
        model = Classifier(resolve_model(name))
        faces = by_votes(fer2013) if model.card.rejected else fer2013  # a head of votes is judged by votes
        validation = faces.split("validation")
        return model, validation, predict_all(model, validation.faces_NHW)

    return once


def test_the_card_is_complete(base: Classifier) -> None:
    card = base.card
    assert card.labels == FERPLUS_EMOTIONS and card.rejected == ("unknown", "not a face")
    assert card.image.side == 48
    assert {"haar", "yunet", "none"} <= set(card.image.margins)
    assert {"licence", "mien", "parameters", "training_seconds", "machine", "versions"} <= set(card.provenance)
    assert card.metrics["validation"]["n"] == 3199  # on which most of FER+'s taggers agree
    assert card.recipe["sha256"]
    assert resolve_model("base").stat().st_size <= 20_000_000


def test_all_models_together_are_small_enough_for_one_wheel() -> None:
    assert sum(resolve_model(name).stat().st_size for name in shipped_models()) < 30e6


@pytest.mark.parametrize("name", GOLDEN_PROBS)
def test_stored_noise_gives_the_stored_probabilities(name: str) -> None:
    noise_NSS = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    np.testing.assert_allclose(Classifier(resolve_model(name))(noise_NSS), GOLDEN_PROBS[name], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "megabytes", "least"),
    [("base", 20, 0.84), ("base-int8", 10, 0.84), ("fer2013", 10, 0.653), ("nano", 1, 0.653)],
)
def test_accuracy_on_real_faces_is_what_the_card_says(
    name: str, megabytes: float, least: float, asked: Asked, fer2013_fingerprint: str
) -> None:
    model, validation, probs_NC = asked(name)
    assert fer2013_fingerprint == model.card.data["fingerprint"]
    metrics = score(lambda _: probs_NC, validation, model.card.labels, batch_size=len(validation))
    assert metrics.accuracy > least  # on the labels: the peer `fer` on the same files
    # integers round otherwise on another processor
    assert metrics.accuracy == pytest.approx(
        model.card.metrics["validation"]["accuracy"], abs=1e-3 if model.card.precision == "fp32" else 5e-3
    )
    assert metrics.ece == pytest.approx(model.card.metrics["validation"]["ece"], abs=5e-3)
    assert model.path.stat().st_size <= megabytes * 1e6


@pytest.mark.parametrize("name", ["base", "base-int8"])
def test_noise_is_rejected(name: str) -> None:
    model = Classifier(resolve_model(name))
    noise_NSS = np.random.default_rng(1).integers(0, 256, (50, 48, 48), dtype=np.uint8)
    assert model(noise_NSS).max() < model.card.accept_threshold


def test_the_field_is_in_the_card(base: Classifier) -> None:
    naming, field = base.card.naming, base.card.metrics["field"]
    assert naming is not None
    assert naming.frequencies["neutral"] > 0.4 and naming.frequencies["fear"] < 0.01
    by_field, by_default = field["named_by_field"], field["named_by_default"]
    assert by_field["accuracy"]["value"] > 0.85 and by_field["ece"] < 0.03
    assert by_default["balanced"] > by_field["balanced"]
    assert by_default["recall"]["neutral"]["value"] > 0.8  # "always sad" is what users complain of
    assert field["accepted"] == pytest.approx(0.95, abs=0.02)


def test_auto_is_the_int8_file_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.recognition import classifier

    monkeypatch.setattr(classifier, "available_providers", lambda: ("cpu",))
    assert default_model() == "base-int8"
    monkeypatch.setattr(classifier, "available_providers", lambda: ("cpu", "cuda"))
    assert default_model() == "base"


def test_a_neutral_hour_reads_calm(asked: Asked) -> None:
    """An hour of faces that most taggers call neutral, a new one each second, as one person's."""
    _, faces, of_all_NC = asked("base-int8")
    probs_NC = of_all_NC[faces.labels_N == faces.labels.index("neutral")]
    recognizer = Recognizer("base-int8", "none")
    whole = Detections(np.array([[0.0, 0, 48, 48]]))
    tracker, moods = MoodTracker(max_gap_s=2), []
    for second, index in enumerate(np.random.default_rng(0).integers(0, len(probs_NC), 3600)):
        result = recognizer.result(48, 48, whole, probs_NC[index : index + 1], "hour", float(second), [1])
        moods += tracker.update(result)
    stress = np.array([mood.stress_index for mood in moods if mood.stress_index is not None])
    assert len(stress) > 3500 and stress.max() < 10 and stress.mean() < 2
    assert np.mean([mood.label == "neutral" for mood in moods]) > 0.98
    assert np.mean([mood.stress_level == "low" for mood in moods]) > 0.99


@pytest.mark.parametrize("name", shipped_models())
def test_the_lineage_of_each_file_is_there_by_digest(name: str) -> None:
    card = Classifier(resolve_model(name), threads=1).card
    check_lineage(card)
    assert card.parents and all(parent.graph_sha256 for parent in card.parents)
    assert all(parent.graph_sha256 != card.graph_sha256 for parent in card.parents)
