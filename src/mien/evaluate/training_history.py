"""What a run folder says about its training, read without the training room (and so without torch).

log = read_run_log(Path("runs/base/2026-01-31T10-00-00"))
log["epochs"][-1]["validation_accuracy"], log["recipe"], log["facts"]
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from mien.contract.errors import RunError


def read_run_log(folder: Path) -> dict[str, Any]:
    """Read ``recipe.yaml``, ``run.json`` and ``metrics.csv``.

    Returns:
        ``recipe`` (as its text), ``facts`` (of run.json) and ``epochs``, a dictionary of numbers for each row, empty
        cells left out.

    Raises:
        RunError: one of the files is missing or damaged.
    """
    try:
        recipe = (folder / "recipe.yaml").read_text(encoding="utf-8")
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
            epochs = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
        if not isinstance(facts, dict) or not all("epoch" in row for row in epochs) or not epochs:
            raise ValueError("an epoch or a fact is missing")
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{folder}: the training log cannot be read ({error})") from None
    return {"recipe": recipe, "facts": facts, "epochs": epochs}
