"""A recipe and a FaceSet -> a run folder with the best weights in it.

    run = fit(load_recipe("base"), load_faces("fer2013/"), runs=Path("runs"), machine=Machine(devices=2))
    run = resume(Path("runs/base/2026-01-31T10-00-00"), faces)

Each phase of the recipe is one Lightning fit that starts from the best weights of the phase before. Selection is on
the validation split, never on test. Not here: what a step does (module.py), the files of a run (run.py), exporting.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import warnings
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from mien.contract.atomic_files import write_whole
from mien.contract.errors import OutputError, RunError
from mien.contract.system import processor_name
from mien.data.faceset import FaceSet
from mien.data.splits import subset
from mien.train.batch_size import batch_size
from mien.train.batches import FaceData
from mien.train.callbacks import Dashboard, History, MovingAverage
from mien.train.config import PhaseConfig, Recipe
from mien.train.devices import Machine, is_first_process, keep_freed_memory
from mien.train.model_file import SETTLING_FACES, model_path, parents_of, recalibrate_batchnorm
from mien.train.module import FaceTraining
from mien.train.network import FaceClassifier, outputs
from mien.train.run import Run, torch_bytes
from mien.train.teacher import Teacher, load_teacher

EXPECTED_WARNINGS = (
    ".*Checkpoint directory.*exists and is not empty",  # resuming writes where the run began
    ".*LeafSpec.*is deprecated",  # Lightning 2.6 on torch 2.15
    ".*in eval mode at the start of training",  # frozen BatchNorms
    ".*number of training batches.*smaller than the logging interval",  # small data sets
)

RUN_NAME = "MIEN_RUN_NAME"
"""Environment variable by which processes of one run agree on its folder."""

BEST_BY = {  # what a recipe calls it: what is logged, and which way is better
    "accuracy": ("validation/accuracy", "max"),
    "loss": ("validation/loss", "min"),
    "macro_f1": ("validation/macro_f1", "max"),
    "votes_accuracy": ("validation/votes_accuracy", "max"),
}


def fit(recipe: Recipe, faces: FaceSet, *, runs: Path, machine: Machine | None = None, name: str | None = None) -> Run:
    """Train from the start into a new folder ``runs/<recipe>/<name>``.

    With several devices this process starts the others, which run the same program; each comes through here.

    Args:
        recipe: what to do.
        faces: has the splits "train" and "validation".
        runs: where run folders go.
        machine: what to train on.
        name: of the run folder; the time if left out. Processes started by a launcher of your own need one.

    Raises:
        DataError: a split is missing.
        RunError: the loss became NaN, or the folder is there already or cannot be written.
    """
    faces.split("train"), faces.split("validation")  # say what is missing before anything is written
    # child processes inherit it, and so find the folder of their parent
    name = os.environ.setdefault(RUN_NAME, name or datetime.now().strftime("%Y-%m-%dT%H-%M-%S"))
    folder = runs / recipe.name / name
    facts = {
        "labels": list(faces.labels),
        "data": {"fingerprint": faces.fingerprint, "counts": faces.counts()},
        "recipe_sha256": recipe.sha256,
        "parents": [asdict(parent) for parent in parents_of(recipe)],
        "versions": {
            "mien": version("mien"),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "lightning": L.__version__,
        },
        "machine": {"processor": processor_name(), "threads": torch.get_num_threads()},
    }
    try:
        if is_first_process():
            folder.mkdir(parents=True)
            write_whole(folder / "recipe.yaml", recipe.to_yaml().encode())
            write_whole(folder / "run.json", json.dumps(facts, indent=2).encode())
    except (OSError, OutputError) as error:
        raise RunError(f"{folder}: cannot write the run folder ({_reason(error)})") from None
    try:
        return _train(Run(folder, recipe, facts), faces, machine or Machine())
    finally:
        os.environ.pop(RUN_NAME, None)


def resume(folder: Path, faces: FaceSet, *, machine: Machine | None = None) -> Run:
    """Go on with an interrupted run from its last finished epoch.

    Raises:
        RunError: not a run folder, nothing to resume from, or the data set, the recipe or the checkpoint is not the
            one it began with.
    """
    run = Run.read(folder)
    if run.facts["recipe_sha256"] != run.recipe.sha256:
        writer = run.facts["versions"].get("mien", "an older version")
        raise RunError(
            f"{folder}: recipe.yaml is not the one this run began with: it was edited, or means something else to "
            f"mien {version('mien')} than to the {writer} that wrote it; start a new run with it"
        )
    if not any(folder.rglob("last.ckpt")):
        raise RunError(f"{folder}: no last.ckpt, the run stopped before its first epoch ended; start it again")
    if run.facts["data"]["fingerprint"] != faces.fingerprint:
        raise RunError(f"{folder}: the data set is not the one this run began with (its fingerprint differs)")
    return _train(run, faces, machine or Machine())


def _train(run: Run, faces: FaceSet, machine: Machine) -> Run:
    """All phases; a disk that is full or a folder that is gone costs one line, and what was written stays."""
    try:
        return _train_phases(run, faces, machine)
    except (OSError, OutputError) as error:
        raise RunError(
            f"{run.folder}: cannot be written ({_reason(error)}); "
            "what is there stays, go on with mien train --resume once it can"
        ) from None


def _train_phases(run: Run, faces: FaceSet, machine: Machine) -> Run:
    """Go through the phases that are not finished yet, each from the best weights of the one before."""
    recipe = run.recipe
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it greets with devices and advertisements
    if not machine.on_gpu:
        keep_freed_memory()
    L.seed_everything(recipe.seed, verbose=False)
    finished = list(run.facts.get("phases", []))
    classifier = FaceClassifier.build(recipe, outputs(recipe, len(faces.labels)), initial_weights=not finished)
    train = subset(faces.split("train"), recipe.data.fraction, recipe.seed)
    if recipe.network.weights is not None and not finished and model_path(recipe.network.weights).suffix == ".onnx":
        first_NHW = torch.from_numpy(train.faces_NHW[:: max(1, len(train) // SETTLING_FACES)])
        recalibrate_batchnorm(classifier.network, classifier.prepare(first_NHW))
    teacher = load_teacher(recipe.teacher, faces.labels, faces.side) if recipe.teacher is not None else None
    phases = recipe.resolved_phases()
    folders = [run.folder / f"phase-{number}" if len(phases) > 1 else run.folder for number, _ in enumerate(phases, 1)]
    for number, (phase, folder) in enumerate(zip(phases, folders, strict=True)):
        if number >= len(finished):
            # else every phase meets the batches, augmentations and dropout of the first again, and knows them by heart
            drawn = recipe.model_copy(update={"seed": recipe.seed + 7907 * number})
            data = FaceData(train, faces.split("validation"), batch_size(recipe, classifier, machine), drawn)
            finished.append(_train_phase(drawn, phase, classifier, data, folder, machine, teacher))
            run = Run(run.folder, recipe, run.facts | {"phases": finished})
            _write_facts(run)
        weights = torch.load(folder / "best.pth", map_location="cpu", weights_only=True)
        classifier.network.load_state_dict(weights)
    better = max if BEST_BY[recipe.best_by][1] == "max" else min
    winner = finished.index(better(finished, key=lambda each: each["score"]))
    if len(phases) > 1 and is_first_process():
        write_whole(run.folder / "best.pth", (folders[winner] / "best.pth").read_bytes())
    best = {key: finished[winner][key] for key in ("epoch", "validation_accuracy")}
    seconds = round(sum(phase["seconds"] for phase in finished), 1)
    run = Run(run.folder, recipe, run.facts | {"best": best | {"phase": winner + 1}, "seconds": seconds})
    _write_facts(run)
    return run


def _write_facts(run: Run) -> None:
    if is_first_process():
        write_whole(run.folder / "run.json", json.dumps(run.facts, indent=2).encode())


def _train_phase(
    recipe: Recipe,
    phase: PhaseConfig,
    classifier: FaceClassifier,
    data: FaceData,
    folder: Path,
    machine: Machine,
    teacher: Teacher | None,
) -> dict[str, float]:
    """One Lightning fit, from ``folder/last.ckpt`` if that is there; leaves ``best.pth`` and returns its facts."""
    assert phase.optimizer is not None
    counts_C = torch.from_numpy(np.bincount(data.train.labels_N, minlength=len(data.train.labels)))
    module = FaceTraining(recipe, phase, classifier, counts_C, teacher)
    monitor, mode = BEST_BY[recipe.best_by]
    phase_name = f"{folder.name} " if recipe.phases else ""
    history = History(folder, not machine.progress, phase_name, machine.on_epoch)
    best = ModelCheckpoint(
        folder,
        filename="best",
        monitor=monitor,
        mode=mode,
        save_on_train_epoch_end=True,  # when the history has its row
        enable_version_counter=False,
    )
    last = ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    callbacks: list[Callback] = [history, Dashboard(data.train.labels), best, last]
    if machine.progress:
        callbacks.append(RichProgressBar())
    if recipe.average is not None:
        callbacks.append(MovingAverage(recipe.average))
    if recipe.early_stopping_epochs is not None:
        callbacks.append(EarlyStopping(monitor, mode=mode, patience=recipe.early_stopping_epochs))
    logger = TensorBoardLogger(folder, name="", version="")
    logger.log_hyperparams(recipe.model_dump(mode="json"))
    trainer = L.Trainer(
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.nodes,
        strategy="ddp" if machine.devices * machine.nodes > 1 else "auto",
        sync_batchnorm=machine.on_gpu,  # which PyTorch has for GPUs alone
        precision=_lightning_precision(recipe, machine.on_gpu),
        max_epochs=phase.epochs,
        callbacks=callbacks,
        logger=logger,
        log_every_n_steps=20,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        accumulate_grad_batches=recipe.accumulate,
        gradient_clip_val=phase.optimizer.clip_norm,
        enable_progress_bar=machine.progress,
        enable_model_summary=False,
    )
    checkpoint = folder / "last.ckpt" if (folder / "last.ckpt").is_file() else None
    if checkpoint is not None:
        _check_checkpoint(checkpoint, module)
    with warnings.catch_warnings():
        for known in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=known)
        try:
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=False if checkpoint else None)
        except SystemExit:  # Lightning's answer to Ctrl-C, after its teardown
            run = folder.parent if len(recipe.phases) > 1 else folder
            raise RunError(f"{run}: interrupted; go on with: mien train --resume {run} --data ...") from None
    state = torch.load(best.best_model_path, map_location="cpu", weights_only=False)
    if trainer.is_global_zero:
        prefix = "classifier.network."
        weights = {name.removeprefix(prefix): w for name, w in state["state_dict"].items() if name.startswith(prefix)}
        write_whole(folder / "best.pth", torch_bytes(weights))
    trainer.strategy.barrier()  # the other processes read it next
    epoch = int(state["epoch"]) + 1
    return {
        "epoch": epoch,
        "score": float(best.best_model_score or 0),
        "validation_accuracy": history.rows[epoch - 1]["validation_accuracy"],
        "seconds": round(sum(row["seconds"] for row in history.rows), 1),
    }


def _check_checkpoint(path: Path, module: FaceTraining) -> None:
    """RunError unless the checkpoint is whole and holds the weights of this recipe's network."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=False)["state_dict"]
    except Exception as error:  # zip, pickle and torch errors of any kind
        raise RunError(f"{path}: not a readable checkpoint ({type(error).__name__}); start the run again") from None
    own = module.state_dict()
    different = [
        n for n in own.keys() | state.keys() if n not in own or n not in state or own[n].shape != state[n].shape
    ]
    if different:
        raise RunError(
            f"{path}: of another recipe or version: {len(different)} of {len(own)} weights do not fit, "
            f"such as {min(different)}; start a new run"
        )


def _lightning_precision(recipe: Recipe, on_gpu: bool) -> Literal["16-mixed", "bf16-mixed", "32-true"]:
    """fp16 needs a GPU; on a CPU its stand-in is bf16, which has the range of float32 and needs no loss scaling."""
    if recipe.precision == "fp16":
        return "16-mixed" if on_gpu else "bf16-mixed"
    return "bf16-mixed" if recipe.precision == "bf16" else "32-true"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
