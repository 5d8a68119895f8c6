"""What a run folder says about its training, read without mien.train (and so without torch).

log = read_run_log(Path("runs/base/2026-01-31T10-00-00"))
log.epochs[-1]["validation_accuracy"], log.recipe, log.facts
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.contract.errors import RunError


@dataclass(frozen=True)
class RunLog:
    """The training log of one run.

    Attributes:
        recipe: the text of ``recipe.yaml``.
        facts: the content of ``run.json``.
        epochs: the rows of ``metrics.csv``; each has "epoch", and empty cells are left out.
    """

    recipe: str
    facts: Mapping[str, Any]
    epochs: tuple[Mapping[str, float], ...]


def read_run_log(folder: Path) -> RunLog:
    """Read ``recipe.yaml``, ``run.json`` and ``metrics.csv``.

    Raises:
        RunError: one of the files is missing or damaged.
    """
    try:
        recipe = (folder / "recipe.yaml").read_text(encoding="utf-8")
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
            epochs = tuple({key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file))
        if not isinstance(facts, dict) or not all("epoch" in row for row in epochs) or not epochs:
            raise ValueError("an epoch or a fact is missing")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RunError(f"{folder}: the training log cannot be read ({error})") from None
    return RunLog(recipe, facts, epochs)
