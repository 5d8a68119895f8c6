"""``mien drift`` on files as ``mien serve`` and ``mien watch --log`` keep them."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import TINY_CARD, write_tiny_model
from typer.testing import CliRunner

from mien.cli.app import command_line
from mien.contract.distributions import Reference, Tally
from mien.contract.errors import DataError, MienError, ModelError, StoreError
from mien.video.daily_log import DailyLog

APP = command_line(["drift", "models"])


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(APP, ["drift", *map(str, arguments)], env={"COLUMNS": "120", "NO_COLOR": "1"})
    if isinstance(done.exception, MienError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def tallies(n: int, seed: int, happier: float = 0.0) -> list[Tally]:
    rng = np.random.default_rng(seed)
    logits_NC = rng.normal(0, 1, (n, 7)) + happier * np.eye(7)[3]
    probs_NC = np.exp(logits_NC) / np.exp(logits_NC).sum(axis=1, keepdims=True)
    found = []
    for row in probs_NC:
        found.append(Tally(TINY_CARD.labels))
        found[-1].add(row[None], None, None)
    return found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    total = Tally(TINY_CARD.labels)
    for each in tallies(1500, 0):
        total.merge(each)
    data = {"reference": Reference.of(total, "made-up faces").to_dict()}
    return write_tiny_model(tmp_path / "tiny.onnx", dataclasses.replace(TINY_CARD, data=data))


def test_a_camera_like_the_reference_and_one_unlike_it(model: Path, tmp_path: Path) -> None:
    log = DailyLog(tmp_path / "a.drift.db")
    log.add("tiny", "camera", tallies(120, 1))
    told = run(log.path, "--model", model)
    assert "120 appearances: nothing shows that they differ" in told and "(made-up faces)" in told
    assert "by chance" in told and "score of happy" in told
    log.add("tiny", "live", tallies(120, 2, happier=3))
    assert "are unlike the faces" in run(log.path, "--model", model)
    plain = json.loads(run(log.path, "--model", model, "--source", "camera", "--format", "json"))
    assert plain["alike"] is True and plain["appearances"] == 120 and plain["model"] == "tiny"
    live = json.loads(run(log.path, "--model", model, "--source", "live", "--format", "json"))
    assert live["alike"] is False and live["measures"][0]["p_value"] < 0.05


def test_earlier_days_stand_in_for_a_reference(tmp_path: Path) -> None:
    model, log = write_tiny_model(tmp_path / "tiny.onnx"), DailyLog(tmp_path / "a.drift.db")
    log.add("tiny", "camera", tallies(200, 1), day=date.today() - timedelta(days=9))
    log.add("tiny", "camera", tallies(200, 2, happier=3))
    with pytest.raises(ModelError, match="holds no reference; a file with one is made with: mien evaluate"):
        run(log.path, "--model", model)
    told = run(log.path, "--model", model, "--against-before")
    assert "are unlike" in told and "the days before" in told
    with pytest.raises(DataError, match="0 appearances before .* are too few"):
        run(log.path, "--model", model, "--against-before", "--days", "30")


def test_what_is_not_there_is_said(model: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file; mien serve and mien watch --log make one"):
        run(tmp_path / "none.drift.db", "--model", model)
    log = DailyLog(tmp_path / "a.drift.db")
    log.add("base", "camera", tallies(3, 1))
    with pytest.raises(ModelError, match="holds no day of 'tiny', only of base"):
        run(log.path, "--model", model)
    log.add("tiny", "camera", tallies(3, 1))
    with pytest.raises(StoreError, match="holds the days of base, tiny; say which with --model"):
        run(log.path)
    assert run(log.path, "--model", model).strip() == "3 appearances are too few to compare; 30 are needed."
