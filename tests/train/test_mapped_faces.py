"""Faces that stay in their file: the batches, and the metrics, of faces in memory."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import mien.data.faceset as faceset
from mien.data.faceset import FaceSet
from mien.train.batches import FaceBatches
from mien.train.config import Recipe
from mien.train.devices import Machine
from mien.train.fit import fit
from mien.train.mapped_faces import MappedFaces, on_device

CPU = torch.device("cpu")


@pytest.fixture
def mapped(tmp_path: Path) -> np.memmap:  # type: ignore[type-arg]
    draw = np.random.default_rng(0)
    draw.integers(0, 256, (50, 6, 6), dtype=np.uint8).tofile(tmp_path / "faces.u8")
    return np.memmap(tmp_path / "faces.u8", dtype=np.uint8, mode="r", shape=(50, 6, 6))


def test_a_mapped_array_stays_in_its_file_and_one_in_memory_becomes_a_tensor(mapped: np.memmap) -> None:  # type: ignore[type-arg]
    assert isinstance(on_device(mapped, CPU), MappedFaces)
    assert isinstance(on_device(np.array(mapped), CPU), Tensor)


def test_any_faces_in_any_order_are_those_of_the_tensor(mapped: np.memmap) -> None:  # type: ignore[type-arg]
    piece = mapped[7:43]  # a split is a piece of the file
    tensor, faces = torch.from_numpy(np.array(piece)), on_device(piece, CPU)
    assert tuple(faces.shape) == (36, 6, 6)
    for index in ([0], [35, 0, 17], [3, 3, 3, 2], []):
        assert torch.equal(faces[torch.tensor(index, dtype=torch.int64)], tensor[index])


def test_faces_behind_those_of_the_file_are_taken_from_memory(mapped: np.memmap) -> None:  # type: ignore[type-arg]
    tail = torch.arange(72, dtype=torch.uint8).reshape(2, 6, 6)
    faces = MappedFaces(mapped, CPU).followed_by(tail)
    assert faces.shape == (52, 6, 6)
    joined = torch.cat([torch.from_numpy(np.array(mapped)), tail])
    assert torch.equal(faces[torch.tensor([51, 0, 50, 49])], joined[[51, 0, 50, 49]])


def test_a_file_that_became_shorter_is_an_error(mapped: np.memmap, tmp_path: Path) -> None:  # type: ignore[type-arg]
    faces = MappedFaces(mapped, CPU)
    os.truncate(tmp_path / "faces.u8", 40 * 36)
    with pytest.raises(OSError, match="faces.u8: shorter than it was"):
        faces[torch.tensor([45])]


def test_batches_come_in_the_order_of_those_in_memory(mapped: np.memmap) -> None:  # type: ignore[type-arg]
    labels = torch.arange(50)
    in_memory = FaceBatches(torch.from_numpy(np.array(mapped)), labels, 8, seed=3)
    for one, other in zip(FaceBatches(MappedFaces(mapped, CPU), labels, 8, seed=3), in_memory, strict=True):
        assert torch.equal(one.faces, other.faces) and torch.equal(one.labels, other.labels)


def test_a_set_too_large_for_memory_trains_to_the_same_metrics(
    tiny: Recipe, toy: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_N = np.argsort(toy.splits_N, kind="stable")  # as the cache orders a set that is too large
    whole = toy.take(order_N)
    whole.faces_NHW.tofile(tmp_path / "faces.u8")
    file = np.memmap(tmp_path / "faces.u8", dtype=np.uint8, mode="r", shape=whole.faces_NHW.shape)
    kept: list[object] = []
    for name, faces in (("memory", whole), ("file", replace(whole, faces_NHW=file))):
        if name == "file":
            monkeypatch.setattr(faceset, "usable_memory", lambda: 1000)
            assert isinstance(on_device(faces.split("train").faces_NHW, CPU), MappedFaces)
        run = fit(tiny, faces, runs=tmp_path, machine=Machine("cpu"), name=name)
        with (run.folder / "metrics.csv").open() as file_of_rows:
            rows = [
                {key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file_of_rows)
            ]
        kept.append((rows, json.loads((run.folder / "run.json").read_text())["data"]))
    assert kept[0] == kept[1]
