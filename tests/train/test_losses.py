"""Losses against PyTorch's own and against cases worked by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from mien.train.config import LossConfig
from mien.train.losses import FaceLoss

COUNTS = torch.tensor([3, 1, 2])
LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3], [-0.5, 1.5, 0.0], [1.0, 1.0, 1.0]])
TARGETS = torch.tensor([0, 2, 1, 0])


def test_balanced_weights_are_scikit_learn_s() -> None:
    labels = np.repeat([0, 1, 2], COUNTS.numpy())
    loss = FaceLoss(LossConfig(class_weights="balanced"), 0.0, COUNTS)
    assert loss.weight_C is not None
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert loss.weight_C.numpy() == pytest.approx(expected)


@pytest.mark.parametrize("weights", ["none", "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_loss_without_focus_is_cross_entropy(weights: str, smoothing: float) -> None:
    plain = FaceLoss(LossConfig(class_weights=weights), smoothing, COUNTS)
    unfocused = FaceLoss(LossConfig(name="focal", gamma=0.0, class_weights=weights), smoothing, COUNTS)
    nearly = FaceLoss(LossConfig(name="focal", gamma=1e-6, class_weights=weights), smoothing, COUNTS)
    one_hot = torch.nn.functional.one_hot(TARGETS, 3).float()
    torch.testing.assert_close(unfocused(LOGITS, TARGETS), plain(LOGITS, TARGETS))
    if weights == "none":  # PyTorch divides weighted losses of soft targets differently
        torch.testing.assert_close(plain(LOGITS, one_hot), plain(LOGITS, TARGETS))
    if smoothing == 0:
        torch.testing.assert_close(nearly(LOGITS, TARGETS), plain(LOGITS, TARGETS), atol=1e-5, rtol=1e-5)


def test_focal_loss_of_a_hand_worked_case() -> None:
    loss = FaceLoss(LossConfig(name="focal", gamma=2.0), 0.0, COUNTS)
    logits = torch.tensor([[math.log(0.8), math.log(0.1), math.log(0.1)]])
    assert float(loss(logits, torch.tensor([0]))) == pytest.approx(0.2**2 * -math.log(0.8), rel=1e-5)
