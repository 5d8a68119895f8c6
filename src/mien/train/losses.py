"""Losses over class indices or over soft targets, weighted by class, smoothed, focused.

    loss = FaceLoss(config, label_smoothing=0.1, counts_C=torch.tensor([3995, 436, …]))
    loss(logits_NC, targets)            # targets_N of class indices, or targets_NC of probabilities

Shape legend: N faces, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.train.config import LossConfig


def votes_loss(logits_NV: Tensor, targets_NV: Tensor, multi_target: bool) -> Tensor:
    """Mean loss over all N faces against FER+'s votes. A face without votes has a row of zeros and adds nothing.

    Cross-entropy with the targets. For ``multi_target``: minus the log probability of the likeliest accepted class, so
    the network may choose any accepted class (Barsoum et al. 2016, section 3.2).
    """
    # log_softmax, not the logarithm of softmax: that underflows to minus infinity for unlikely classes
    log_probs_NV = torch.log_softmax(logits_NV, dim=1)
    if not multi_target:
        return -(targets_NV * log_probs_NV).sum(dim=1).mean()
    # a class that nobody accepts gets minus infinity, so the maximum cannot choose it
    accepted_NV = log_probs_NV + torch.where(targets_NV > 0, targets_NV.clamp(min=1e-12).log(), -torch.inf)
    has_votes_N = (targets_NV > 0).any(dim=1)
    # faces without votes count in the mean, so the loss does not depend on how many of a batch have votes
    return -torch.where(has_votes_N, accepted_NV.max(dim=1).values, 0.0).mean()


def distillation_loss(logits_NC: Tensor, teacher_NC: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence to a teacher's probabilities at ``temperature``, times its square.

    Hinton et al. 2015 (arXiv:1503.02531), section 2: the square keeps the gradients as large as those of labels.
    """
    log_probs_NC = torch.log_softmax(logits_NC / temperature, dim=1)
    # batchmean: "mean" would divide by the number of classes too, and the loss would shrink with them
    return nn.functional.kl_div(log_probs_NC, teacher_NC, reduction="batchmean") * temperature**2


class FaceLoss(nn.Module):
    """Mean loss of a batch, as ``torch.nn.CrossEntropyLoss`` where focal loss is off.

    Args:
        config: which loss.
        label_smoothing: share of the target spread evenly over all classes.
        counts_C: training faces of each class, for balanced class weights.
    """

    def __init__(self, config: LossConfig, label_smoothing: float, counts_C: Tensor) -> None:
        super().__init__()
        self.gamma = config.gamma if config.name == "focal" else 0.0
        self.label_smoothing = label_smoothing
        weight_C = None
        if config.class_weights == "balanced":
            # an absent class would divide by zero; its weight is never used
            weight_C = counts_C.sum() / (len(counts_C) * counts_C.clamp(min=1)).float()
        # a buffer moves to the device with the module; not persistent, since the recipe and the data give it
        self.register_buffer("weight_C", weight_C, persistent=False)
        self.weight_C: Tensor | None

    def forward(self, logits_NC: Tensor, targets: Tensor) -> Tensor:
        if self.gamma == 0:
            return nn.functional.cross_entropy(
                logits_NC, targets, weight=self.weight_C, label_smoothing=self.label_smoothing
            )
        classes = logits_NC.shape[1]
        # from here on both kinds of target are probabilities, as mixup makes them
        targets_NC = nn.functional.one_hot(targets, classes).float() if targets.ndim == 1 else targets
        targets_NC = targets_NC * (1 - self.label_smoothing) + self.label_smoothing / classes
        log_probs_NC = torch.log_softmax(logits_NC, dim=1)
        weight_C = torch.ones_like(log_probs_NC[0]) if self.weight_C is None else self.weight_C
        # rounding can make a probability exceed 1, and a negative base has no fractional power
        focus_NC = (1 - log_probs_NC.exp()).clamp(min=0) ** self.gamma
        loss_N = -(weight_C * targets_NC * focus_NC * log_probs_NC).sum(dim=1)
        # divided by the weights, as PyTorch does: otherwise class weights would change the learning rate
        return loss_N.sum() / (weight_C * targets_NC).sum()
