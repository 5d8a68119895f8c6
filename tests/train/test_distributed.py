"""Two processes on the CPU, started as users start them, give the metrics of one; a run resumes on another number."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mien.data.faceset import FaceSet
from mien.data.loading import load_faces
from mien.train.config import Recipe
from mien.train.devices import Machine
from mien.train.fit import fit
from mien.train.module import FaceTraining
from mien.train.recipe import load_recipe

RECIPE = """
extends: base
network: {name: convnext_atto, args: {depths: [1, 1, 1, 1], dims: [8, 16, 24, 32]}, drop: 0}    # no BatchNorm
augment: {flip: false, rotate_deg: 0, shift: 0, scale: [1, 1], cutout: 0}    # draws of their own in each process
average: null
precision: '32'
batch_size: 28
epochs: 4
"""


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "plain.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def recipe(recipe_file: Path) -> Recipe:
    return load_recipe(recipe_file)


@pytest.fixture(scope="module")
def faces(toy_root: Path) -> FaceSet:
    return load_faces(toy_root)


@pytest.fixture(scope="module")
def of_one(recipe: Recipe, faces: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """The history of one process."""
    run = fit(recipe, faces, runs=tmp_path_factory.mktemp("one"), machine=Machine("cpu"))
    return history(run.folder)


def history(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open() as file:
        return [{key: float(value) for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def started(*command: str | Path) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        capture_output=True,
        text=True,
        env=os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_alike(two: list[dict[str, float]], one: list[dict[str, float]]) -> None:
    assert len(two) == len(one) == 4
    for row, expected in zip(two, one, strict=True):
        assert row == pytest.approx(expected, abs=1e-4)  # sums in another order: float error
    assert one[-1]["train_loss"] != one[0]["train_loss"]


@pytest.mark.timeout(600)
def test_two_processes_of_torchrun_give_the_metrics_of_one(
    recipe_file: Path, toy_root: Path, of_one: list[dict[str, float]], tmp_path: Path
) -> None:
    launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
    options = ("--runs", tmp_path, "--name", "two", "--accelerator", "cpu", "--devices", "2")
    printed = started(*launcher, "mien", "train", recipe_file, "--data", toy_root, *options)
    assert printed.count("epoch 4/4") == 1  # one of them speaks
    assert_alike(history(tmp_path / "plain" / "two"), of_one)


@pytest.mark.timeout(600)
def test_a_run_of_one_process_goes_on_with_two(
    recipe: Recipe,
    faces: FaceSet,
    toy_root: Path,
    of_one: list[dict[str, float]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole_step = FaceTraining.training_step

    def step(self: FaceTraining, batch: object, batch_idx: int) -> object:
        if self.current_epoch == 2:
            raise RuntimeError("power cut")
        return whole_step(self, batch, batch_idx)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power cut"):
        patch.setattr(FaceTraining, "training_step", step)
        fit(recipe, faces, runs=tmp_path, machine=Machine("cpu"), name="cut")
    folder = tmp_path / "plain" / "cut"
    started("mien", "train", "--resume", folder, "--data", toy_root, "--accelerator", "cpu", "--devices", "2")
    assert_alike(history(folder), of_one)
    assert json.loads((folder / "run.json").read_text())["best"]["epoch"] >= 1
