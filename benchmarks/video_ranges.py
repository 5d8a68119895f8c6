"""Whether a long video that is scored in time ranges gives the tracks and rows of one unbroken run.

    python benchmarks/video_ranges.py                    # 20 minutes of video, ten ranges
    python benchmarks/video_ranges.py --quick            # 2 minutes, six ranges

The film is composed here, 320 x 240 at 15 frames a second: a portrait (NASA, public domain, from scikit-image) and its
mirror image walk about on paths of their own. The second one leaves and comes back, a third one appears at times, and
sometimes nobody is there. ``mien predict`` reads the film whole, ``mien score`` in ranges. Printed are the rows and
tracks of both, how many frames are equal in boxes and tracks, and how long after each seam they differ.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import quick
from numpy.typing import NDArray
from PIL import Image

from mien.contract.system import processor_name, usable_cpus
from mien.scale.scorer import ScoreOptions, Scorer
from mien.scale.scoring_run import join_videos
from mien.scale.storage import OutputFolder
from mien.scale.work_units import PlanOptions, plan

WIDTH, HEIGHT, RATE = 320, 240, 15


@dataclass(frozen=True)
class Person:
    """A face on a closed path, away for a part of each ``away_every_s`` seconds; ``turn_s`` seconds a round."""

    face_HWC: NDArray[np.uint8]
    centre_x: float
    turn_s: tuple[float, float]
    away_every_s: float = 0.0
    away_s: float = 0.0
    away_from_s: float = 0.0

    def corner(self, t_s: float) -> tuple[int, int] | None:
        """Left and top of the face in pixels; None while the person is away."""
        if self.away_every_s and (t_s + self.away_from_s) % self.away_every_s < self.away_s:
            return None
        side = len(self.face_HWC)
        x = self.centre_x + 45 * np.cos(2 * np.pi * t_s / self.turn_s[0]) - side / 2
        y = HEIGHT / 2 + 50 * np.sin(2 * np.pi * t_s / self.turn_s[1]) - side / 2
        return int(np.clip(x, 0, WIDTH - side)), int(np.clip(y, 0, HEIGHT - side))


def people() -> list[Person]:
    from skimage import data

    portrait = Image.fromarray(data.astronaut()[0:230, 105:335])
    first, second, third = (np.asarray(portrait.resize((side, side))) for side in (96, 88, 70))
    return [
        Person(first, 75, (11.0, 17.0), away_every_s=301.0, away_s=12.0),
        Person(second[:, ::-1], 245, (13.0, 19.0), away_every_s=97.0, away_s=21.0, away_from_s=40.0),
        Person(third, 160, (29.0, 23.0), away_every_s=180.0, away_s=150.0),
    ]


def compose(path: Path, seconds: int) -> None:
    """Write the film."""
    from skimage import data

    behind = np.asarray(Image.fromarray(data.coffee()).resize((WIDTH, HEIGHT))) // 2
    cast = people()
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "23"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(seconds * RATE):
            frame_rgb = behind.copy()
            for person in cast:
                if (corner := person.corner(index / RATE)) is not None:
                    (left, top), side = corner, len(person.face_HWC)
                    frame_rgb[top : top + side, left : left + side] = person.face_HWC
            picture = av.VideoFrame.from_ndarray(frame_rgb, format="rgb24")
            picture.pts = index
            out.mux(video.encode(picture))
        out.mux(video.encode())


BOX = ("x1", "y1", "x2", "y2")


def by_time(rows: list[dict[str, Any]]) -> dict[float, list[dict[str, Any]]]:
    return {t_s: list(each) for t_s, each in groupby(rows, key=lambda row: row["t_s"])}


def report(whole: list[dict[str, Any]], ranged: list[dict[str, Any]], range_s: float) -> None:
    """Print how the two tables differ."""
    one, other = by_time(whole), by_time(ranged)
    print(f"frames: {len(one):,} and {len(other):,}, {len(one.keys() & other.keys()):,} of them at the same times")
    print(f"rows: {len(whole):,} and {len(ranged):,}")
    tracks = [{row["track_id"] for row in rows} - {None} for rows in (whole, ranged)]
    print(f"tracks: {len(tracks[0])} and {len(tracks[1])}, the same numbers: {tracks[0] == tracks[1]}")
    unequal: dict[int, list[float]] = {}
    others = renamed = 0
    apart_px = apart_p = 0.0
    for t_s in sorted(one.keys() & other.keys()):
        boxes, tracked = ([[row[name] for name in names] for row in one[t_s]] for names in (BOX, ("track_id",)))
        same_boxes = boxes == [[row[name] for name in BOX] for row in other[t_s]]
        same_tracks = tracked == [[row["track_id"]] for row in other[t_s]]
        others += not same_boxes
        renamed += not same_tracks
        if not (same_boxes and same_tracks):
            unequal.setdefault(int(t_s // range_s), []).append(t_s)
        for a, b in zip(one[t_s], other[t_s], strict=False):
            if a["x1"] is not None and b["x1"] is not None:
                apart_px = max(apart_px, *(abs(a[name] - b[name]) for name in BOX))
                apart_p = max(apart_p, abs(a["confidence"] - b["confidence"]) if a["emotion"] == b["emotion"] else 1.0)
    print(f"frames with other boxes: {others:,}, with other track numbers: {renamed:,}")
    print(f"largest difference of a box {apart_px:.2f} px, of a confidence {apart_p:.4f} (1 for another emotion)")
    for number, times in sorted(unequal.items()):
        seam_s = number * range_s
        print(f"  after {seam_s:5.0f} s: {len(times)} frames differ, the last {times[-1] - seam_s:.2f} s after it")


def mien(*arguments: object) -> None:
    """Run a command."""
    subprocess.run([sys.executable, "-m", "mien", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def score_here(film: Path, out: Path, model: str, range_s: float) -> None:
    """What ``mien score`` does, by one worker in this process."""
    scorer = Scorer(ScoreOptions(model), str(out))
    shards = list(plan([str(film)], PlanOptions(range_s=range_s, overlap_s=min(5.0, range_s / 4))))
    for shard in shards:
        if scorer.score(shard).errors:
            raise SystemExit(f"{shard.name}: could not be scored")
    join_videos(OutputFolder(str(out)), shards, scorer.options)


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--range-s", type=float, default=120)
    parser.add_argument("--model", default="base-int8")
    parser.add_argument("--keep", type=Path, help="a folder for the film and the rows; else a temporary one")
    parser.add_argument("--without-ray", action="store_true", help="score the ranges one after the other")
    options = quick.parse(parser, minutes=2, range_s=20)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    print(f"{processor_name()}, {usable_cpus()} CPUs, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        film, rows, out = folder / "film.mp4", folder / "rows.parquet", folder / "scored"
        compose(film, round(options.minutes * 60))
        began = time.monotonic()
        mien("predict", film, "--model", options.model, "--out", rows)
        print(f"as a whole: {time.monotonic() - began:.0f} s", flush=True)
        began = time.monotonic()
        if options.without_ray:
            score_here(film, out, options.model, options.range_s)
        else:
            mien("score", film, "--model", options.model, "--out", out, "--range-s", options.range_s)
        print(f"in ranges of {options.range_s:g} s: {time.monotonic() - began:.0f} s", flush=True)
        (part,) = (out / "parts").glob("*.parquet")
        report(pq.read_table(rows).to_pylist(), pq.read_table(part).to_pylist(), options.range_s)


if __name__ == "__main__":
    main()
