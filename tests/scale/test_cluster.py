"""Where a bulk run finds its Ray: one of its own that may need a second try, or the cluster that was named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from PIL import Image

import mien.scale.scoring_run as scoring_run
from mien.contract.errors import OutputError
from mien.scale.scorer import ScoreOptions
from mien.scale.scoring_run import RunOptions, score_archive


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What ``ray.init`` was called with; it never starts."""
    calls: list[dict[str, Any]] = []

    def init(**options: Any) -> None:
        calls.append(options)
        raise RuntimeError("The current node timed out during startup.\nand more")

    monkeypatch.setattr(ray, "init", init)
    return calls


@pytest.mark.parametrize(
    ("address", "tries", "message"),
    [
        (None, scoring_run.STARTS_OF_RAY, r"^Ray does not start here \(The current node timed out during startup\.\)$"),
        ("10.0.0.1:6379", 1, r"^10\.0\.0\.1:6379: no Ray cluster there \(The current node"),
    ],
)
def test_a_ray_that_does_not_answer_is_one_line(
    address: str | None, tries: int, message: str, asked: list[dict[str, Any]], model: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(tmp_path / "one.png")
    with pytest.raises(OutputError, match=message):
        score_archive([str(tmp_path)], str(tmp_path / "out"), ScoreOptions(str(model), "none"), RunOptions(address))
    # without an address a Ray of its own, whatever cluster runs on this machine
    assert [call["address"] for call in asked] == [address or "local"] * tries
