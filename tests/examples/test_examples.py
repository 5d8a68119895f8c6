"""Each example runs as its first lines say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recordings import length_s, record, sound_packets, times

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def portrait_rgb() -> np.ndarray:
    """256 x 256: one frontal, smiling face."""
    data = pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image")
    return np.asarray(data.astronaut())[:256, 96:352]


@pytest.fixture
def film(tmp_path: Path, portrait_rgb: np.ndarray) -> Path:
    frames = (np.roll(portrait_rgb, index, axis=1) for index in range(24))
    return record(tmp_path / "film.mp4", frames, sound=True)


def test_photo(tmp_path: Path, portrait_rgb: np.ndarray) -> None:
    Image.fromarray(portrait_rgb).save(tmp_path / "a.png")
    assert run("photo.py", tmp_path / "a.png").stdout.startswith("happy ")
    Image.new("RGB", (100, 100)).save(tmp_path / "b.png")
    assert "no face found" in run("photo.py", tmp_path / "b.png").stdout


def test_folder_to_parquet(tmp_path: Path, film: Path, portrait_rgb: np.ndarray) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    Image.fromarray(portrait_rgb).save(tmp_path / "a.png")
    (tmp_path / "bad.jpg").write_text("no photo")
    done = run("folder_to_parquet.py", tmp_path, tmp_path / "faces.parquet")
    assert "bad.jpg: is not an image" in done.stderr
    rows = parquet.read_table(tmp_path / "faces.parquet").to_pylist()
    assert f"faces.parquet: {sum(row['emotion'] is not None for row in rows)} faces" in done.stdout
    photo = [row for row in rows if row["source"] == str(tmp_path / "a.png")]
    assert [row["emotion"] for row in photo] == ["happy"]
    assert [row["t_s"] for row in rows if row["source"] == str(film) and row["track_id"] == 1][-1] == 0.766667


def test_annotate_video(tmp_path: Path, film: Path) -> None:
    done = run("annotate_video.py", film, tmp_path / "out")
    copy = tmp_path / "out" / "film.mp4"
    assert done.stdout == f"{copy}\n"
    assert times(copy) == pytest.approx(times(film), abs=1e-6) and length_s(copy) == pytest.approx(0.8, abs=1e-3)
    assert [sound for _, sound in sound_packets(copy)] == [sound for _, sound in sound_packets(film)]


def test_camera(film: Path) -> None:
    lines = run("camera.py", film, "2").stdout.splitlines()
    assert lines and lines[0].split()[1:5] == ["s", "person", "1:", "happy"]


def test_each_example_says_how_it_is_run() -> None:
    for name in ("annotate_video.py", "camera.py", "folder_to_parquet.py", "photo.py"):
        assert f"python examples/{name}" in (EXAMPLES / name).read_text()
