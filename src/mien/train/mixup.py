"""Mixup and CutMix by timm, with targets of any kind.

    mixed_BHW, shares_BB = mixup(faces_BHW, MixConfig(mixup=0.2))
    targets = shares_BB @ targets_BC

timm blends one-hot targets of class indices. Here every face is passed as a class of its own. The targets that come
back then say how much of each face went into each picture, and one matrix product blends any targets by them, votes
too.

Shape legend: B faces of a batch (even), H = W side in pixels.
"""

from __future__ import annotations

import torch
from timm.data.mixup import Mixup
from torch import Tensor

from mien.train.config import MixConfig


def mixup(faces_BHW: Tensor, config: MixConfig) -> tuple[Tensor, Tensor]:
    """Blend pairs of faces; returns them and shares_BB, whose rows sum to 1. Draws from numpy's global generator."""
    count = len(faces_BHW)
    # timm smooths labels over its own classes, which are the faces of the batch here; our loss smooths instead
    mixup = Mixup(config.mixup, config.cutmix, prob=config.probability, label_smoothing=0, num_classes=count)
    # timm writes into its input, so it gets a copy
    mixed_B1HW, shares_BB = mixup(faces_BHW.unsqueeze(1).clone(), torch.arange(count, device=faces_BHW.device))
    return mixed_B1HW[:, 0], shares_BB.to(faces_BHW.dtype)
