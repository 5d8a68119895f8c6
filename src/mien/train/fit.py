"""A recipe and a FaceSet -> a run folder with the best weights in it.

    run = fit(load_recipe("base"), load_faces("fer2013/"), runs=Path("runs"))
    run = resume(Path("runs/base/2026-01-31T10-00-00"), faces)

Each phase of the recipe is one Lightning fit that starts from the best weights of the phase before. Selection is on
the validation split, never on test. Not here: what a step does (module.py), the files of a run (run.py), exporting.
"""

from __future__ import annotations

import json
import logging
import platform
import warnings
from datetime import datetime
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from mien.contract.errors import RunError
from mien.data.faceset import FaceSet
from mien.train.batches import FaceData
from mien.train.callbacks import History, MovingAverage
from mien.train.config import PhaseConfig, Recipe
from mien.train.module import FaceTraining
from mien.train.network import FaceClassifier
from mien.train.run import Run, write_whole

EXPECTED_WARNINGS = (
    ".*Checkpoint directory.*exists and is not empty",  # resuming writes where the run began
    ".*LeafSpec.*is deprecated",  # Lightning 2.6 on torch 2.15
    ".*in eval mode at the start of training",  # frozen BatchNorms
    ".*number of training batches.*smaller than the logging interval",  # small data sets
)

BEST_BY = {  # what a recipe calls it: what is logged, and which way is better
    "accuracy": ("validation/accuracy", "max"),
    "loss": ("validation/loss", "min"),
    "macro_f1": ("validation/macro_f1", "max"),
}


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
    return _train(Run(folder, recipe, facts), faces, accelerator, progress)


def resume(folder: Path, faces: FaceSet, *, accelerator: str = "auto", progress: bool = False) -> Run:
    """Go on with an interrupted run from its last finished epoch.

    Raises:
        RunError: not a run folder, nothing to resume from, or the data set is not the one it began with.
    """
    run = Run.read(folder)
    if not any(folder.rglob("last.ckpt")):
        raise RunError(f"{folder}: no last.ckpt, the run stopped before its first epoch ended; start it again")
    if run.facts["data"]["fingerprint"] != faces.fingerprint:
        raise RunError(f"{folder}: the data set is not the one this run began with (its fingerprint differs)")
    return _train(run, faces, accelerator, progress)


def _train(run: Run, faces: FaceSet, accelerator: str, progress: bool) -> Run:
    """Go through the phases that are not finished yet, each from the best weights of the one before."""
    recipe = run.recipe
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it greets with devices and advertisements
    L.seed_everything(recipe.seed, verbose=False)
    finished = list(run.facts.get("phases", []))
    classifier = FaceClassifier.build(recipe, len(faces.labels), initial_weights=not finished)
    train = _subset(faces.split("train"), recipe.data.fraction, recipe.seed)
    balanced = recipe.data.sampling == "balanced"
    phases = recipe.resolved_phases()
    folders = [run.folder / f"phase-{number}" if len(phases) > 1 else run.folder for number, _ in enumerate(phases, 1)]
    for number, (phase, folder) in enumerate(zip(phases, folders, strict=True)):
        if number >= len(finished):
            data = FaceData(train, faces.split("validation"), recipe.batch_size, recipe.seed, balanced)
            finished.append(_train_phase(recipe, phase, classifier, data, folder, accelerator, progress))
            run = Run(run.folder, recipe, run.facts | {"phases": finished})
            write_whole(run.folder / "run.json", json.dumps(run.facts, indent=2).encode())
        weights = torch.load(folder / "best.pth", map_location="cpu", weights_only=True)
        classifier.network.load_state_dict(weights)
    better = max if BEST_BY[recipe.best_by][1] == "max" else min
    winner = finished.index(better(finished, key=lambda each: each["score"]))
    if len(phases) > 1:
        write_whole(run.folder / "best.pth", (folders[winner] / "best.pth").read_bytes())
    best = {key: finished[winner][key] for key in ("epoch", "validation_accuracy")}
    seconds = round(sum(phase["seconds"] for phase in finished), 1)
    facts = run.facts | {"best": best | {"phase": winner + 1}, "seconds": seconds}
    write_whole(run.folder / "run.json", json.dumps(facts, indent=2).encode())
    return Run(run.folder, recipe, facts)


