"""A local cluster of two nodes, one of which is lost in the middle of a run."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mien.scale.scorer import ScoreOptions
from mien.scale.scoring_run import Progress, RunOptions, score_archive
from mien.scale.work_units import PlanOptions


@pytest.mark.timeout(600)
def test_a_node_that_is_lost_costs_no_row_and_doubles_none(
    cluster: Any, photos: Path, model: Path, expected: list[dict[str, object]], tmp_path: Path
) -> None:
    slow, out = tmp_path / "photos", tmp_path / "out"
    slow.mkdir()
    for photo in photos.glob("???.png"):
        shutil.copy(photo, slow / f"slow-{photo.name}")
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    seen: list[Progress] = []
    done_at_the_loss: list[int] = []

    def lose_the_second_node() -> None:
        cluster.remove_node(second, allow_graceful=False)
        done_at_the_loss.append(seen[-1].done)

    removal = threading.Thread(target=lose_the_second_node)

    def watch(progress: Progress) -> None:
        seen.append(progress)
        if progress.done == 6:
            removal.start()

    try:
        how, where = ScoreOptions(str(model), "none"), RunOptions(address=cluster.address, workers=2)
        summary = score_archive([str(slow)], str(out), how, where, PlanOptions(2), watch)
    finally:
        if removal.ident is not None:
            removal.join()
        else:
            cluster.remove_node(second, allow_graceful=False)
    assert 6 <= done_at_the_loss[0] < 30  # while there was work left
    assert summary.shards == 30 and summary.errors == 0 and seen[-1].done == 30
    found = [row for part in (out / "parts").iterdir() for row in pq.read_table(part).to_pylist()]
    wanted = [row | {"source": str(slow / f"slow-{Path(str(row['source'])).name}")} for row in expected]
    assert sorted(found, key=lambda row: str(row["source"])) == wanted
