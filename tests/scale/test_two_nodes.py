"""A local cluster of two nodes, one of which is lost in the middle of a run."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tiny_onnx import write_tiny_model

from mien.scale.scorer import ScoreOptions
from mien.scale.scoring_run import Progress, RunOptions, score_archive
from mien.scale.work_units import PlanOptions


@pytest.mark.timeout(600)
def test_a_node_that_is_lost_costs_no_row_and_doubles_none(tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    model = write_tiny_model(tmp_path / "tiny.onnx")
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    noise = np.random.default_rng(0)
    for number in range(200):
        Image.fromarray(noise.integers(0, 256, (24, 24), dtype=np.uint8)).save(photos / f"{number:03}.png")
    cluster = Cluster(initialize_head=True, connect=False, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    removal = threading.Thread(target=lambda: cluster.remove_node(second, allow_graceful=False))
    seen: list[Progress] = []

    def lose_the_second_node(progress: Progress) -> None:
        seen.append(progress)
        if progress.done == 10:
            removal.start()
        time.sleep(0.05)  # so that the node is lost while there is work left

    try:
        how, where = ScoreOptions(str(model), "none"), RunOptions(address=cluster.address, workers=2)
        summary = score_archive([str(photos)], str(out), how, where, PlanOptions(2), lose_the_second_node)
    finally:
        if removal.ident is not None:
            removal.join()
        cluster.shutdown()
    assert summary.shards == 100 and summary.errors == 0 and seen[-1].done == 100
    sources = [row["source"] for part in (out / "parts").iterdir() for row in pq.read_table(part).to_pylist()]
    assert sorted(sources) == [str(photos / f"{number:03}.png") for number in range(200)]
