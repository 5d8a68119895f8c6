"""Where a Matroska or WebM file is destroyed, which ffmpeg passes over in silence.

    for from_s, to_s in broken_parts(Path("talk.mkv")): ...

The file is a row of elements, each an id, a size and its content (RFC 8794, RFC 9559). Their heads alone are read, in
seconds for hours of video. Where what follows is no element, the file is broken up to the next cluster, which ffmpeg
too goes on with. The times of the last block before and of the cluster behind say when.

Not here: damage inside a picture, which the decoder notices, and a file that ends too early (reader.py). A cluster that
was cut out cleanly leaves no trace.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

CLUSTER = 0x1F43B675
SEGMENT, CLUSTER_TIME, SIMPLE_BLOCK, BLOCK_GROUP, INFO = 0x18538067, 0xE7, 0xA3, 0xA0, 0x1549A966
TIME_SCALE, USUAL_SCALE_NS = 0x2AD7B1, 1_000_000
"""Nanoseconds of a tick of the timestamps."""

KNOWN = frozenset(
    {
        *(0x1A45DFA3, SEGMENT, CLUSTER, INFO),
        *(0x114D9B74, 0x1654AE6B, 0x1C53BB6B, 0x1254C367, 0x1043A770, 0x1941A469),  # seek head, tracks, cues, tags, …
        *(CLUSTER_TIME, 0xA7, 0xAB, 0x5854, SIMPLE_BLOCK, BLOCK_GROUP, 0xAF),  # inside a cluster
        *(0xEC, 0xBF, 0x1B538667),  # anywhere: void, checksum, signature
    }
)
"""What stands in a file, in its segment and in a cluster. Others are allowed, and skipped if a known one follows."""


def broken_parts(path: Path) -> Iterator[tuple[float, float]]:
    """Find stretches of time, in seconds of the file's own clock, between which elements are destroyed.

    Args:
        path: of a Matroska or WebM file.

    Yields:
        The time of the last block before and of the first cluster behind, in the order of the file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        tick_s = USUAL_SCALE_NS / 1e9
        at = cluster = last = 0
        broken = False
        while at < len(data):
            head = _head(data, at)
            if head is None or not _plausible(data, head):
                broken = True
                at = data.find(CLUSTER.to_bytes(4, "big"), at + 1)
                if at < 0:
                    return  # nothing behind: a file that ends too early
                continue
            number, start, end = head
            if number == INFO:
                tick_s = _scale_ns(data, start, end) / 1e9
            elif number == CLUSTER_TIME:
                cluster = int.from_bytes(data[start:end], "big")
                if broken:
                    yield last * tick_s, cluster * tick_s
                last, broken = cluster, False
            elif number == SIMPLE_BLOCK and not broken:
                _, start = _number(data, start)  # of the track; then ticks from the cluster's time
                last = max(last, cluster + int.from_bytes(data[start : start + 2], "big", signed=True))
            at = start if number in (SEGMENT, CLUSTER) else end


def _plausible(data: mmap.mmap, head: tuple[int, int, int]) -> bool:
    number, _, end = head
    if number in KNOWN:
        return end <= len(data) or number in (SEGMENT, CLUSTER)  # a file that ends too early, or was streamed
    behind = _head(data, end)
    return end == len(data) or (behind is not None and behind[0] in KNOWN)


def _head(data: mmap.mmap, at: int) -> tuple[int, int, int] | None:
    """An element's id, and where its content starts and ends; None where there is none."""
    if at >= len(data) or not 1 <= (bytes_of_id := _length(data[at])) <= 4:
        return None
    start = at + bytes_of_id
    if start >= len(data) or _length(data[start]) > 8:
        return None
    size, start = _number(data, start)
    return int.from_bytes(data[at : at + bytes_of_id], "big"), start, start + size


def _length(first: int) -> int:
    """Bytes of a number, by the zero bits that its first byte begins with; 9 where that is no number."""
    return 9 - first.bit_length()


def _number(data: mmap.mmap, at: int) -> tuple[int, int]:
    """A size or a track's number, and where it ends."""
    length = _length(data[at])
    return int.from_bytes(data[at : at + length], "big") & ~(1 << 7 * length), at + length


def _scale_ns(data: mmap.mmap, at: int, end: int) -> int:
    while at < end and (head := _head(data, at)) is not None:
        number, start, at = head
        if number == TIME_SCALE:
            return int.from_bytes(data[start:at], "big") or USUAL_SCALE_NS
    return USUAL_SCALE_NS
