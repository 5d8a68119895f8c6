"""The training set as one tensor on the training device, cut into shuffled batches; no workers, no copies of single
faces. Of a set that is too large for memory the batches come from its file (mapped_faces.py), in the same order.

The order depends on the seed and the epoch alone, so a resumed run sees the batches that an unbroken one would.

Shape legend: B faces of a batch, N of a set, H = W side in pixels, V = 10 columns of votes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mien.contract.emotions import FERPLUS_EMOTIONS
from mien.contract.errors import DataError, RunError
from mien.data.faceset import VOTE_COLUMNS, FaceSet
from mien.data.votes import majority, multi_target, probability, without_outliers
from mien.train.config import FieldConfig, Recipe
from mien.train.mapped_faces import MappedFaces, on_device


class Batch(NamedTuple):
    """faces_BHW uint8, labels_B int64 (``NO_LABEL`` for field faces); where the recipe uses them votes_BV float32."""

    faces: Tensor
    labels: Tensor
    votes: Tensor | None = None


NO_LABEL = -1
"""Of a face that has votes alone."""


class FaceTensors(NamedTuple):
    """A set on one device: faces_NHW uint8, labels_N int64, and votes_NV float32 where the recipe uses them.

    ``weights_N`` is how often each face is drawn; None draws each once an epoch.
    """

    faces_NHW: Tensor | MappedFaces
    labels_N: Tensor
    votes_NV: Tensor | None
    weights_N: Tensor | None = None


class FaceBatches:
    """Iterable of ``Batch``, in order or shuffled by ``seed``.

    When shuffled, the last incomplete batch is dropped, because BatchNorm and the schedule need batches of one size.
    When ``balanced`` too, faces are drawn with replacement so that every class comes equally often, and with
    ``weights_N`` by these weights. With several processes, each (``rank`` of ``world``) takes its share of every batch,
    so the whole batch is the same for any number of processes.
    """

    def __init__(
        self,
        faces_NHW: Tensor | MappedFaces,
        labels_N: Tensor,
        batch_size: int,
        seed: int | None = None,
        balanced: bool = False,
        rank: int = 0,
        world: int = 1,
        votes_NV: Tensor | None = None,
        weights_N: Tensor | None = None,
    ) -> None:
        self.faces_NHW, self.labels_N, self.seed, self.balanced = faces_NHW, labels_N, seed, balanced
        self.rank, self.world, self.votes_NV, self.weights_N = rank, world, votes_NV, weights_N
        # rounded down to a multiple of the processes: shares of unequal size would weigh the gradients unequally
        self.batch_size = min(batch_size, len(labels_N)) // world * world
        if self.batch_size == 0:
            raise RunError(f"a batch of {min(batch_size, len(labels_N))} faces cannot be shared by {world} processes")

    def __len__(self) -> int:
        full, rest = divmod(len(self.labels_N), self.batch_size)
        return full if self.seed is not None else full + bool(rest)

    def __iter__(self) -> Iterator[Batch]:
        # the whole order at once: one transfer to the device an epoch, not one a batch
        order_N = self._order().to(self.faces_NHW.device)
        for batch in torch.split(order_N, self.batch_size)[: len(self)]:
            # every process draws the same order and takes its own part of it, so that nothing is communicated
            index_B = batch[self.rank :: self.world]
            votes_BV = None if self.votes_NV is None else self.votes_NV[index_B]
            yield Batch(self.faces_NHW[index_B], self.labels_N[index_B], votes_BV)

    def _order(self) -> Tensor:
        count = len(self.labels_N)
        if self.seed is None:
            return torch.arange(count)
        generator = torch.Generator().manual_seed(self.seed)  # on the CPU: GPUs draw other numbers from the same seed
        if self.weights_N is not None:
            return torch.multinomial(self.weights_N.cpu().double(), count, replacement=True, generator=generator)
        if not self.balanced:
            return torch.randperm(count, generator=generator)
        # drawing with replacement repeats rare faces; augmentation makes them differ
        labels_N = self.labels_N.cpu()
        weights_N = 1 / torch.bincount(labels_N)[labels_N].double()
        return torch.multinomial(weights_N, count, replacement=True, generator=generator)


class FaceData(L.LightningDataModule):
    """A train and a validation FaceSet on the Trainer's device; training batches reshuffle every epoch."""

    def __init__(
        self,
        train: FaceSet,
        validation: FaceSet,
        batch_size: int,
        recipe: Recipe,
        field: FaceSet | None = None,
    ) -> None:
        super().__init__()
        self.field, self.field_config = field, recipe.field
        self.train, self.validation, self.batch_size, self.seed = train, validation, batch_size, recipe.seed
        self.balanced = recipe.data.sampling == "balanced"
        self.votes = recipe.votes.target if recipe.votes is not None else None
        self.view = recipe.view
        self._on_device: dict[str, FaceTensors] = {}

    @property
    def _trainer(self) -> L.Trainer:
        assert self.trainer is not None  # the Trainer sets it before it asks for batches
        return self.trainer

    def _tensors(self, name: str, faces: FaceSet, votes: str | None) -> FaceTensors:
        # the set is moved once, although the Trainer asks for new batches every epoch
        if name not in self._on_device:
            device = self._trainer.strategy.root_device
            self._on_device[name] = FaceTensors(
                on_device(faces.faces_NHW, device),
                torch.from_numpy(faces.labels_N).to(device),
                None if votes is None else torch.from_numpy(vote_targets(faces, votes)).to(device),
            )
        return self._on_device[name]

    def train_dataloader(self) -> FaceBatches:
        """Called by the Trainer at the start of every epoch (``reload_dataloaders_every_n_epochs=1``)."""
        tensors = self._tensors("train", self.train, self.votes)
        if self.field is not None and self.field_config is not None:
            if "joined" not in self._on_device:
                self._on_device["joined"] = join_field(tensors, self.field, self.field_config)
            tensors = self._on_device["joined"]
        return FaceBatches(
            tensors.faces_NHW,
            tensors.labels_N,
            batch_size=self.batch_size,
            # a large factor keeps the seeds of different runs apart for any number of epochs
            seed=self.seed * 1_000_003 + self.view(self._trainer.current_epoch),
            balanced=self.balanced,
            rank=self._trainer.global_rank,
            world=self._trainer.world_size,
            votes_NV=tensors.votes_NV,
            weights_N=tensors.weights_N,
        )

    def val_dataloader(self) -> FaceBatches:
        """The validation set in order, in batches of 256. Every process validates all of it, so that none has to wait
        for the figures of the others and a metric is the same for any number of processes."""
        # judged by the majority, whatever the training's target is
        votes = None if self.votes is None else "majority"
        tensors = self._tensors("validation", self.validation, votes)
        # 256 whatever the recipe says: without a backward pass more faces fit, and the figures do not depend on it
        return FaceBatches(tensors.faces_NHW, tensors.labels_N, batch_size=256, votes_NV=tensors.votes_NV)


