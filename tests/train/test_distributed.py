"""Two processes on the CPU, started as users start them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

RECIPE = """
extends: base
network: {name: convnext_atto, args: {}, drop: 0}    # no BatchNorm: its statistics would be of half batches
augment: {flip: false, rotate_deg: 0, shift: 0, scale: [1, 1], cutout: 0}
average: null
precision: '32'
batch_size: 28
epochs: 5
"""


def losses(root: Path, out: Path, devices: int) -> list[float]:
    recipe = out / "plain.yaml"
    recipe.write_text(RECIPE)
    arguments = ["train", recipe, "--data", root, "--runs", out / str(devices), "--accelerator", "cpu"]
    done = subprocess.run(
        [sys.executable, "-m", "mien", *map(str, arguments), "--devices", str(devices)],
        capture_output=True,
        text=True,
        env=os.environ | {"MASTER_ADDR": "127.0.0.1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 5/5") == 1
    (folder,) = (out / str(devices) / "plain").iterdir()
    assert (folder / "best.pth").is_file()
    with (folder / "metrics.csv").open() as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


def test_two_processes_give_the_losses_of_one_over_ten_steps(toy_root: Path, tmp_path: Path) -> None:
    one, two = (losses(toy_root, tmp_path, devices) for devices in (1, 2))
    assert len(one) == 5  # of two steps each
    assert one[-1] != one[0]
    assert two == pytest.approx(one, abs=1e-4)
