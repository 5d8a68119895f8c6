"""Two Ray nodes on this machine: how evenly they share a bulk run, and what the loss of one costs.

    python benchmarks/two_nodes.py                 # 20,000 images
    python benchmarks/two_nodes.py --quick         # 1,000 images

Each node has one CPU, that is one worker. The images are those of scoring.py. The second run loses its second node, by
SIGKILL, when a third of the parts is written. Printed are the images of each node, the seconds, and how many rows of
the second run equal those of the first.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path

import quick
from scoring import compared, draw_photos, parts_of, rows_of

from mien.contract.system import processor_name, usable_cpus
from mien.scale.scorer import ScoreOptions
from mien.scale.scoring_run import Progress, RunOptions, score_archive
from mien.scale.work_units import PlanOptions


def shares(images_by_node: dict[str, int]) -> str:
    whole = sum(images_by_node.values())
    return ", ".join(f"{name} {count:,} ({count / whole:.1%})" for name, count in sorted(images_by_node.items()))


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--images-per-part", type=int, default=100)
    parser.add_argument("--model", default="base-int8")
    options = quick.parse(parser, images=1_000, images_per_part=20)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    print(
        f"{processor_name()}, {usable_cpus()} CPUs, load {os.getloadavg()[0]:.1f}; {options.images:,} images",
        flush=True,
    )
    cluster = Cluster(initialize_head=True, connect=False, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    lost_at: list[int] = []
    how, where = ScoreOptions(options.model, "none"), RunOptions(cluster.address)
    cut = PlanOptions(options.images_per_part)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        draw_photos(folder / "photos", options.images)
        began = time.monotonic()
        whole = score_archive([str(folder / "photos")], str(folder / "whole"), how, where, cut)
        print(f"both nodes: {time.monotonic() - began:.0f} s, {shares(whole.images_by_node)}", flush=True)

        def lose_the_second() -> None:
            cluster.remove_node(second, allow_graceful=False)
            lost_at.append(len(parts_of(folder / "one lost")))

        removal = threading.Thread(target=lose_the_second)

        def watch(progress: Progress) -> None:
            if 3 * progress.done >= progress.shards and removal.ident is None:
                removal.start()

        began = time.monotonic()
        left = score_archive([str(folder / "photos")], str(folder / "one lost"), how, where, cut, watch)
        removal.join()
        parts = parts_of(folder / "one lost")
        print(
            f"one lost after {lost_at[0]} of {left.shards} parts: {time.monotonic() - began:.0f} s, "
            f"{shares(left.images_by_node)}, {len(parts)} parts, {left.errors} errors"
        )
        print(f"one lost and both: {compared(rows_of(parts), rows_of(parts_of(folder / 'whole')))}")
    cluster.shutdown()


if __name__ == "__main__":
    main()
