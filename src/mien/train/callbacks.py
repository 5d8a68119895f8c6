"""Callbacks of the training: the history, TensorBoard, checkpoints, the moving average of the weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, WeightAveraging
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from mien.contract.atomic_files import write_whole
from mien.report.confusion_figure import confusion_figure
from mien.train.config import AverageConfig
from mien.train.devices import OnEpoch

HISTORY_COLUMNS = {
    "train_loss": "train/loss_epoch",
    "train_accuracy": "train/accuracy_epoch",
    "validation_loss": "validation/loss",
    "validation_accuracy": "validation/accuracy",
    "validation_macro_f1": "validation/macro_f1",
    "validation_votes_accuracy": "validation/votes_accuracy",
}


class History(Callback):
    """One row an epoch, kept in the checkpoint and written to ``metrics.csv``; printed too where no bar is shown."""

    def __init__(self, folder: Path, lines: bool, phase: str = "", on_epoch: OnEpoch | None = None) -> None:
        self.folder, self.lines, self.phase, self.on_epoch = folder, lines, phase, on_epoch
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.started_s = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        metrics = trainer.callback_metrics
        row = {"epoch": float(trainer.current_epoch + 1), "lr": trainer.optimizers[0].param_groups[0]["lr"]}
        row |= {name: float(metrics[key]) for name, key in HISTORY_COLUMNS.items() if key in metrics}
        # monotonic: a correction of the wall clock must not make an epoch take negative time
        row["seconds"] = time.monotonic() - self.started_s
        self.rows.append(row)
        if not trainer.is_global_zero:
            return
        # the whole file is written anew: a row appended by a killed process could be torn
        table = [",".join(row), *(",".join(f"{value:.6g}" for value in each.values()) for each in self.rows)]
        write_whole(self.folder / "metrics.csv", ("\n".join(table) + "\n").encode())
        if self.on_epoch is not None:
            self.on_epoch(row)
        if self.lines:
            left_s = row["seconds"] * ((trainer.max_epochs or 0) - row["epoch"])
            print(  # noqa: T201  for logs, where a progress bar cannot be
                f"{self.phase}epoch {row['epoch']:.0f}/{trainer.max_epochs}"
                f"  train loss {row['train_loss']:.4f} accuracy {row['train_accuracy']:.4f}"
                f"  validation loss {row['validation_loss']:.4f} accuracy {row['validation_accuracy']:.4f}"
                + (f" votes {row['validation_votes_accuracy']:.4f}" if "validation_votes_accuracy" in row else "")
                + f"  {row['seconds']:.0f} s, {left_s / 60:.0f} min left",
                flush=True,
            )


class Dashboard(Callback):
    """TensorBoard scalars that no step logs (learning rate, faces/s, memory) and the confusion matrix of each epoch."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.started_s = time.monotonic()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *step: Any) -> None:
        # every step would make event files of a long run large, and the rate changes slowly
        if trainer.is_global_zero and trainer.global_step % 20 == 0:
            board = trainer.loggers[0].experiment  # type: ignore[attr-defined]
            board.add_scalar("train/lr", trainer.optimizers[0].param_groups[0]["lr"], trainer.global_step)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        confusion = pl_module.confusion
        assert isinstance(confusion, MulticlassConfusionMatrix)
        counts_CC = confusion.compute().cpu().numpy()
        # after compute, which all processes must call: a process that returned before it would block the others
        confusion.reset()
        if not trainer.is_global_zero:
            return
        board, epoch = trainer.loggers[0].experiment, trainer.current_epoch + 1  # type: ignore[attr-defined]
        # training faces alone, although the time includes the validation: the pace of whole epochs
        faces = trainer.num_training_batches * trainer.train_dataloader.batch_size  # type: ignore[union-attr]
        board.add_scalar("train/faces_per_s", faces / (time.monotonic() - self.started_s), epoch)
        board.add_scalar("train/memory_mb", _peak_memory_mb(pl_module.device), epoch)
        board.add_figure("validation/confusion", confusion_figure(self.labels, counts_CC), epoch)


def _peak_memory_mb(device: torch.device) -> float:
    """Of the GPU's memory as PyTorch allocated it, or of this process where there is none."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    # imported here, because Windows has no such module
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


class FolderCheckpoint(ModelCheckpoint):
    """Lightning's checkpoint callback in a run folder that may have been moved or copied since the run began.

    Lightning stores absolute paths. In another folder it drops the best score with a warning, takes the first new epoch
    for the best, and looks for the best weights where the folder was.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        assert self.dirpath is not None
        folder = Path(self.dirpath)

        def here(path: str) -> str:
            return str(folder / Path(path).name) if path else path

        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        moved = {key: here(state_dict[key]) for key in paths if key in state_dict}
        # also the scores are keyed by path; without this the best epoch would look like another file
        scores = {here(path): score for path, score in state_dict.get("best_k_models", {}).items()}
        super().load_state_dict(state_dict | moved | {"best_k_models": scores, "dirpath": self.dirpath})


class MovingAverage(WeightAveraging):
    """Average of weights and BatchNorm statistics, validated and kept instead of the last weights.

    Exponential: after n updates the decay is at most (1 + n) / (10 + n), so the random start is forgotten soon in short
    runs too (TensorFlow's ExponentialMovingAverage does the same with num_updates). Stochastic weight averaging: the
    current weights until the average begins, from then on the mean of all weights since.
    """

    def __init__(self, config: AverageConfig) -> None:
        self.config, self.since_start = config, 0

        def average(old: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
            if not old.is_floating_point():  # BatchNorm's count of batches, which has no mean
                return new
            if config.name == "swa":
                return torch.lerp(old, new, 1 / (1 + self.since_start))
            # the decay grows with the updates: with the full decay, a short run would average its random start
            count = int(updates)
            return torch.lerp(old, new, 1 - min(config.decay, (1 + count) / (10 + count)))

        super().__init__(avg_fn=average)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # the fraction becomes a step only here, because only now the length of the training is known
        self.first_step = int(trainer.estimated_stepping_batches * self.config.start)

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        if step_idx is None or step_idx % self.config.every_steps:
            return False
        if self.config.name == "swa":  # computed from the step, not counted, so that a resumed run averages the same
            self.since_start = max(0, (step_idx - self.first_step) // self.config.every_steps)
        return True
