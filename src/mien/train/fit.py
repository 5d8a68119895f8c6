"""A recipe and a FaceSet -> a run folder with the best weights in it.

    run = fit(load_recipe("base"), load_faces("fer2013/"), runs=Path("runs"))
    run = resume(Path("runs/base/2026-01-31T10-00-00"), faces)

    runs/base/<time>/
      recipe.yaml        the resolved recipe
      run.json           labels, data fingerprint, versions, machine, and at the end the best epoch and the time taken
      metrics.csv        one row an epoch             events.out.*  the same and every step, for TensorBoard
      last.ckpt          resumes the run          best.ckpt   the best epoch by validation accuracy
      best.pth           the best (averaged) weights as a plain state_dict of the network

Selection is by validation accuracy, never by test. Not here: what a step does (module.py), exporting.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from mien.contract.errors import RunError
from mien.data.faceset import FaceSet
from mien.train.batches import FaceData
from mien.train.module import FaceTraining
from mien.train.network import FaceClassifier
from mien.train.recipe import AverageConfig, Recipe, load_recipe

HISTORY_COLUMNS = {
    "train_loss": "train/loss_epoch",
    "train_accuracy": "train/accuracy_epoch",
    "validation_loss": "validation/loss",
    "validation_accuracy": "validation/accuracy",
}

EXPECTED_WARNINGS = (
    ".*Checkpoint directory.*exists and is not empty",  # resuming writes where the run began
    ".*LeafSpec.*is deprecated",  # Lightning 2.6 on torch 2.15
    ".*number of training batches.*smaller than the logging interval",  # small data sets
)


@dataclass(frozen=True)
class Run:
    """A run folder, read back: its recipe and the facts in run.json."""

    folder: Path
    recipe: Recipe
    facts: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Open a run folder; RunError says what is missing."""
        try:
            recipe = load_recipe(folder / "recipe.yaml")
            return cls(folder, recipe, json.loads((folder / "run.json").read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise RunError(f"{folder}: not a run folder ({error})") from None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in index order."""
        return tuple(self.facts["labels"])

    def classifier(self) -> FaceClassifier:
        """The classifier with the run's best weights, on the CPU, in eval mode."""
        weights = self.folder / "best.pth"
        if not weights.is_file():
            raise RunError(f"{self.folder}: no best.pth; the run has not finished, go on with: mien train --resume")
        classifier = FaceClassifier.build(self.recipe, classes=len(self.labels))
        classifier.network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        return classifier.eval()


def write_whole(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, rename: the file appears whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


class History(Callback):
    """One row an epoch, kept in the checkpoint and written to ``metrics.csv``; printed too where no bar is shown."""

    def __init__(self, folder: Path, lines: bool) -> None:
        self.folder, self.lines = folder, lines
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
        row |= {name: float(metrics[key]) for name, key in HISTORY_COLUMNS.items()}
        row["seconds"] = time.monotonic() - self.started_s
        self.rows.append(row)
        table = [",".join(row), *(",".join(f"{value:.6g}" for value in each.values()) for each in self.rows)]
        write_whole(self.folder / "metrics.csv", ("\n".join(table) + "\n").encode())
        if self.lines:
            left_s = row["seconds"] * ((trainer.max_epochs or 0) - row["epoch"])
            print(  # noqa: T201  for logs, where a progress bar cannot be
                f"epoch {row['epoch']:.0f}/{trainer.max_epochs}"
                f"  train loss {row['train_loss']:.4f} accuracy {row['train_accuracy']:.4f}"
                f"  validation loss {row['validation_loss']:.4f} accuracy {row['validation_accuracy']:.4f}"
                f"  {row['seconds']:.0f} s, {left_s / 60:.0f} min left",
                flush=True,
            )


class MovingAverage(WeightAveraging):
    """Exponential moving average of weights and BatchNorm statistics, validated and kept instead of the last weights.

    The first updates weigh more, decay (1 + n) / (10 + n) after n of them, so that short runs are not held back by
    the random start (as TensorFlow's ExponentialMovingAverage does with num_updates).
    """

    def __init__(self, config: AverageConfig) -> None:
        def average(old: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
            if not old.is_floating_point():  # BatchNorm counts its batches
                return new
            count = int(updates)
            return torch.lerp(old, new, 1 - min(config.decay, (1 + count) / (10 + count)))

        super().__init__(avg_fn=average)
        self.every_steps = config.every_steps

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return step_idx is not None and step_idx % self.every_steps == 0


def fit(recipe: Recipe, faces: FaceSet, *, runs: Path, accelerator: str = "auto", progress: bool = False) -> Run:
    """Train from the start into a new folder ``runs/<recipe>/<time>``.

    Args:
        recipe: what to do.
        faces: has the splits "train" and "validation".
        runs: where run folders go.
        accelerator: Lightning's name of the device kind: auto, cpu, gpu, mps.
        progress: a live progress bar (for terminals) instead of one line an epoch.

    Raises:
        DataError: a split is missing.
        RunError: the loss became NaN, or the folder cannot be written.
    """
    faces.split("train"), faces.split("validation")  # say what is missing before anything is written
    folder = runs / recipe.name / datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    facts = {
        "labels": list(faces.labels),
        "data": {"fingerprint": faces.fingerprint, "counts": faces.counts()},
        "recipe_sha256": recipe.sha256,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "lightning": L.__version__},
        "machine": {"processor": _processor(), "threads": torch.get_num_threads()},
    }
    try:
        folder.mkdir(parents=True)
        write_whole(folder / "recipe.yaml", recipe.to_yaml().encode())
        write_whole(folder / "run.json", json.dumps(facts, indent=2).encode())
    except OSError as error:
        raise RunError(f"{folder}: cannot write the run folder ({error.strerror})") from None
    return _train(Run(folder, recipe, facts), faces, accelerator, progress, checkpoint=None)


def resume(folder: Path, faces: FaceSet, *, accelerator: str = "auto", progress: bool = False) -> Run:
    """Go on with an interrupted run from its last finished epoch.

    Raises:
        RunError: not a run folder, nothing to resume from, or the data set is not the one it began with.
    """
    run = Run.read(folder)
    checkpoint = folder / "last.ckpt"
    if not checkpoint.is_file():
        raise RunError(f"{folder}: no last.ckpt, the run stopped before its first epoch ended; start it again")
    if run.facts["data"]["fingerprint"] != faces.fingerprint:
        raise RunError(f"{folder}: the data set is not the one this run began with (its fingerprint differs)")
    return _train(run, faces, accelerator, progress, checkpoint)


def _train(run: Run, faces: FaceSet, accelerator: str, progress: bool, checkpoint: Path | None) -> Run:
    recipe, folder = run.recipe, run.folder
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it greets with devices and advertisements
    L.seed_everything(recipe.seed, verbose=False)
    module = FaceTraining(recipe, FaceClassifier.build(recipe, len(faces.labels)), len(faces.labels))
    best = ModelCheckpoint(
        folder,
        filename="best",
        monitor="validation/accuracy",
        mode="max",
        save_on_train_epoch_end=True,  # when the history has its row
        enable_version_counter=False,
    )
    last = ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    callbacks: list[Callback] = [History(folder, lines=not progress), best, last]
    if progress:
        callbacks.append(RichProgressBar())
    if recipe.average is not None:
        callbacks.append(MovingAverage(recipe.average))
    trainer = L.Trainer(
        accelerator=accelerator,
        devices=1,
        precision="bf16-mixed" if recipe.precision == "bf16" else "32-true",
        max_epochs=recipe.epochs,
        callbacks=callbacks,
        logger=TensorBoardLogger(folder, name="", version=""),
        log_every_n_steps=20,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        gradient_clip_val=recipe.optimizer.clip_norm,
        enable_progress_bar=progress,
        enable_model_summary=False,
    )
    data = FaceData(faces.split("train"), faces.split("validation"), recipe.batch_size, recipe.seed)
    started_s = time.monotonic()
    with warnings.catch_warnings():
        for known in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=known)
        try:
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=False if checkpoint else None)
        except SystemExit:  # Lightning's answer to Ctrl-C, after its teardown
            raise RunError(f"{folder}: interrupted; go on with: mien train --resume {folder} --data ...") from None
    seconds = run.facts.get("seconds", 0) + time.monotonic() - started_s
    state = torch.load(best.best_model_path, map_location="cpu", weights_only=False)
    prefix = "classifier.network."
    weights = {name.removeprefix(prefix): w for name, w in state["state_dict"].items() if name.startswith(prefix)}
    beside = folder / ".best.pth"
    torch.save(weights, beside)
    beside.replace(folder / "best.pth")
    facts = run.facts | {
        "seconds": round(seconds, 1),
        "best": {"epoch": int(state["epoch"]) + 1, "validation_accuracy": float(best.best_model_score or 0)},
    }
    write_whole(folder / "run.json", json.dumps(facts, indent=2).encode())
    return Run(folder, recipe, facts)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
