"""CPUs that a container grants, and the processor's name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mien.contract.system import processor_name, usable_cpus, usable_memory


@pytest.fixture(autouse=True)
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 8),
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "5000 100000"}, 1),
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "6400000 100000"}, 8),
        ({"cpu.max": "garbage"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000"}, 8),
    ],
)
def test_quota_of_a_container(tmp_path: Path, files: dict[str, str], cpus: int) -> None:
    (tmp_path / "cpu").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert usable_cpus(tmp_path) == cpus


@pytest.mark.parametrize(
    ("files", "megabytes"),
    [
        ({}, 4096),
        ({"memory.max": "max\n"}, 4096),
        ({"memory.max": "1048576000\n"}, 1000),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, 4096),
        ({"memory/memory.limit_in_bytes": "524288000"}, 500),
    ],
)
def test_memory_of_a_container(
    tmp_path: Path, files: dict[str, str], megabytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1 << 20, "SC_PAGE_SIZE": 4096}.__getitem__, raising=False)
    (tmp_path / "memory").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert usable_memory(tmp_path) == megabytes << 20


def test_processor(tmp_path: Path) -> None:
    listed = tmp_path / "cpuinfo"
    listed.write_text("processor\t: 0\nmodel name\t: AMD EPYC 9R14\n\nprocessor\t: 1\nmodel name\t: other\n")
    assert processor_name(listed) == "AMD EPYC 9R14"
    assert processor_name(tmp_path / "absent")
    if sys.platform == "linux" and "model name" in Path("/proc/cpuinfo").read_text():
        assert processor_name() in Path("/proc/cpuinfo").read_text()
