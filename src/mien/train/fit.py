"""A recipe and a FaceSet -> a run folder with the best weights in it.

    run = fit(load_recipe("base"), load_faces("fer2013/"), runs=Path("runs"), machine=Machine(devices=2))
    run = resume(Path("runs/base/2026-01-31T10-00-00"), faces)

A start that fails leaves nothing behind: the folder is removed again unless an epoch was finished, from which the run
could go on. Selection is on the validation split, never on test.

Not here: the phases of a recipe and Lightning's Trainer (phases.py), what a step does (module.py), the files of a run
(run.py), exporting.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning as L
import torch

from mien.contract.atomic_files import write_whole
from mien.contract.errors import OutputError, RunError
from mien.contract.system import processor_name
from mien.data.faceset import FaceSet
from mien.train.config import FILE_NAME, Recipe
from mien.train.devices import Machine, is_first_process, launched_processes
from mien.train.imagenet_weights import with_their_pixels
from mien.train.model_file import parents_of
from mien.train.phases import train_phases
from mien.train.run import Run
from mien.train.teacher import without_unfit_teacher

RUN_NAME = "MIEN_RUN_NAME"
"""Variable by which the processes of one run agree on its folder; those that Lightning starts inherit it."""

Notice = Callable[[str], None]
"""Called with one line that the user should see."""


def fit(
    recipe: Recipe,
    faces: FaceSet,
    *,
    runs: Path,
    machine: Machine | None = None,
    name: str | None = None,
    on_notice: Notice = lambda line: None,
    field: FaceSet | None = None,
) -> Run:
    """Train from the start into a new folder ``runs/<recipe>/<name>``.

    With several devices this process starts the others, which run the same program; each comes through here.

    Args:
        recipe: what to do. A shipped teacher that names other classes than ``faces`` is left out, and ImageNet weights
            from a package get the pixels that they expect, each with a notice.
        faces: has the splits "train" and "validation".
        runs: where run folders go.
        machine: what to train on.
        name: of the run folder; the time if left out. Processes that a launcher starts (torchrun, SLURM) need one.
        on_notice: told what the user should know, in one line each.
        field: crops of field photos, where the recipe has a section ``field``; their split "train" is used.

    Raises:
        DataError: a split is missing.
        RecipeError: the recipe does not fit the data, such as a teacher of the user's own with other classes.
        RunError: the loss became NaN, or the folder is there already or cannot be written.
    """
    _check_field(recipe, field)
    faces.split("train"), faces.split("validation")  # say what is missing before anything is written
    # a recipe is shared between data sets; a teacher of other classes cannot teach these
    recipe, untaught = without_unfit_teacher(recipe, faces.labels, faces.side)
    recipe, pixels = with_their_pixels(recipe)
    notices = [notice for notice in (untaught, pixels) if notice]
    for notice in notices:
        on_notice(notice)
    with _agreed_name(name) as agreed:
        folder = runs / recipe.name / agreed
        run = Run(folder, recipe, _facts(recipe, faces, field, notices))
        with _removed_unless_an_epoch_is_finished(folder):
            return _train(run, faces, field, machine or Machine())


def resume(
    folder: Path,
    faces: FaceSet,
    *,
    machine: Machine | None = None,
    on_notice: Notice = lambda line: None,
    field: FaceSet | None = None,
) -> Run:
    """Go on with an interrupted run from its last finished epoch, on as many devices as ``machine`` has now.

    Args:
        folder: of the run.
        faces: the data set that it began with.
        machine: what to train on; need not be what it began on.
        field: the field photos that it began with, if any.
        on_notice: told where the run goes on if that is not the last epoch, because its checkpoint is damaged.

    Raises:
        RunError: not a run folder, nothing to resume from, or the data set, the recipe or the checkpoint is not the
            one it began with.
    """
    run = Run.read(folder)
    if run.facts.get("recipe_sha256") != run.recipe.sha256:
        writer = run.facts.get("versions", {}).get("mien", "an older version")
        raise RunError(
            f"{folder}: recipe.yaml is not the one this run began with: it was edited, or means something else to "
            f"mien {version('mien')} than to the {writer} that wrote it; start a new run with it"
        )
    if not any(folder.rglob("last.ckpt")):
        raise RunError(f"{folder}: no last.ckpt, the run stopped before its first epoch ended; start it again")
    # other data would change the split, so validation faces could have been trained on
    if run.facts["data"].get("fingerprint") != faces.fingerprint:
        raise RunError(f"{folder}: the data set is not the one this run began with (its fingerprint differs)")
    _check_field(run.recipe, field)
    if field is not None and run.facts["data"].get("field", {}).get("fingerprint") != field.fingerprint:
        raise RunError(f"{folder}: the field photos are not those this run began with (their fingerprint differs)")
    return _train(run, faces, field, machine or Machine(), on_notice)


def _check_field(recipe: Recipe, field: FaceSet | None) -> None:
    """RunError unless field photos are there exactly where the recipe wants them."""
    if recipe.field is not None and field is None:
        raise RunError(f"recipe {recipe.name} learns from field photos too; name their crops with --field")
    if recipe.field is None and field is not None:
        raise RunError(f"recipe {recipe.name} has no section field, so it would not see the field photos")
    if field is not None:
        field.split("train")


@contextmanager
def _agreed_name(name: str | None) -> Iterator[str]:
    """The name of the run folder, in the environment for as long as the run lasts, so that child processes inherit it.

    Raises:
        RunError: an impossible name, or none where a launcher started several processes.
    """
    if name is not None and not re.fullmatch(FILE_NAME, name):
        raise RunError(f"--name {name}: it names a folder: expected letters, digits and . _ + - =, no slash")
    if name is None and RUN_NAME not in os.environ and launched_processes() > 1:
        # each process would take the time at its own start, and they would write into different folders
        raise RunError(f"{launched_processes()} processes were started: give the run a name for all, with --name")
    # setdefault: a child process finds the name of its parent here and uses it
    agreed = os.environ.setdefault(RUN_NAME, name or datetime.now().strftime("%Y-%m-%dT%H-%M-%S"))
    try:
        yield agreed
    finally:
        os.environ.pop(RUN_NAME, None)  # whatever failed: the next run of this process has a name of its own


def _facts(recipe: Recipe, faces: FaceSet, field: FaceSet | None, notices: list[str]) -> dict[str, Any]:
    """What run.json says before the first epoch."""
    # written before the first epoch, because the data, the teacher or the packages may have changed by the end
    facts: dict[str, Any] = {
        "labels": list(faces.labels),
        "data": {"fingerprint": faces.fingerprint, "counts": faces.counts()}
        | ({} if field is None else {"field": {"fingerprint": field.fingerprint, "counts": field.counts()}}),
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
    return facts | ({"notices": notices} if notices else {})


@contextmanager
def _removed_unless_an_epoch_is_finished(folder: Path) -> Iterator[None]:
    """Make the run folder, and remove it again, with the folders above that were made for it, if the start fails.

    Raises:
        RunError: the folder is there already, or cannot be made.
    """
    if not is_first_process():  # only the first process writes
        yield
        return
    # remembered before they are made: a folder that was there already is not ours to remove
    above = [each for each in (folder.parent, *folder.parent.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise RunError(
            f"{folder}: this run is there already: resume it (--resume {folder}) or choose another --name"
        ) from None
    except OSError as error:
        raise RunError(f"{folder}: cannot write the run folder ({error.strerror})") from None
    try:
        yield
    finally:
        if not any(folder.rglob("last.ckpt")):  # nothing to resume from, so nothing worth keeping
            shutil.rmtree(folder, ignore_errors=True)
            for each in above:
                try:
                    each.rmdir()
                except OSError:  # another run began in it meanwhile
                    break


def _train(
    run: Run, faces: FaceSet, field: FaceSet | None, machine: Machine, on_notice: Notice = lambda line: None
) -> Run:
    """All phases. A full disk, or a folder that is gone, costs one line, and the last finished epoch stays."""
    try:
        # a resumed run keeps its recipe and facts, even if this version of mien would write them differently
        if is_first_process() and not (run.folder / "run.json").is_file():
            write_whole(run.folder / "recipe.yaml", run.recipe.to_yaml().encode())
            write_whole(run.folder / "run.json", json.dumps(run.facts, indent=2).encode())
        return train_phases(run, faces, field, machine, on_notice)
    except (OSError, OutputError) as error:
        resumable = any(run.folder.rglob("last.ckpt"))
        remedy = "what is there stays, go on with mien train --resume once it can" if resumable else "start it again"
        raise RunError(
            f"{run.folder}: cannot be written ({getattr(error, 'strerror', None) or error}); {remedy}"
        ) from None
