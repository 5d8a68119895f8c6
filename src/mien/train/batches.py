"""The training set as one tensor on the training device, served as shuffled slices; no workers, no copies per item.

Batch order depends on the seed and the epoch alone, so a resumed run sees the batches that an unbroken one would.

Shape legend: B faces of a batch, N of a set, H = W side in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import lightning as L
import torch
from torch import Tensor

from mien.contract.errors import RunError
from mien.data.faceset import FaceSet

Batch = tuple[Tensor, Tensor]


class FaceBatches:
    """Iterable of (faces_BHW uint8, labels_B int64), in order or shuffled by ``seed``.

    When shuffled, the last incomplete batch is dropped: BatchNorm and the schedule want equal batches. When
    ``balanced`` too, faces are drawn with replacement so that every class comes equally often. Of several processes
    each (``rank`` of ``world``) takes its share of every batch, so the batch as a whole does not depend on how many
    there are.
    """

    def __init__(
        self,
        faces_NHW: Tensor,
        labels_N: Tensor,
        batch_size: int,
        seed: int | None = None,
        balanced: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.faces_NHW, self.labels_N, self.seed, self.balanced = faces_NHW, labels_N, seed, balanced
        self.rank, self.world = rank, world
        self.batch_size = min(batch_size, len(labels_N)) // world * world
        if self.batch_size == 0:
            raise RunError(f"a batch of {min(batch_size, len(labels_N))} faces cannot be shared by {world} processes")

    def __len__(self) -> int:
        full, rest = divmod(len(self.labels_N), self.batch_size)
        return full if self.seed is not None else full + bool(rest)

    def __iter__(self) -> Iterator[Batch]:
        order_N = self._order().to(self.faces_NHW.device)
        for batch in order_N.split(self.batch_size)[: len(self)]:
            index_B = batch[self.rank :: self.world]
            yield self.faces_NHW[index_B], self.labels_N[index_B]

    def _order(self) -> Tensor:
        count = len(self.labels_N)
        if self.seed is None:
            return torch.arange(count)
        generator = torch.Generator().manual_seed(self.seed)  # on the CPU, so that every device sees the same order
        if not self.balanced:
            return torch.randperm(count, generator=generator)
        labels_N = self.labels_N.cpu()
        weights_N = 1 / torch.bincount(labels_N)[labels_N].double()
        return torch.multinomial(weights_N, count, replacement=True, generator=generator)


class FaceData(L.LightningDataModule):
    """A train and a validation FaceSet on the Trainer's device; training batches reshuffle every epoch."""

    def __init__(self, train: FaceSet, validation: FaceSet, batch_size: int, seed: int, balanced: bool) -> None:
        super().__init__()
        self.train, self.validation, self.batch_size, self.seed = train, validation, batch_size, seed
        self.balanced = balanced
        self._on_device: dict[str, tuple[Tensor, Tensor]] = {}

    def _tensors(self, name: str, faces: FaceSet) -> tuple[Tensor, Tensor]:
        if name not in self._on_device:
            device = self.trainer.strategy.root_device
            arrays = torch.from_numpy(faces.faces_NHW), torch.from_numpy(faces.labels_N)
            self._on_device[name] = arrays[0].to(device), arrays[1].to(device)
        return self._on_device[name]

    def train_dataloader(self) -> FaceBatches:
        """Called by the Trainer at the start of every epoch (``reload_dataloaders_every_n_epochs=1``)."""
        seed = self.seed * 1_000_003 + self.trainer.current_epoch
        tensors = self._tensors("train", self.train)
        rank, world = self.trainer.global_rank, self.trainer.world_size
        return FaceBatches(*tensors, self.batch_size, seed, self.balanced, rank, world)

    def val_dataloader(self) -> FaceBatches:
        """The validation set in order, in batches of 256; every process validates all of it."""
        return FaceBatches(*self._tensors("validation", self.validation), 256)