def _train_phase(
    recipe: Recipe,
    phase: PhaseConfig,
    classifier: FaceClassifier,
    data: FaceData,
    folder: Path,
    accelerator: str,
    progress: bool,
) -> dict[str, float]:
    """One Lightning fit, from ``folder/last.ckpt`` if that is there; leaves ``best.pth`` and returns its facts."""
    assert phase.optimizer is not None
    counts_C = torch.from_numpy(np.bincount(data.train.labels_N, minlength=len(data.train.labels)))
    module = FaceTraining(recipe, phase, classifier, counts_C)
    monitor, mode = BEST_BY[recipe.best_by]
    history = History(folder, lines=not progress, phase=f"{folder.name} " if recipe.phases else "")
    best = ModelCheckpoint(
        folder,
        filename="best",
        monitor=monitor,
        mode=mode,
        save_on_train_epoch_end=True,  # when the history has its row
        enable_version_counter=False,
    )
    last = ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    callbacks: list[Callback] = [history, best, last]
    if progress:
        callbacks.append(RichProgressBar())
    if recipe.average is not None:
        callbacks.append(MovingAverage(recipe.average))
    if recipe.early_stopping_epochs is not None:
        callbacks.append(EarlyStopping(monitor, mode=mode, patience=recipe.early_stopping_epochs))
    trainer = L.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=_lightning_precision(recipe, accelerator),
        max_epochs=phase.epochs,
        callbacks=callbacks,
        logger=TensorBoardLogger(folder, name="", version=""),
        log_every_n_steps=20,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        accumulate_grad_batches=recipe.accumulate,
        gradient_clip_val=phase.optimizer.clip_norm,
        enable_progress_bar=progress,
        enable_model_summary=False,
    )
    checkpoint = folder / "last.ckpt" if (folder / "last.ckpt").is_file() else None
    with warnings.catch_warnings():
        for known in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=known)
        try:
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=False if checkpoint else None)
        except SystemExit:  # Lightning's answer to Ctrl-C, after its teardown
            run = folder.parent if recipe.phases and len(recipe.phases) > 1 else folder
            raise RunError(f"{run}: interrupted; go on with: mien train --resume {run} --data ...") from None
    state = torch.load(best.best_model_path, map_location="cpu", weights_only=False)
    prefix = "classifier.network."
    weights = {name.removeprefix(prefix): w for name, w in state["state_dict"].items() if name.startswith(prefix)}
    beside = folder / ".best.pth"
    torch.save(weights, beside)
    beside.replace(folder / "best.pth")
    epoch = int(state["epoch"]) + 1
    return {
        "epoch": epoch,
        "score": float(best.best_model_score or 0),
        "validation_accuracy": history.rows[epoch - 1]["validation_accuracy"],
        "seconds": round(sum(row["seconds"] for row in history.rows), 1),
    }


def _subset(train: FaceSet, fraction: float, seed: int) -> FaceSet:
    """A stratified share of the training split, the same for the same seed."""
    if fraction == 1:
        return train
    from sklearn.model_selection import train_test_split

    everything_N = np.arange(len(train))
    kept_M, _ = train_test_split(everything_N, train_size=fraction, stratify=train.labels_N, random_state=seed)
    return train.take(np.sort(kept_M))


def _lightning_precision(recipe: Recipe, accelerator: str) -> str:
    """fp16 needs a GPU; on a CPU its stand-in is bf16, which has the range of float32 and needs no loss scaling."""
    on_gpu = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
    if recipe.precision == "fp16":
        return "16-mixed" if on_gpu else "bf16-mixed"
    return "bf16-mixed" if recipe.precision == "bf16" else "32-true"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
