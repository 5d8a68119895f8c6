"""One local cluster for all tests of bulk runs, sixty pictures, and the rows that one process gives for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_onnx import write_tiny_model

from mien.recognition.recognizer import Recognizer
from mien.video.row_schema import rows

IMAGES = 60

READER = """
import os, signal, time
from pathlib import Path
stat = Path.stat
def unlike(self, **options):
    if "RAY_JOB_ID" in os.environ:
        if self.name == "deadly.png":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.name.startswith("slow"):
            time.sleep(0.05)
    return stat(self, **options)
Path.stat = unlike
"""
"""Read by every Python that the cluster starts: a worker dies on one file, as one whose decoder has a hole would, and
takes its time for others."""


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Ray cluster with one node of one CPU; tests may add nodes, and take them away again."""
    from ray.cluster_utils import Cluster

    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(READER)
    with pytest.MonkeyPatch.context() as patch:
        source = Path(__file__).parents[2] / "src"
        patch.setenv("PYTHONPATH", f"{folder}:{source}:{os.environ.get('PYTHONPATH', '')}")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # beside other work they would hardly run at Ray's 15
        made = Cluster(initialize_head=True, connect=False, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    made.shutdown()


@pytest.fixture(scope="package")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture(scope="package")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures that are faces to the detector "none", and one file that is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    noise = np.random.default_rng(0)
    for number in range(IMAGES):
        Image.fromarray(noise.integers(0, 256, (24, 24), dtype=np.uint8)).save(folder / f"{number:03}.png")
    (folder / "030-broken.png").write_bytes(b"not a picture")
    return folder


@pytest.fixture(scope="package")
def expected(photos: Path, model: Path) -> list[dict[str, object]]:
    """The rows that one process gives."""
    recognizer = Recognizer(model, "none")
    paths = sorted(path for path in photos.glob("*.png") if "broken" not in path.name)
    return [row for path in paths for row in rows(recognizer.recognize(path), recognizer.card.labels)]
