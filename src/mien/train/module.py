"""What one step does: augment, forward, loss, log; and what one validation does: flip-averaged accuracy.

The loop itself, devices, precision, checkpoints and resume are Lightning's.

Shape legend: B faces of a batch, C classes, H = W side in pixels.
"""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics.classification import MulticlassAccuracy

from mien.contract.errors import RunError
from mien.train.augment import augment
from mien.train.batches import Batch
from mien.train.network import FaceClassifier
from mien.train.recipe import Recipe, ScheduleConfig


class FaceTraining(L.LightningModule):
    """Trains ``classifier`` by ``recipe``; logs train/loss, train/accuracy, validation/loss, validation/accuracy."""

    def __init__(self, recipe: Recipe, classifier: FaceClassifier, classes: int) -> None:
        super().__init__()
        self.recipe, self.classifier = recipe, classifier
        self.loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.train_accuracy = MulticlassAccuracy(classes, average="micro")
        self.validation_accuracy = MulticlassAccuracy(classes, average="micro")

    def on_train_epoch_start(self) -> None:
        """Seed dropout and augmentation by epoch, so that a resumed run draws what an unbroken one would."""
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.current_epoch + 1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        faces_BHW, labels_B = batch
        with torch.autocast(self.device.type, enabled=False):  # grid coordinates in bf16 are off by a fifth of a pixel
            augmented_BHW = augment(faces_BHW, self.recipe.augment)
        logits_BC = self.classifier(augmented_BHW).float()
        loss = self.loss(logits_BC, labels_B)
        if not torch.isfinite(loss):
            raise RunError(
                f"the loss became {loss.item()} in epoch {self.current_epoch + 1}, step {self.global_step}; "
                "lower optimizer.lr or set optimizer.clip_norm, then resume from the last checkpoint"
            )
        self.train_accuracy(logits_BC, labels_B)
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=len(labels_B))
        self.log("train/accuracy", self.train_accuracy, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        faces_BHW, labels_B = batch
        logits_BC = (self.classifier(faces_BHW) + self.classifier(faces_BHW.flip(-1))).float() / 2
        self.validation_accuracy(logits_BC, labels_B)
        loss = nn.functional.cross_entropy(logits_BC, labels_B)
        self.log("validation/loss", loss, prog_bar=True, batch_size=len(labels_B))
        self.log("validation/accuracy", self.validation_accuracy, prog_bar=True, batch_size=len(labels_B))

    def configure_optimizers(self) -> Any:
        config, schedule = self.recipe.optimizer, self.recipe.schedule
        decayed = [weight for weight in self.parameters() if weight.ndim > 1]
        plain = [weight for weight in self.parameters() if weight.ndim <= 1]  # biases and norms
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        optimizer: torch.optim.Optimizer
        if config.name == "sgd":
            optimizer = torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)
        else:
            optimizer = torch.optim.AdamW(groups, lr=config.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = LambdaLR(optimizer, lambda step: rate_at(step / steps, schedule))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def rate_at(progress: float, schedule: ScheduleConfig) -> float:
    """Learning rate as a share of its peak, at ``progress`` 0..1 of the run.

    "one-cycle" rises from 1/25 along a half cosine and falls along another to nothing (Smith & Topin 2017,
    arXiv:1708.07120, with fast.ai's cosines and the momentum left alone); "cosine" rises in a straight line from
    nothing; "none" stays at the peak.
    """
    if schedule.name == "none":
        return 1.0
    if progress < schedule.warmup:
        risen = progress / schedule.warmup
        return risen if schedule.name == "cosine" else 0.04 + 0.96 * (1 - math.cos(math.pi * risen)) / 2
    return (1 + math.cos(math.pi * (progress - schedule.warmup) / (1 - schedule.warmup))) / 2
