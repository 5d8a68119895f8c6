"""Search spaces, and a whole search on cartoon faces."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from mien.cli.app import command_line
from mien.contract.errors import RecipeError
from mien.train.tuning import load_space


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "expected keys of a recipe"),
        ("a: [", "not valid YAML"),
        ("[" * 5000, "not valid YAML"),
        ("a: 2020-99-99", "not valid YAML"),
        ("optimizer.lr: {normal: [0, 1]}", "optimizer.lr: expected one of uniform, loguniform, randint, choice"),
        ("optimizer.lr: {uniform: [2, 1]}", r"optimizer.lr: uniform takes \[low, high\], got \[2, 1\]"),
        ("optimizer.lr: {loguniform: [0, 1]}", "optimizer.lr: loguniform needs numbers above 0"),
    ],
)
def test_a_space_that_means_nothing_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "space.yaml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_space(tmp_path / "space.yaml")


def trials(folder: Path) -> list[dict[str, str]]:
    with (folder / "found" / "trials.csv").open() as table:
        return list(csv.DictReader(table))


@pytest.mark.timeout(900)  # Ray starts a process for each trial, and each imports PyTorch
def test_a_search_finds_the_rate_that_learns_and_goes_on_where_it_was(
    toy_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    network = {"args": {"widths": [8, 16, 16, 16], "blocks": [1, 1, 1, 1], "strides": [2, 2, 2, 2]}}
    recipe = {"extends": "base", "network": network, "precision": "32", "batch_size": 28, "average": None}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    (tmp_path / "space.yaml").write_text("optimizer.lr: {choice: [0.000001, 0.01]}\nseed: {randint: [0, 9]}\n")
    monkeypatch.chdir(tmp_path)
    command = ["tune", "tiny.yaml", "--space", "space.yaml", "--data", str(toy_root), "--out", "found"]
    command += ["--trials", "2", "--epochs", "3", "--seed", "1"]
    app = command_line(["tune", "train"])

    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    rows = trials(tmp_path)
    assert len(rows) == 2 and {row["optimizer.lr"] for row in rows} == {"1e-06", "0.01"}
    assert rows[0]["optimizer.lr"] == "0.01" and float(rows[0]["score"]) > float(rows[-1]["score"])
    assert {int(row["epochs"]) for row in rows} <= {1, 2, 3} and int(rows[0]["epochs"]) == 3
    assert (tmp_path / "found" / "trials.png").read_bytes().startswith(b"\x89PNG")

    before = sorted(path.name for path in (tmp_path / "found" / "runs").rglob("metrics.csv"))
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0, again.output
    by_all = [sorted(table, key=lambda row: [*row.values()]) for table in (trials(tmp_path), rows)]  # scores may tie
    assert by_all[0] == by_all[1]
    assert sorted(path.name for path in (tmp_path / "found" / "runs").rglob("metrics.csv")) == before


def test_a_key_that_the_recipe_lacks_is_named_before_anything_starts(tmp_path: Path) -> None:
    from mien.train.tuning import TuneOptions, tune

    with pytest.raises(RecipeError, match="optimizer.rate: no such key; there are: "):
        tune("base", {"optimizer.rate": {"uniform": [0, 1]}}, TuneOptions(tmp_path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
