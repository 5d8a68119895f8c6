"""File names that are not UTF-8, outputs that are not, and crops given as photos: nothing is lost, nothing raises."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ODD = b"caf\xe9.png"
"""Latin-1, as old archives hold it."""


def mien(*arguments: str | Path, encoding: str = "utf-8") -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "120"}
    command = [sys.executable, "-c", "from mien.cli.app import main; main()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    return done


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    grey = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    try:
        with open(os.fsencode(tmp_path) + b"/" + ODD, "wb") as file:
            Image.fromarray(grey).save(file, "PNG")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    return tmp_path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_name_that_is_not_utf8_survives_in_every_file(odd_folder: Path, tiny_model: Path, suffix: str) -> None:
    out = odd_folder / f"rows{suffix}"
    done = mien("predict", odd_folder, "--detector", "none", "--model", tiny_model, "--out", out)
    assert done.returncode == 0, done.stderr
    if suffix == ".jsonl":
        (row,) = map(json.loads, out.read_text().splitlines())
        assert os.fsencode(row["source"]).endswith(ODD)
    elif suffix == ".csv":
        with out.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            (row,) = csv.DictReader(file)
        assert os.fsencode(row["source"]).endswith(ODD)
    else:
        parquet = pytest.importorskip("pyarrow.parquet", reason="comes with mien[parquet]")
        (row,) = parquet.read_table(out).to_pylist()
        assert row["source"].endswith("caf\\udce9.png")


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_json_holds_the_name_in_every_encoding(odd_folder: Path, tiny_model: Path, encoding: str) -> None:
    arguments = ("predict", odd_folder, "--detector", "none", "--model", tiny_model, "--format", "json")
    done = mien(*arguments, encoding=encoding)
    (result,) = json.loads(done.stdout.decode(encoding))
    assert os.fsencode(result["source"]).endswith(ODD) and len(result["faces"]) == 1


@pytest.mark.parametrize("verb", [("models", "list", "--no-speed"), ("recipes", "list")])
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_tables_print_in_every_encoding(verb: tuple[str, ...], encoding: str) -> None:
    done = mien(*verb, encoding=encoding)
    assert done.returncode == 0 and "base" in done.stdout.decode(encoding)


def test_face_crops_without_a_detector_are_told_the_remedy(tmp_path: Path, tiny_model: Path) -> None:
    Image.fromarray(np.full((48, 48), 128, np.uint8)).save(tmp_path / "crop.png")
    done = mien("predict", tmp_path / "crop.png", "--detector", "haar", "--model", tiny_model)
    assert b"--detector none takes each image as one face" in done.stderr
