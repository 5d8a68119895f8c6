"""Join the time ranges of one video, so that a track that goes on from one range to the next keeps its number.

Each range but the first begins to score a few seconds early. In this overlap both ranges saw the same frames. A track
of the later range takes the number of the track of the earlier range whose boxes overlap its own most (mean IoU at
least 0.5 over common frames). The rows of the overlap come from the earlier range alone.

Two things differ from one unbroken run. The smoothing of scores starts anew in each overlap; with a half-life of 0.5 s,
a thousandth of the weight is still missing after 5 s. A person who is hidden during the whole overlap gets a new
number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Row = dict[str, Any]

SAME_IOU = 0.5


def join_ranges(ranges: Iterable[tuple[float, Sequence[Row]]]) -> Iterator[list[Row]]:
    """Renumber the tracks of consecutive ranges.

    Args:
        ranges: for each range where it begins (seconds) and its rows, those of its overlap first; in order of time.

    Yields:
        The rows of each range without its overlap, with track numbers of the whole video.
    """
    before: list[Row] = []
    highest = 0
    for start_s, rows in ranges:
        overlap = [row for row in rows if row["t_s"] < start_s]
        own = [row for row in rows if row["t_s"] >= start_s]
        numbers = _same_tracks(before, overlap)
        for row in own:
            track = row["track_id"]
            if track is not None and track not in numbers:
                highest += 1
                numbers[track] = highest
        joined = [row | {"track_id": None if row["track_id"] is None else numbers[row["track_id"]]} for row in own]
        highest = max([highest, *(row["track_id"] for row in joined if row["track_id"] is not None)])
        before = joined
        yield joined


def _same_tracks(earlier: Sequence[Row], later: Sequence[Row]) -> dict[int, int]:
    """Which track of ``later`` is which of ``earlier``, one to one, by mean IoU over their common frames."""
    boxes: dict[float, list[Row]] = defaultdict(list)
    for row in earlier:
        if row["track_id"] is not None:
            boxes[row["t_s"]].append(row)
    total: dict[tuple[int, int], float] = defaultdict(float)
    common: dict[tuple[int, int], int] = defaultdict(int)
    for row in later:
        if row["track_id"] is None:
            continue
        for other in boxes.get(row["t_s"], ()):
            pair = (row["track_id"], other["track_id"])
            total[pair] += _iou(row, other)
            common[pair] += 1
    found: dict[int, int] = {}
    for pair in sorted(total, key=lambda pair: -total[pair]):  # longest and best agreement first
        new, old = pair
        if total[pair] / common[pair] >= SAME_IOU and new not in found and old not in found.values():
            found[new] = old
    return found


def _iou(one: Row, other: Row) -> float:
    width = min(one["x2"], other["x2"]) - max(one["x1"], other["x1"])
    height = min(one["y2"], other["y2"]) - max(one["y1"], other["y1"])
    if width <= 0 or height <= 0:
        return 0.0
    inside = width * height
    areas = sum((row["x2"] - row["x1"]) * (row["y2"] - row["y1"]) for row in (one, other))
    return float(inside / (areas - inside))
