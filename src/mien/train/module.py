"""What one step does: augment, forward, loss, log; and what one validation does: flip-averaged accuracy.

The loop itself, devices, precision, checkpoints and resume are Lightning's.

Shape legend: B faces of a batch, C classes, V = 10 columns of votes, O = C or C + V outputs, H = W side in pixels.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
from timm.optim import create_optimizer_v2
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassF1Score

from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.contract.errors import RecipeError, RunError
from mien.data.faceset import VOTE_COLUMNS
from mien.train.augment import augment
from mien.train.batches import NO_LABEL, Batch
from mien.train.config import PhaseConfig, Recipe, ScheduleConfig
from mien.train.freeze import set_trainable
from mien.train.losses import FaceLoss, distillation_loss, votes_loss
from mien.train.mixup import mixup
from mien.train.network import FaceClassifier, head_of
from mien.train.outlier_exposure import replace_with_outliers
from mien.train.robust_augment import robust_augment
from mien.train.teacher import Teacher


class FaceTraining(L.LightningModule):
    """Trains ``classifier`` through one phase of ``recipe``; logs train/… and validation/… loss, accuracy, macro F1.

    Args:
        recipe: augmentation, loss, mixing, seed.
        phase: which weights train, by which optimiser and schedule.
        classifier: changed in place.
        counts_C: training faces of each class.
        teacher: learnt from beside the labels; no part of the checkpoints.
    """

    def __init__(
        self,
        recipe: Recipe,
        phase: PhaseConfig,
        classifier: FaceClassifier,
        counts_C: Tensor,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__()
        assert phase.optimizer is not None and phase.schedule is not None
        self.recipe, self.optimizer_config, self.schedule = recipe, phase.optimizer, phase.schedule
        self.classifier = classifier
        network = classifier.network
        self.frozen_norms = set_trainable(network, phase.train, head_of(network))
        self.loss = FaceLoss(recipe.loss, recipe.label_smoothing, counts_C)
        self.classes = classes = len(counts_C)
        self.votes = recipe.votes
        # PyTorch registers a module that is an attribute, and its weights would be trained and saved; a tuple hides it
        self.teacher = (teacher,)
        # the teacher's answers by (view, batch). They are not saved: a resumed run asks the teacher again
        self.teacher_probs: dict[tuple[int, int], Tensor] = {}
        self.votes_accuracy = MulticlassAccuracy(VOTE_COLUMNS, average="micro")
        self.train_accuracy = MulticlassAccuracy(classes, average="micro")
        self.validation_accuracy = MulticlassAccuracy(classes, average="micro")
        self.validation_f1 = MulticlassF1Score(classes, average="macro")
        self.confusion = MulticlassConfusionMatrix(classes)  # of the validation split; the dashboard shows it

    def on_train_epoch_start(self) -> None:
        """Seed dropout, augmentation and mixing by epoch, so that a resumed run draws what an unbroken one would."""
        self._seed(self.current_epoch)
        if self.teacher[0] is not None:
            self.teacher[0].to(self.device)
        self.classifier.train()  # Lightning keeps the modes it finds, even those that an earlier phase left behind
        for norm in self.frozen_norms:  # train() has just undone this
            norm.eval()

    def _seed(self, epoch: int, step: int = 0) -> None:
        """Seed both generators that a step draws from. Large primes keep epochs, processes and steps apart."""
        seed = self.recipe.seed * 1_000_003 + epoch + 1 + 7919 * self.global_rank + 104_729 * step
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # timm's mixup and CutMix draw from numpy's global generator

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        labels_B, view, repeats = batch.labels, self.recipe.view(self.current_epoch), self.recipe.views is not None
        if repeats:  # the augmentation depends on the view alone, so that the teacher's stored answers stay right
            self._seed(view, batch_idx)
        with torch.autocast(self.device.type, enabled=False):  # grid coordinates in bf16 are off by a fifth of a pixel
            faces_BHW, targets, votes_BV = self._inputs(batch)
        if repeats:
            self._seed(self.current_epoch, batch_idx)  # the augmentation repeats; the dropout mask does not
        outputs_BO = self.classifier(faces_BHW).float()
        logits_BC = outputs_BO[:, : self.classes]
        loss: Tensor = self._taught("labels", self.loss(logits_BC, targets), logits_BC, faces_BHW, batch_idx)
        if self.votes is not None and votes_BV is not None:
            logits_BV = outputs_BO[:, self.classes :]
            of_votes = votes_loss(logits_BV, votes_BV, self.votes.target == "multi-target")
            of_votes = self._taught("votes", of_votes, logits_BV, faces_BHW, batch_idx)
            loss = self.votes.labels_weight * loss + self.votes.weight * of_votes
        if not torch.isfinite(loss):
            raise RunError(
                f"the loss became {loss.item()} in epoch {self.current_epoch + 1}, step {self.global_step}; "
                "start a new run with a lower optimizer.lr, or with optimizer.clip_norm set"
            )
        known_B = labels_B != NO_LABEL  # field faces have votes alone
        if known_B.any():
            self.train_accuracy(logits_BC[known_B], labels_B[known_B])
        self.log(
            "train/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=len(labels_B), sync_dist=True
        )
        self.log("train/accuracy", self.train_accuracy, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def _taught(
        self, head: Literal["labels", "votes"], loss: Tensor, logits_BO: Tensor, faces_BHW: Tensor, batch_idx: int
    ) -> Tensor:
        """The loss of a head and of the distance to the teacher, by the teacher's weight, if the teacher teaches it."""
        config, teacher = self.recipe.teacher, self.teacher[0]
        if config is None or teacher is None or config.head != head:
            return loss
        # the order of the faces depends on the view too, so a batch of this number holds the same faces again
        key = self.recipe.view(self.current_epoch), batch_idx
        probs_BO = self.teacher_probs.get(key)
        if probs_BO is None:
            probs_BO = teacher(faces_BHW)
            if self.recipe.views is not None:
                self.teacher_probs[key] = probs_BO
        distance = distillation_loss(logits_BO, probs_BO, config.temperature)
        return (1 - config.weight) * loss + config.weight * distance

    def _inputs(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        """Augment the faces, replace some by outliers, and mix them.

        Returns:
            The faces, their targets (indices; shares of classes where outliers or mixing ask for that), and votes.
        """
        recipe = self.recipe
        x_BHW, targets, votes_BV = self._changed(batch.faces), batch.labels, batch.votes
        mixed = bool(recipe.mix.mixup or recipe.mix.cutmix) and len(x_BHW) % 2 == 0  # timm wants an even batch
        if recipe.outlier_exposure or mixed or recipe.field is not None:
            targets = nn.functional.one_hot(batch.labels.clamp(min=0), self.classes).float()
            targets = targets * (batch.labels != NO_LABEL)[:, None]  # a row of zeros teaches nothing
        if recipe.outlier_exposure:
            x_BHW, none_B = replace_with_outliers(x_BHW, recipe.outlier_exposure)
            none_B1 = none_B[:, None]
            # the labels have no class for them, so all classes alike; the votes have "not a face", the last column
            targets = torch.where(none_B1, 1 / self.classes, targets)
            if votes_BV is not None:
                not_a_face_V = nn.functional.one_hot(none_B.new_tensor(VOTE_COLUMNS - 1, dtype=torch.long)).float()
                votes_BV = torch.where(none_B1, not_a_face_V, votes_BV)
        if mixed:
            x_BHW, shares_BB = mixup(x_BHW, recipe.mix)
            targets = shares_BB @ targets
            votes_BV = None if votes_BV is None else shares_BB @ votes_BV
        return x_BHW, targets, votes_BV

    def _changed(self, faces_BHW: Tensor) -> Tensor:
        """Augmented faces; a share of them strongly, where the recipe says so."""
        robust = self.recipe.robust
        if robust is None:
            return augment(faces_BHW, self.recipe.augment)
        # the first faces of the batch, not drawn ones: the batch is shuffled already
        mild = int((1 - robust.share) * len(faces_BHW))
        strong_BHW = robust_augment(faces_BHW[mild:], robust)
        return torch.cat([augment(faces_BHW[:mild], self.recipe.augment), strong_BHW]) if mild else strong_BHW

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        faces_BHW, labels_B = batch.faces, batch.labels
        outputs_BO = self.classifier(faces_BHW).float()
        if self.recipe.network.mirror:
            outputs_BO = (outputs_BO + self.classifier(faces_BHW.flip(-1)).float()) / 2
        logits_BC = outputs_BO[:, : self.classes]
        if batch.votes is not None:
            emotion_B = batch.votes[:, : len(FERPLUS_EMOTIONS)].any(dim=1)  # kept: an emotion has the majority
            if emotion_B.any():
                self.votes_accuracy(outputs_BO[emotion_B, self.classes :], batch.votes[emotion_B].argmax(dim=1))
            self.log("validation/votes_accuracy", self.votes_accuracy, prog_bar=True, batch_size=len(labels_B))
        self.validation_accuracy(logits_BC, labels_B)
        self.validation_f1(logits_BC, labels_B)
        self.confusion.update(logits_BC, labels_B)
        # without smoothing or class weights, so that runs of different recipes can be compared
        loss = nn.functional.cross_entropy(logits_BC, labels_B)
        self.log("validation/loss", loss, prog_bar=True, batch_size=len(labels_B), sync_dist=True)
        self.log("validation/accuracy", self.validation_accuracy, prog_bar=True, batch_size=len(labels_B))
        self.log("validation/macro_f1", self.validation_f1, batch_size=len(labels_B))

    def configure_optimizers(self) -> Any:
        config, schedule = self.optimizer_config, self.schedule
        if config.layer_decay is not None and not hasattr(self.classifier.network, "group_matcher"):
            raise RecipeError(f"optimizer.layer_decay: {self.recipe.network.name} does not say what its layers are")
        try:
            optimizer = create_optimizer_v2(
                self.classifier.network,
                opt=config.name,
                lr=config.lr,
                weight_decay=config.weight_decay,
                momentum=config.momentum,
                layer_decay=config.layer_decay,
            )
        except (ValueError, AssertionError, KeyError) as error:
            raise RecipeError(f"optimizer.name: {config.name!r} is not an optimiser of timm ({error})") from None
        if schedule.name == "none":
            return optimizer
        if schedule.name == "plateau":
            plateau = ReduceLROnPlateau(optimizer, factor=schedule.factor, patience=schedule.patience_epochs)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "validation/loss"}}
        # counts accumulated batches as one step and knows the number of processes
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