def join_field(tensors: FaceTensors, field: FaceSet, config: FieldConfig) -> FaceTensors:
    """The training faces and, behind them, the field's, whose one label becomes their votes.

    Args:
        tensors: with votes.
        field: its training split, with labels among FER+'s eight emotions.
        config: smoothing, weights and what is left out.

    Raises:
        DataError: no field face is left, or one has a label that FER+ lacks or another size.
    """
    unknown = [name for name in field.labels if name not in FERPLUS_EMOTIONS]
    # a recipe leaves out emotions whose labels are not to be trusted
    kept_N = ~np.isin(np.array(field.labels)[field.labels_N], config.exclude)
    if unknown or not kept_N.any() or field.side != tensors.faces_NHW.shape[-1]:
        raise DataError(
            f"field photos: expected faces of {tensors.faces_NHW.shape[-1]} px with emotions of FER+, got "
            f"{int(kept_N.sum())} of {field.side} px with {', '.join(unknown or field.labels)}"
        )
    assert tensors.votes_NV is not None  # the recipe asks for votes where it asks for field photos
    device = tensors.faces_NHW.device
    place_L = torch.tensor([FERPLUS_EMOTIONS.index(name) for name in field.labels])
    column_M = place_L[torch.from_numpy(field.labels_N[kept_N])]
    votes_MV = torch.zeros(len(column_M), VOTE_COLUMNS)
    # "unknown" and "not a face" get no share: each of these crops is known to show a face with that emotion
    votes_MV[:, : len(FERPLUS_EMOTIONS)] = config.smoothing / len(FERPLUS_EMOTIONS)
    votes_MV[torch.arange(len(column_M)), column_M] += 1 - config.smoothing
    # neutral and happy are the most frequent in field photos; the other emotions are drawn more often to make up for
    # it
    common = torch.tensor([FERPLUS_EMOTIONS.index(name) for name in ("neutral", "happy")])
    weights_M = torch.where(torch.isin(column_M, common), 1.0, config.rare_weight)
    field_MHW = torch.from_numpy(field.faces_NHW[kept_N]).to(device)
    known_NHW = tensors.faces_NHW
    return FaceTensors(
        known_NHW.followed_by(field_MHW) if isinstance(known_NHW, MappedFaces) else torch.cat([known_NHW, field_MHW]),
        torch.cat([tensors.labels_N, torch.full_like(column_M, NO_LABEL).to(device)]),
        torch.cat([tensors.votes_NV, votes_MV.to(device)]),
        torch.cat([torch.ones(len(tensors.labels_N)), weights_M]),
    )


def vote_targets(faces: FaceSet, target: str) -> NDArray[np.float32]:
    """Targets float32 (N, 10) of FER+'s votes, single votes taken out as the paper does; zeros for a face without.

    Raises:
        DataError: the set has no votes.
    """
    if faces.votes_NC is None:
        raise DataError("the recipe asks for FER+ votes and the data set has none; give their file with --votes")
    votes_NV = without_outliers(faces.votes_NC)
    if target == "probability":
        return probability(votes_NV).astype(np.float32)
    if target == "multi-target":
        return multi_target(votes_NV).astype(np.float32)
    column_N = majority(votes_NV)
    one_hot_NV: NDArray[np.float32] = (column_N[:, None] == np.arange(votes_NV.shape[1])).astype(np.float32)
    return one_hot_NV
