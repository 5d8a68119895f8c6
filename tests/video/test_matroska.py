"""Destroyed clusters are found and timed; nothing is in files that are whole, streamed, or of variable rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from recordings import record

from mien.contract.errors import VideoError
from mien.video.matroska import CLUSTER, broken_parts
from mien.video.reader import VideoReader

MARK = CLUSTER.to_bytes(4, "big")
THIRDS = {"cluster_time_limit": "300"}
"""A cluster each third of a second, like the key frames."""


def clusters(content: bytes) -> list[int]:
    """Where each begins."""
    found = [content.find(MARK)]
    while found[-1] >= 0:
        found.append(content.find(MARK, found[-1] + 1))
    return found[:-1]


def destroyed(path: Path, first: int, last: int, fill: str = "noise", keep: int = 0) -> Path:
    """Overwrite the clusters ``first`` to ``last``, but for the first bytes of each."""
    content, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
    places = [*clusters(content), len(content)]
    for start, end in list(zip(places, places[1:], strict=False))[first : last + 1]:
        count = end - start - keep
        content[start + keep : end] = bytes(count) if fill == "zeros" else rng.bytes(count)
    path.write_bytes(content)
    return path


def judged(path: Path, **window: float) -> tuple[list[float], str]:
    with VideoReader(path) as video:
        times_s = [frame.t_s for frame in video.frames(**window) if frame.t_s is not None]
        try:
            video.check_whole()
        except VideoError as error:
            return times_s, str(error)
    return times_s, ""


@pytest.mark.parametrize("fill", ["noise", "zeros"])
@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_destroyed_clusters_are_told_with_their_times(tmp_path: Path, suffix: str, fill: str) -> None:
    codec = "libx264" if suffix == ".mkv" else "libvpx"
    path = destroyed(record(tmp_path / f"a{suffix}", 90, codec=codec, options=THIRDS), 3, 4, fill)
    times_s, told = judged(path)
    assert told == f"{path}: destroyed between 0.97 and 1.67 s; the rest was read"
    assert times_s == pytest.approx([index / 30 for index in range(90) if not 30 <= index < 50], abs=1e-3)


def test_a_part_beside_the_damage_is_whole(tmp_path: Path) -> None:
    path = destroyed(record(tmp_path / "a.mkv", 90, options=THIRDS), 3, 4)
    assert judged(path, start_s=1.7)[1] == "" and judged(path, end_s=0.9)[1] == ""
    assert "destroyed between 0.97 and 1.67 s" in judged(path, start_s=0.5, end_s=2.0)[1]


def test_several_places(tmp_path: Path) -> None:
    path = destroyed(
        destroyed(record(tmp_path / "a.mkv", 120, options=THIRDS), 2, 2), 6, 6
    )  # the seventh of those that are left
    assert [pytest.approx(part, abs=1e-3) for part in broken_parts(path)] == [(19 / 30, 1), (69 / 30, 80 / 30)]
    assert "destroyed in 2 places between 0.63 and 2.67 s" in judged(path)[1]


def test_a_cluster_that_still_has_its_head(tmp_path: Path) -> None:
    path = destroyed(record(tmp_path / "a.mkv", 90, options=THIRDS), 3, 3, keep=16)
    parts = list(broken_parts(path))
    assert len(parts) == 1 and parts[0] == pytest.approx((1, 40 / 30), abs=0.05)


def test_what_is_whole_has_no_broken_part(tmp_path: Path) -> None:
    for name, options in (("a", {}), ("streamed", THIRDS | {"live": "1"}), ("fine", {"cluster_time_limit": "100"})):
        path = record(tmp_path / f"{name}.mkv", 60, sound=True, options=options)
        assert list(broken_parts(path)) == [], name


def test_a_variable_rate_is_no_damage(tmp_path: Path) -> None:
    pts = [0, 33, 66, 900, 933, 2500, 2533]
    path = record(tmp_path / "a.mkv", 7, pts=pts, time_base=Fraction(1, 1000))
    assert judged(path) == (pytest.approx([each / 1000 for each in pts], abs=2e-3), "")


def test_unknown_elements_are_skipped(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mkv", 60, options=THIRDS | {"live": "1"})
    content = path.read_bytes()
    at = clusters(content)[2]
    path.write_bytes(content[:at] + b"\x2f\xff\xff\x85hello" + content[at:])
    assert list(broken_parts(path)) == []
    path.write_bytes(content[:at] + b"\x2f\xff\xff\x88hello" + content[at:])  # longer than it is
    assert len(list(broken_parts(path))) == 1


def test_the_end_that_is_missing_is_not_a_broken_part(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mkv", 90, options=THIRDS)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    assert list(broken_parts(path)) == []


def test_times_in_another_scale(tmp_path: Path) -> None:
    """A tick of two milliseconds instead of one: the header's 1,000,000 ns, doubled in place."""
    path = destroyed(record(tmp_path / "a.mkv", 90, options=THIRDS), 3, 4)
    content = path.read_bytes()
    usual = b"\x2a\xd7\xb1\x83" + (1_000_000).to_bytes(3, "big")
    assert content.count(usual) == 1
    path.write_bytes(content.replace(usual, b"\x2a\xd7\xb1\x83" + (2_000_000).to_bytes(3, "big")))
    with av.open(str(path)) as container:
        assert container.streams.video[0].time_base == Fraction(1, 500)
    assert list(broken_parts(path)) == [pytest.approx((2 * 29 / 30, 2 * 50 / 30), abs=4e-3)]
