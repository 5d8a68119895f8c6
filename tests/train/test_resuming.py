"""Damaged and hostile files of a run: one line each, an earlier checkpoint where there is one, and no code is run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mien.contract.errors import RunError
from mien.data.faceset import FaceSet
from mien.export.checkpoint import Checkpoint
from mien.train.fit import Machine, fit, resume
from mien.train.recipe import load_recipe
from mien.train.run import Run, torch_bytes

CPU = Machine(accelerator="cpu")
TINY = [
    "network.args={widths: [8, 16, 16, 16], blocks: [1, 1, 1, 1], strides: [2, 2, 2, 2]}",
    "precision='32'",
    "batch_size=28",
    "average={decay: 0.9, every_steps: 1}",
]


class Hostile:
    """What PyTorch would make on reading it: a file."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.made), "w")


@pytest.fixture(scope="module")
def finished(toy: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three epochs."""
    recipe = load_recipe("base", [*TINY, "epochs=3"])
    return fit(recipe, toy, runs=tmp_path_factory.mktemp("runs"), machine=CPU, name="cut").folder


@pytest.fixture
def cut(finished: Path, tmp_path: Path) -> Path:
    """The same run as it is just before it finishes: all epochs are done, and nothing is concluded from them."""
    run = Run.read(Path(shutil.copytree(finished, tmp_path / "cut")))
    facts = json.loads((run.folder / "run.json").read_text())
    for key in ("phases", "best", "seconds"):
        del facts[key]
    (run.folder / "run.json").write_text(json.dumps(facts))
    (run.folder / "best.pth").unlink()
    return run.folder


def test_a_truncated_last_checkpoint_falls_back_to_the_best(cut: Path, toy: FaceSet) -> None:
    rows = (cut / "metrics.csv").read_text().splitlines()
    whole = (cut / "last.ckpt").read_bytes()
    (cut / "last.ckpt").write_bytes(whole[: len(whole) // 2])
    best_epoch = torch.load(cut / "best.ckpt", weights_only=True)["epoch"] + 1
    told: list[str] = []
    run = resume(cut, toy, machine=CPU, on_notice=told.append)
    (line,) = told
    assert line.startswith(f"{cut / 'last.ckpt'}: damaged (RuntimeError); going on from best.ckpt, ")
    assert line.endswith(f"after epoch {best_epoch}")
    again = (cut / "metrics.csv").read_text().splitlines()
    without_seconds = [[line.rsplit(",", 1)[0] for line in lines] for lines in (rows, again)]
    assert without_seconds[0] == without_seconds[1]
    assert run.facts["best"]["epoch"] == best_epoch


def test_hostile_files_run_no_code_and_are_one_line(cut: Path, toy: FaceSet, tmp_path: Path) -> None:
    hostile = torch_bytes({"state_dict": Hostile(tmp_path / "made"), "epoch": 1})
    for name in ("last.ckpt", "best.ckpt", "best.pth"):
        (cut / name).write_bytes(hostile)
    with pytest.raises(RunError, match="not a readable checkpoint .UnpicklingError., nor is best.ckpt"):
        resume(cut, toy, machine=CPU)
    with pytest.raises(RunError, match="best.pth: damaged or not a state_dict of PyTorch .UnpicklingError."):
        Run.read(cut).classifier()
    for name in ("last.ckpt", "best.ckpt", "best.pth"):
        with pytest.raises(RunError, match=f"{name}: not a checkpoint of PyTorch"):
            Checkpoint.open(cut / name)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "content", [[1, 2], {"epoch": 1}, {"state_dict": 3}, {"state_dict": {"a": 3}}, 7, {}, {1: torch.zeros(2)}], ids=repr
)
def test_files_of_something_else_are_one_line(cut: Path, toy: FaceSet, content: object) -> None:
    for name in ("last.ckpt", "best.ckpt", "best.pth"):
        (cut / name).write_bytes(torch_bytes(content))
        with pytest.raises(RunError) as error:
            Checkpoint.open(cut / name)
        assert str(cut) in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(RunError):
        Run.read(cut).classifier()
    with pytest.raises(RunError):
        resume(cut, toy, machine=CPU)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not a run folder"),
        (b"{", "not a run folder"),
        (b"[" * 100_000, "not a run folder"),
        (b"[]", "run.json is damaged: expected keys and values, found list"),
        (b"{}", "run.json is damaged: expected two or more class names under labels, found None"),
        (b'{"labels": ["a", "b"]}', "run.json is damaged: data is missing"),
    ],
    ids=["binary", "cut", "deep", "list", "empty", "labels-alone"],
)
def test_a_damaged_run_json_is_one_line(cut: Path, content: bytes, message: str) -> None:
    (cut / "run.json").write_bytes(content)
    with pytest.raises(RunError, match=message):
        Run.read(cut)
