"""A run on cartoon faces that the tests of every format export, and enough faces to calibrate integers on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.data.faceset import FaceSet
from mien.data.toy import toy_faces
from mien.export.onnx import export_run
from mien.train.devices import Machine
from mien.train.fit import fit
from mien.train.recipe import load_recipe
from mien.train.run import Run

TINY = Path(__file__).parent / "tiny.yaml"


@pytest.fixture(autouse=True, scope="module")
def quick_epochs(blank_picture: None) -> None:
    """Every run of this room."""


@pytest.fixture(scope="session")
def run(toy: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fit(load_recipe(TINY), toy, runs=tmp_path_factory.mktemp("runs"), machine=Machine(accelerator="cpu"))


@pytest.fixture(scope="session")
def exported(run: Run, toy: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as a float32 .onnx."""
    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    export_run(run, toy, path)
    return path


@pytest.fixture(scope="session")
def crowd() -> FaceSet:
    """Twenty other cartoon faces per emotion, four of them for validation."""
    return toy_faces(per_class=20, seed=1)
