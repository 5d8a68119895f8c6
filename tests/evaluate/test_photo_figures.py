"""Figures on whole photos: an unseen face is a mistake, and each naming has its own figures."""

from __future__ import annotations

import numpy as np
import pytest

from mien.contract.errors import DataError
from mien.contract.naming import Naming
from mien.evaluate.photo_figures import photo_figures

LABELS = ("neutral", "happy", "sad")
PROBS_NC = np.array([[0.6, 0.1, 0.3], [0.6, 0.1, 0.3], [0.1, 0.8, 0.1], [0.5, 0.1, 0.4]])
LABELS_N = np.array([0, 2, 1, 2])


def test_an_unseen_face_is_a_mistake() -> None:
    found = photo_figures(PROBS_NC, LABELS_N, LABELS, None, unseen=4)
    assert (found.photos, found.unseen, set(found.named)) == (8, 4, {"field"})
    assert found.named["field"].accuracy.value == pytest.approx(2 / 4)
    of_all = found.of_all_photos["field"]
    assert (of_all.value, of_all.n) == (pytest.approx(2 / 8), 8) and of_all.low < 0.25 < of_all.high


def test_each_naming_has_its_figures() -> None:
    naming = Naming({"neutral": 0.6, "happy": 0.3, "sad": 0.1}, 0.4)
    found = photo_figures(PROBS_NC, LABELS_N, LABELS, naming, unseen=0)
    # by frequencies to the power 0.4 the first two faces are 0.3 / 0.398 sad against 0.6 / 0.815 neutral
    assert [found.named[priors].recall["sad"].value for priors in ("field", "balanced", "uniform")] == [0, 1, 1]
    assert found.named["uniform"].recall["neutral"].value == 0
    assert found.of_all_photos["balanced"].value == found.named["balanced"].accuracy.value == 0.75


def test_labels_that_the_model_lacks_are_mistakes() -> None:
    naming = Naming({"neutral": 0.7, "happy": 0.3}, 0.0)
    probs_NC = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    found = photo_figures(probs_NC, np.array([0, 2]), LABELS, naming, unseen=0)
    assert found.named["uniform"].recall["sad"].value == 0 and found.named["uniform"].accuracy.value == 0.5


def test_no_face_at_all_is_one_line() -> None:
    with pytest.raises(DataError, match="expected probabilities of 0 faces"):
        photo_figures(np.zeros((0, 2)), np.zeros(0, dtype=np.int64), LABELS, None, unseen=3)
